"""A usage that is kept, and goes on in the agent of a later process."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from maskline.sip.agent import OutgoingInvite
from maskline.sip.digest import Credentials
from maskline.sip.events import ByeFinished, ByeReceived, RequestReceived, SessionExpired
from maskline.sip.flow import Flow
from maskline.sip.invite_usage import InviteUsage
from maskline.sip.kept_usage import CSEQ_JUMP, KeptSession, KeptUsage, keep_usage
from tests.support.sip_wire import PEER, SDP, Bench, read_request, request, response

OUTGOING = OutgoingInvite(PEER, "sip:b@192.0.2.7", "sip:vn@192.0.2.1", "sip:b@192.0.2.7", SDP, session_seconds=600)
ALLOW = "Allow: INVITE, ACK, BYE, UPDATE\r\n"


def called(bench: Bench, session: str = "", outgoing: OutgoingInvite = OUTGOING) -> InviteUsage:
    """A call of ours that is up."""
    usage = bench.agent.invite(outgoing, bench.now)
    (invite,) = bench.sent()
    bench.put(response(invite, 200, "b1", session + ALLOW, SDP))
    bench.agent.ack(usage, bench.now)
    bench.sent()
    bench.events()
    return usage


def kept(usage: InviteUsage) -> KeptUsage:
    found = keep_usage(usage)
    assert found is not None
    values = json.loads(json.dumps(found))
    session = None if values[5] is None else KeptSession(*values[5])
    return KeptUsage(*values[:2], Flow(*values[2]), *values[3:5], session, *values[6:])


def test_only_what_is_answered_and_not_ending_is_kept() -> None:
    bench = Bench()
    usage = bench.agent.invite(OUTGOING, bench.now)
    assert keep_usage(usage) is None
    bench.put(response(bench.sent()[0], 180, "b1"))
    assert keep_usage(usage) is None
    usage = called(bench)
    assert keep_usage(usage) is not None
    bench.agent.bye(usage, bench.now)
    assert keep_usage(usage) is None


def test_its_requests_are_beyond_those_of_before_and_theirs_are_heard() -> None:
    before, after = Bench(), Bench()
    usage = after.agent.restore(kept(called(before)), 3600.0, after.now)
    assert usage.dialog is not None
    after.agent.request(usage, "INFO", after.now)
    (info,) = after.sent()
    assert read_request(info).cseq == 1 + CSEQ_JUMP + 360 + 1
    after.put(response(info, 200))
    after.events()
    dialog = usage.dialog
    values = {"call_id": dialog.call_id, "from_tag": dialog.remote_tag, "to_tag": dialog.local_tag}
    after.put(request("INFO", cseq=7, branch="z9hG4bK-info", **values))  # type: ignore[arg-type]
    (heard,) = after.events()
    assert isinstance(heard, RequestReceived) and heard.usage is usage
    after.put(request("BYE", cseq=8, branch="z9hG4bK-bye", **values))  # type: ignore[arg-type]
    assert [type(event) for event in after.events()] == [ByeReceived]


def test_who_has_to_renew_does_so_soon() -> None:
    before, after = Bench(), Bench()
    usage = after.agent.restore(kept(called(before, "Session-Expires: 600;refresher=uac\r\n")), 1.0, after.now)
    assert after.pass_time(0.9) == []
    (update,) = after.pass_time(11.0)[:1]
    assert read_request(update).method == "UPDATE"
    after.put(response(update, 481))
    (expired,) = after.events()
    assert isinstance(expired, SessionExpired) and expired.usage is usage


def test_who_is_to_be_renewed_waits_a_whole_interval() -> None:
    before, after = Bench(), Bench()
    after.agent.restore(kept(called(before, "Session-Expires: 600;refresher=uas\r\n")), 1.0, after.now)
    assert after.pass_time(500.0) == [] and after.events() == []
    after.pass_time(100.0)
    assert [type(event) for event in after.events()] == [SessionExpired]


def test_a_challenge_inside_the_dialog_is_answered_for_the_realm_of_before() -> None:
    asked = 'WWW-Authenticate: Digest realm="r", nonce="n"\r\n'
    usage = called(Bench())
    assert usage.dialog is not None
    ours = Credentials("u", "p", places=(usage.dialog.hop,))
    for realm, answered in (("r", True), ("", False)):
        bench = Bench()
        again = bench.agent.restore(kept(usage)._replace(realm=realm), 0.0, bench.now, ours)
        bench.agent.bye(again, bench.now)
        (bye,) = bench.sent()
        assert (len(bench.put(response(bye, 401, headers=asked))) == 1) is answered
        assert [type(event) for event in bench.events()] == ([] if answered else [ByeFinished])


@pytest.mark.parametrize(("asked", "answered"), [("MD5", False), ("SHA-256", True), ("SHA-512-256", True)])
def test_who_asked_for_a_strong_proof_before_gets_no_weaker_one_after_a_restart(asked: str, answered: bool) -> None:
    """A callee whom the carrier lets talk to us directly could guess our password from an answer to MD5."""

    def challenge(algorithm: str) -> str:
        return f'WWW-Authenticate: Digest realm="r", nonce="n", algorithm={algorithm}\r\n'

    ours = Credentials("u", "p", places=(PEER,))
    before = Bench()
    usage = before.agent.invite(replace(OUTGOING, credentials=ours), before.now)
    (invite,) = before.sent()
    (_, again) = before.put(response(invite, 401, headers=challenge("SHA-256")))
    before.put(response(again, 200, "b1", ALLOW, SDP))
    before.agent.ack(usage, before.now)
    middle, after = Bench(), Bench()
    past = kept(middle.agent.restore(kept(usage), 0.0, middle.now, ours))  # two restarts without a challenge between
    revived = after.agent.restore(past, 0.0, after.now, ours)
    after.agent.bye(revived, after.now)
    (bye,) = after.sent()
    assert (len(after.put(response(bye, 401, headers=challenge(asked)))) == 1) is answered
