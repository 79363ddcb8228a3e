"""A recording's file by its signed link: whole, in part, and refused in clear sentences."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from maskline.masking.recording import RecordingStatus
from maskline.media.recordings.vault import CHUNK, seal_file
from maskline.workflows.process_recordings import RecordingPlan
from maskline.workflows.recording_links import RecordingLinks
from tests.support.api_world import ApiWorld
from tests.support.recordings import recording
from tests.support.store_values import recorded_call

KEY = bytes(range(32))
LINKS = RecordingLinks(b"k" * 32, "http://api.test", 600.0)
AUDIO = bytes(range(256)) * 600


class Api(ApiWorld):
    def __init__(self, folder: Path) -> None:
        self.plan = RecordingPlan(folder, folder, KEY)
        super().__init__(recordings=self.plan, links=LINKS)

    async def start(self) -> Api:
        self.http = self.client()
        (self.plan.folder / "plain").write_bytes(AUDIO)
        seal_file(self.plan.folder / "plain", self.plan.folder / "file", KEY, "rec-1")
        await self.keep(recording(status=RecordingStatus.COMPLETED, file="file", format="wav"))
        return self

    async def keep(self, one: object) -> None:
        name = one.call_id  # type: ignore[attr-defined]
        await self.store.commit_calls([recorded_call(name, record=None, interaction=None, recording=one)])

    def link(self, name: str = "rec-1", form: str = "wav") -> str:
        return LINKS.download(name, form, self.clock.wall())

    async def get(self, url: str | None = None, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.get(url or self.link(), headers=named)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    yield await Api(tmp_path).start()


async def test_the_link_gives_the_file_with_its_type_and_nothing_to_cache(api: Api) -> None:
    answer = await api.get()
    assert (answer.status_code, answer.content) == (200, AUDIO)
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["content-length"] == str(len(AUDIO))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["content-disposition"] == 'inline; filename="rec-1.wav"'


async def test_head_tells_the_length_alone(api: Api) -> None:
    answer = await api.http.head(api.link())
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, str(len(AUDIO)), b"")


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-", 100, len(AUDIO)),
        ("bytes=-5", len(AUDIO) - 5, len(AUDIO)),
        (f"bytes={CHUNK - 3}-{CHUNK + 3}", CHUNK - 3, CHUNK + 4),
        (f"bytes=10-{10 * len(AUDIO)}", 10, len(AUDIO)),
        (f"bytes=-{10 * len(AUDIO)}", 0, len(AUDIO)),
    ],
)
async def test_a_range_gives_that_part(api: Api, asked: str, start: int, stop: int) -> None:
    answer = await api.get(Range=asked)
    assert (answer.status_code, answer.content) == (206, AUDIO[start:stop])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(AUDIO)}"
    assert answer.headers["content-length"] == str(stop - start)


@pytest.mark.parametrize("asked", ["bytes=5-4", "bytes=0-1,5-6", "bytes=-", "lines=1-2", "bytes=a-b"])
async def test_a_range_that_means_nothing_gives_the_whole(api: Api, asked: str) -> None:
    assert (await api.get(Range=asked)).status_code == 200


@pytest.mark.parametrize("asked", [f"bytes={len(AUDIO)}-", "bytes=-0", "bytes=9999999999-99999999999"])
async def test_a_range_beyond_the_end_is_refused_with_the_length(api: Api, asked: str) -> None:
    answer = await api.get(Range=asked)
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(AUDIO)}")


async def test_a_range_of_another_file_gives_the_whole(api: Api) -> None:
    tag = (await api.get()).headers["etag"]
    assert (await api.get(Range="bytes=0-1", If_Range=tag)).status_code == 206
    assert (await api.get(Range="bytes=0-1", If_Range='"other"')).status_code == 200


async def refusal(api: Api, url: str) -> tuple[int, str]:
    answer = await api.get(url)
    return answer.status_code, answer.json()["error"]


async def test_a_link_that_was_changed_is_refused(api: Api) -> None:
    link = api.link()
    assert await refusal(api, link[:-1] + ("A" if link[-1] != "A" else "B")) == (
        403, "This link was not made here, or was changed.",
    )  # fmt: skip
    assert (await refusal(api, link.replace("rec-1", "rec-2")))[0] == 403
    for query in ("", "?expires=1", "?expires=x&signature=y", "?expires=-1&signature=y", "?signature=y"):
        assert await refusal(api, urlsplit(link).path + query) == (403, "This link is not complete.")


async def test_a_link_that_is_over_says_so(api: Api) -> None:
    link = api.link()
    api.clock.advance(600)
    status, sentence = await refusal(api, link)
    assert status == 410
    assert "expired" in sentence


async def test_what_there_is_not_is_not_found(api: Api) -> None:
    assert await refusal(api, api.link("nothing")) == (404, "There is no such recording.")
    for name in ("rec-1", "rec-1.ogg", "..maskline.db.wav", "a" * 65 + ".wav"):
        assert await refusal(api, f"/recordings/{name}?expires=1&signature=x") == (404, "There is no such recording.")
    await api.keep(recording("rec-2", call_id="call-2", format="wav"))
    assert await refusal(api, api.link("rec-2")) == (404, "This recording is not finished yet.")


async def test_what_was_deleted_or_changed_on_the_disk_is_gone(api: Api) -> None:
    await api.keep(recording("rec-2", call_id="call-2", format="wav", status=RecordingStatus.DELETED))
    assert await refusal(api, api.link("rec-2")) == (410, "This recording was deleted.")
    (api.plan.folder / "file").write_bytes(b"x")
    assert (await refusal(api, api.link()))[0] == 410


async def test_a_store_that_is_away_is_a_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from maskline.errors import StoreUnavailable

    async def away(_recording_id: str) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(api.store, "recording_of_link", away)
    assert (await refusal(api, api.link()))[0] == 503


async def test_the_link_holds_nothing_of_the_account(api: Api) -> None:
    one = replace(recording(), id="rec-1")
    assert one.account_id not in api.link()
    assert set(urlsplit(api.link()).query.replace("=", "&").split("&")) >= {"expires", "signature"}
