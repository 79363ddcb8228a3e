"""The composition after a crash: what the former process left undone does not block anybody."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskline.app import Application
from maskline.lab.platform import free_port
from maskline.settings import MediaChoice, Settings
from tests.support.logging import configured_logs
from tests.support.store_values import ACCOUNT, T0, new_session, recorded_call, virtual_number

HOST = "127.0.0.1"


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


async def test_a_session_that_was_in_a_call_when_the_process_died_can_be_called_again(tmp_path: Path) -> None:
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'maskline.db'}", key_file=tmp_path / "maskline.key",
        data_dir=tmp_path / "data", http_port=free_port(HOST, socket.SOCK_STREAM),
        sip_port=free_port(HOST, socket.SOCK_DGRAM), media=MediaChoice.NONE,
    )  # fmt: skip
    with configured_logs():
        application = Application(settings)
        store = application.services.store
        await store.open()
        await store.add_account(ACCOUNT)
        await store.add_number(virtual_number(), T0)
        await store.create_session(new_session())
        await store.commit_calls([recorded_call(record=None, interaction=None, calls_in_progress_delta=1)])
        assert (await store.session(ACCOUNT.id, "session-1")).calls_in_progress == 1
        await store.close()
        await application.start()
        assert (await store.session(ACCOUNT.id, "session-1")).calls_in_progress == 0
        await application.stop()
