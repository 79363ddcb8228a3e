"""What the end of a session means for its calls: the one in progress goes on, a new one is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from maskline.lab.phone import Behaviour
from tests.support.rig import Rig, happened, opened_rig

pytestmark = pytest.mark.wire


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with opened_rig(tmp_path, MASKLINE_MEDIA="none") as made:
        yield made


@pytest.mark.row("6.1/expiry during a call", "6.1/no active session", "5/status", "3/SessionParamUpdate")
async def test_a_call_goes_on_after_its_session_ended_and_a_new_one_is_refused(rig: Rig) -> None:
    await rig.prepare(Behaviour.ANSWER)
    assert (await rig.rest("POST", rig.session_uuid, {"ring_timeout": 30}))[0] == 200
    (told,) = await rig.hooks("/plivo", 1)
    assert (told.values["EventName"], told.values["SequenceNumber"]) == ("SessionParamUpdate", "")
    rig.dial()
    assert await happened(rig.callee.answered)
    assert (await rig.rest("DELETE", rig.session_uuid))[0] == 200
    _, body = await rig.rest("GET", rig.session_uuid)
    assert body["response"]["status"] == "in-progress"

    assert not rig.caller.ended.is_set() and not rig.callee.ended.is_set()
    rig.caller.hang_up()
    assert await happened(rig.callee.ended)
    assert (await rig.summary())["sessionStatus"] == "COMPLETED"
    events = [hook.values["EventName"] for hook in (await rig.hooks("/plivo", 6))[1:]]
    assert sorted(events) == [
        "SessionFirstPartyAnswer", "SessionFirstPartyHangup", "SessionSecondPartyAnswer", "SessionSecondPartyHangup",
        "SessionSecondPartyRing",
    ]  # fmt: skip
    _, body = await rig.rest("GET", rig.session_uuid)
    assert (body["response"]["status"], body["response"]["total_call_count"]) == ("expired", 2)
    assert len(body["response"]["interaction"]) == 1

    await rig.prepare(Behaviour.ANSWER)
    rig.dial(rig.callee)
    assert await happened(rig.callee.ended)
    assert rig.callee.final_status == 404
    assert not rig.caller.ringing.is_set()
