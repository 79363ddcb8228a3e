"""The composition: parts start in order, a failure undoes the start, and the stop waits for calls, but not for ever."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

import pytest

from maskline import app as app_module
from maskline.app import Application, build_media, build_policy
from maskline.engine.call import CallPolicy
from maskline.errors import ConfigurationError, StoreUnavailable
from maskline.lab.ports import free_port, free_ports
from maskline.masking.session import SessionOptions
from maskline.media.embedded.driver import EmbeddedDriver
from maskline.media.rtpengine.driver import RtpengineDriver
from maskline.setting_values import MediaChoice
from maskline.settings import Settings
from maskline.storage.kept import Owner
from tests.support.call_machine import session
from tests.support.logging import configured_logs
from tests.support.store_values import ACCOUNT, T0, new_session, recorded_call, virtual_number
from tests.support.waiting import until

HOST = "127.0.0.1"

pytestmark = pytest.mark.usefixtures("tuned_interpreter")


@pytest.fixture
def log() -> Iterator[TextIO]:
    with configured_logs() as lines:
        yield lines


def settings(folder: Path, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "database_url": f"sqlite:///{folder / 'maskline.db'}",
        "key_file": folder / "maskline.key",
        "data_dir": folder / "data",
        "http_port": free_port(),
        "sip_port": free_port(),
        "media": MediaChoice.NONE,
        **changes,
    }
    return Settings(**values)


@pytest.fixture
async def app(tmp_path: Path, log: TextIO) -> AsyncIterator[Application]:
    application = Application(settings(tmp_path))
    await application.start()
    yield application
    await application.stop()


async def test_all_parts_answer_and_nothing_is_left_after_the_stop(tmp_path: Path, log: TextIO):
    before = asyncio.all_tasks()
    application = Application(settings(tmp_path))
    await application.start()
    assert {name: part.ok for name, part in (await application.health()).items()} == {"store": True, "engine": True}
    assert len(asyncio.all_tasks()) > len(before)
    await application.stop()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    assert "media_is_off" in log.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "field", "sentence"),
    [
        (socket.SOCK_STREAM, "http_port", r"HTTP cannot listen .*\(MASKLINE_HTTP_PORT\)"),
        (socket.SOCK_DGRAM, "sip_port", r"SIP cannot listen .*\(MASKLINE_SIP_PORT\)"),
    ],
)
async def test_a_port_in_use_undoes_the_start(tmp_path: Path, kind: socket.SocketKind, field: str, sentence: str):
    before = asyncio.all_tasks()
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind((HOST, 0))
        application = Application(settings(tmp_path, **{field: other.getsockname()[1]}))
        with pytest.raises(ConfigurationError, match=sentence):
            await application.start()
        await application.stop()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("http_host", r"HTTP cannot listen .*\(MASKLINE_HTTP_HOST\)"),
        ("sip_host", r"SIP cannot listen .*\(MASKLINE_SIP_HOST\).*0\.0\.0\.0.*MASKLINE_SIP_ADVERTISED_HOST"),
    ],
)
async def test_an_address_of_another_machine_names_its_setting(tmp_path: Path, field: str, sentence: str):
    application = Application(settings(tmp_path, **{field: "192.0.2.1"}))
    with pytest.raises(ConfigurationError, match=sentence):
        await application.start()
    await application.stop()


@pytest.fixture
async def living(tmp_path: Path, log: TextIO) -> AsyncIterator[Application]:
    """A server with media workers and a session in a call."""
    low, high = free_ports(4)
    wanted = settings(tmp_path, media="embedded", media_ports=f"{low}-{high}", media_workers=1)
    application = Application(wanted)
    await application.start()
    store = application.services.store
    await store.add_account(ACCOUNT)
    await store.add_number(virtual_number(), T0)
    await store.create_session(new_session())
    await store.commit_calls([recorded_call(record=None, interaction=None, calls_in_progress_delta=1)])
    yield application
    await application.stop()


async def assert_untouched(living: Application) -> None:
    assert living.media is not None and living.media.available
    session = await living.services.store.session(ACCOUNT.id, "session-1")
    assert session.calls_in_progress == 1


async def test_a_second_server_on_the_same_data_directory_leaves_the_first_ones_calls_alone(living: Application):
    free = {"sip_port": free_port(), "http_port": free_port()}
    second = Application(living.settings.model_copy(update=free))
    with pytest.raises(ConfigurationError, match="Another maskline serve is running with the data directory"):
        await second.start()
    await second.stop()
    await assert_untouched(living)


@pytest.mark.parametrize("free", ["http_port", "sip_port"])
async def test_a_second_server_on_the_same_database_and_a_port_in_use_leaves_the_calls_alone(
    living: Application, tmp_path: Path, free: str
):
    second = Application(living.settings.model_copy(update={"data_dir": tmp_path / "other", free: free_port()}))
    with pytest.raises(ConfigurationError, match="cannot listen"):
        await second.start()
    await second.stop()
    await assert_untouched(living)


async def test_the_data_directory_is_free_again_after_the_stop(tmp_path: Path, log: TextIO):
    for _ in range(2):
        application = Application(settings(tmp_path))
        await application.start()
        await application.stop()


async def test_a_data_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path):
    (tmp_path / "file").touch()
    application = Application(settings(tmp_path, data_dir=tmp_path / "file"))
    with pytest.raises(ConfigurationError, match="MASKLINE_DATA_DIR"):
        await application.start()


async def test_a_part_that_ends_by_itself_ends_the_wait(app: Application, log: TextIO):
    async def broken() -> None:
        raise RuntimeError("out of luck")

    app._run("broken part", broken(), None)
    assert await app.wait(asyncio.Event().wait()) == "broken part"
    assert "out of luck" in log.getvalue()  # type: ignore[attr-defined]


async def test_a_signal_ends_the_wait_without_a_name(app: Application):
    signalled = asyncio.Event()
    signalled.set()
    assert await app.wait(signalled.wait()) is None


async def test_a_part_that_does_not_finish_is_cancelled_after_a_while(
    app: Application, monkeypatch: pytest.MonkeyPatch
):
    ended = []

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    monkeypatch.setattr(app_module, "_STOP_SECONDS", 0.0)
    app._run("stubborn part", stubborn(), lambda: None)
    await asyncio.sleep(0)
    await app.stop()
    assert ended == [True]


class Call:
    """Stands where a call in progress stands, as far as the drain looks."""


async def test_the_drain_waits_for_calls_in_progress(app: Application):
    calls: dict[str, Any] = app.engine.core.calls
    calls["call-1"] = Call()
    drain = asyncio.create_task(app.drain(asyncio.Event().wait()))
    await until(lambda: app.stopping, pause=0.001)
    assert not (await app.health())["engine"].ok
    assert app.engine.core.draining
    assert not drain.done()
    del calls["call-1"]
    await drain


@pytest.mark.parametrize("by", ["hurry", "time"])
async def test_the_drain_ends_in_a_hurry_or_when_its_time_is_over(tmp_path: Path, by: str):
    application = Application(settings(tmp_path, drain_timeout=0.0 if by == "time" else 3600.0))
    await application.start()
    application.engine.core.calls["call-1"] = Call()  # type: ignore[assignment]
    hurry = asyncio.Event()
    if by == "hurry":
        hurry.set()
    await application.drain(hurry.wait())
    assert application.engine.core.calls
    application.engine.core.calls.clear()
    await application.stop()


@pytest.mark.parametrize(
    ("media", "heirs", "kept"), [("none", True, True), ("none", False, False), ("embedded", True, False)]
)
async def test_calls_are_left_to_another_engine_where_that_has_the_same_relay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, media: str, heirs: bool, kept: bool
):
    application = Application(settings(tmp_path))
    application.settings = settings(tmp_path, media=media)
    application.owning._others = [Owner("e2", "engine", "", "")] if heirs else []
    asked: list[bool] = []

    async def stop(*, keep: bool) -> int:
        asked.append(keep)
        return 0

    monkeypatch.setattr(application.engine, "stop", stop)
    await application._stop_engine()
    assert asked == [kept]


async def test_an_engine_whose_lease_is_over_takes_no_calls_until_it_is_renewed(app: Application):
    app._suspend(True)
    assert app.engine.core.draining
    app._suspend(False)
    assert not app.engine.core.draining
    await app.drain(asyncio.Event().wait())
    app._suspend(False)
    assert app.engine.core.draining


async def test_a_server_that_keeps_its_calls_waits_for_those_that_are_not_connected(tmp_path: Path):
    application = Application(settings(tmp_path, keep_calls=True, drain_timeout=3600.0))
    await application.start()
    calls: dict[str, Any] = application.engine.core.calls
    calls |= {"ringing": SimpleNamespace(talked=False), "talking": SimpleNamespace(talked=True)}
    drain = asyncio.create_task(application.drain(asyncio.Event().wait()))
    await until(lambda: application.stopping, pause=0.001)
    assert not drain.done()
    del calls["ringing"]
    await drain
    await application.stop()
    assert [*calls] == ["talking"]


async def test_health_tells_what_is_away(app: Application, monkeypatch: pytest.MonkeyPatch):
    class Away:
        available = False

        async def configuration_version(self) -> int:
            raise StoreUnavailable

    monkeypatch.setattr(app, "media", Away())
    monkeypatch.setattr(app, "services", Away())
    monkeypatch.setattr(app.services, "store", Away(), raising=False)
    parts = await app.health()
    assert (parts["store"].ok, parts["store"].essential) == (False, True)
    assert (parts["media"].ok, parts["media"].essential) == (False, False)
    monkeypatch.undo()


def test_the_media_driver_follows_the_setting(tmp_path: Path):
    assert build_media(settings(tmp_path)) is None
    assert isinstance(build_media(settings(tmp_path, media=MediaChoice.EMBEDDED)), EmbeddedDriver)
    assert isinstance(build_media(settings(tmp_path, media=MediaChoice.RTPENGINE)), RtpengineDriver)


async def test_a_media_driver_that_is_away_does_not_keep_the_server_from_starting(tmp_path: Path, log: TextIO):
    nobody = free_port()
    application = Application(settings(tmp_path, media=MediaChoice.RTPENGINE, rtpengine=f"{HOST}:{nobody}"))
    await application.start()
    media = (await application.health())["media"]
    assert (media.ok, media.essential) == (False, False)
    await application.stop()
    assert log.getvalue().count("media_away") == 1  # type: ignore[attr-defined]


@pytest.mark.row("7.1/the default set", "7.1/events of the first generation")
@pytest.mark.parametrize(("edition", "told"), [("2024", ["SessionTimeout"]), ("2023", [])])
async def test_callbacks_follow_the_chosen_edition_of_the_event_list(tmp_path: Path, edition: str, told: list[str]):
    application = Application(settings(tmp_path, plivo_events=edition))
    store = application.services.store
    await store.open()
    try:
        await store.add_account(ACCOUNT)
        await store.add_number(virtual_number(), T0)
        options = SessionOptions(session_expiry=60, callback_url="https://hooks.example/")
        await store.create_session(new_session(options=options))
        assert await application.sweep() == 1
        assert [row.event for row in await store.outbox(None)] == told
    finally:
        await store.close()


async def test_folders_with_audio_are_closed_to_others_whoever_made_them(tmp_path: Path, log: TextIO):
    (tmp_path / "data" / "prompts").mkdir(mode=0o755, parents=True)
    application = Application(settings(tmp_path))
    await application.start()
    await application.stop()
    assert [(tmp_path / "data" / name).stat().st_mode & 0o777 for name in ("prompts", "spool")] == [0o700, 0o700]


async def test_a_new_session_is_called_and_its_prompts_are_fetched_if_it_asks_for_that(
    app: Application, monkeypatch: pytest.MonkeyPatch
):
    told: list[Any] = []
    monkeypatch.setattr(app.starts._loop, "_wake", SimpleNamespace(set=lambda: told.append("call")))
    monkeypatch.setattr(app.prompts, "prefetch", told.append)
    app._on_created(session())
    assert told == []
    app._on_created(session(pin_prompt_play="https://a.example/pin.mp3", initiate_call_to_first_party=True))
    assert told == ["call", ("https://a.example/pin.mp3",)]


async def test_the_end_of_a_session_by_request_or_by_time_is_told_to_the_engine(
    app: Application, monkeypatch: pytest.MonkeyPatch
):
    ended: list[str] = []
    monkeypatch.setattr(app.engine.core, "session_ended", lambda session_id, now: ended.append(session_id))
    app._on_ended(session())
    store = app.services.store
    await store.add_account(ACCOUNT)
    await store.add_number(virtual_number(), T0)
    await store.create_session(new_session(options=SessionOptions(session_expiry=60)))
    await app.sweep()
    assert ended == ["session-1", "session-1"]


async def test_the_drain_takes_no_more_requests_for_calls(app: Application):
    await app.drain(asyncio.Event().wait())
    await until(lambda: any(name == "requested calls" for name, _ in list(app._ended._queue)), pause=0.001)  # type: ignore[attr-defined]


def test_digits_and_the_moment_of_prompts_follow_their_settings(tmp_path: Path):
    assert build_policy(settings(tmp_path)) == CallPolicy()
    chosen = settings(tmp_path, dtmf="block", prompts="answered")
    assert build_policy(chosen) == CallPolicy(answer_for_prompts=True, block_digits=True)


async def test_what_the_settings_let_everybody_hear_is_fetched_at_the_start(
    tmp_path: Path, log: TextIO, monkeypatch: pytest.MonkeyPatch
):
    application = Application(settings(tmp_path, consent_prompt="say:We record.", session_ended_prompt="say:Over."))
    fetched: list[Any] = []
    monkeypatch.setattr(application.prompts, "prefetch", fetched.append)
    await application.start()
    await application.stop()
    assert fetched == [("say:Over.", "say:We record.")]


async def test_what_a_killed_process_recorded_is_taken_up_before_the_first_call(
    tmp_path: Path, log: TextIO, monkeypatch: pytest.MonkeyPatch
):
    application = Application(settings(tmp_path))
    order: list[str] = []

    async def recover() -> int:
        order.append("recover")
        return 0

    start = application.engine.start
    monkeypatch.setattr(application.recordings, "recover", recover)
    monkeypatch.setattr(application.engine, "start", lambda past: order.append("engine") or start(past))
    await application.start()
    await application.stop()
    assert order == ["recover", "engine"]
