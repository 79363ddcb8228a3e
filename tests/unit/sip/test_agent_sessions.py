"""Session timers of an agent, in both roles and for both ends (RFC 4028)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.sip.agent import OutgoingInvite
from maskline.sip.agent_client import MAX_TRIES
from maskline.sip.agent_glare import MAX_ASKED
from maskline.sip.events import InviteFailed, RequestFinished, RequestReceived, SessionDescribed, SessionExpired
from maskline.sip.invite_usage import InviteUsage
from maskline.sip.message import Request, Response
from maskline.sip.parser import parse
from tests.support.sip_wire import PEER, SDP, Bench, read_request, request, response

ALLOW = "Allow: INVITE, ACK, BYE, UPDATE\r\n"
OUTGOING = OutgoingInvite(PEER, "sip:b@192.0.2.7", "sip:vn@192.0.2.1", "sip:b@192.0.2.7", SDP, session_seconds=600)


def words(sent: list[bytes]) -> list[str]:
    found = [parse(data) for data in sent]
    return [message.method if isinstance(message, Request) else str(message.status) for message in found]


def asking(bench: Bench, outgoing: OutgoingInvite = OUTGOING) -> tuple[InviteUsage, bytes]:
    usage = bench.agent.invite(outgoing, bench.now)
    return usage, bench.sent()[0]


def agreed(bench: Bench, session: str, headers: str = ALLOW) -> InviteUsage:
    """A call of ours that is up; the 200 says this of the session."""
    usage, invite = asking(bench)
    line = f"Session-Expires: {session}\r\n" if session else ""
    bench.put(response(invite, 200, "b1", line + headers, SDP))
    bench.agent.ack(usage, bench.now)
    bench.sent()
    bench.events()
    return usage


def renewed(sent: bytes, session: str = "600;refresher=uac", headers: str = "", body: bytes = b"") -> bytes:
    return response(sent, 200, headers=f"Session-Expires: {session}\r\n{headers}", body=body)


# ---- we asked


def test_an_invite_asks_and_says_what_it_lets_pass() -> None:
    _, invite = asking(Bench())
    message = read_request(invite)
    assert (message.header("session-expires"), message.header("min-se")) == ("600", "90")
    assert message.header("supported") == "timer"


@pytest.mark.parametrize("session", ["", "x"])
def test_no_answer_to_it_means_no_timer(session: str) -> None:
    bench = Bench()
    usage = agreed(bench, session)
    assert usage.session is None
    assert bench.pass_time(4000) == []
    assert bench.kinds() == []


def test_we_renew_at_half_of_the_interval_by_update_for_hours() -> None:
    bench = Bench()
    agreed(bench, "600;refresher=uac")
    at = []
    while bench.now < 6 * 3600:
        for data in bench.pass_time(1.0):
            at.append(bench.now)
            message = read_request(data)
            assert (message.method, message.body) == ("UPDATE", b"")
            assert message.header("session-expires") == "600;refresher=uac"
            bench.put(renewed(data))
    assert at == [300.0 * turn for turn in range(1, 73)]
    assert bench.kinds() == []


def test_a_peer_that_knows_no_update_gets_a_re_invite_with_our_last_sdp() -> None:
    bench = Bench()
    usage = agreed(bench, "600;refresher=uac", headers="")
    (data,) = bench.pass_time(300)
    assert (read_request(data).method, read_request(data).body) == ("INVITE", SDP)
    assert words(bench.put(renewed(data, body=SDP))) == ["ACK"]
    assert bench.kinds() == []
    # An answer of ours in between is what we said last.
    bench.put(request("INVITE", branch="re", cseq=1, to_tag=usage.id, from_tag="b1", body=SDP, call_id=call_id(usage)))
    (event,) = bench.events()
    assert isinstance(event, RequestReceived)
    bench.agent.respond(event.key, 200, bench.now, SDP + b"a=x\r\n")
    bench.put(request("ACK", branch="a", cseq=1, to_tag=usage.id, from_tag="b1", call_id=call_id(usage)))
    bench.events()
    (data,) = bench.pass_time(300)
    assert read_request(data).body == SDP + b"a=x\r\n"


MOVED = SDP.replace(b"4000", b"4010")


def renewal(bench: Bench) -> bytes:
    (sent,) = bench.pass_time(300)
    assert read_request(sent).method == "INVITE"
    return sent


def test_a_peer_that_moves_when_we_renew_is_told_of_once() -> None:
    bench = Bench()
    usage = agreed(bench, "600;refresher=uac", headers="")
    for body, told in ((SDP, []), (MOVED, [SessionDescribed(usage, MOVED)]), (MOVED, []), (b"", []), (MOVED, [])):
        assert words(bench.put(renewed(renewal(bench), body=body))) == ["ACK"]
        assert bench.events() == told
    bench.put(renewed(renewal(bench), body=SDP))
    assert bench.events() == [SessionDescribed(usage, SDP)]


def test_what_the_peer_said_last_may_be_an_offer_an_answer_to_ours_or_an_ack() -> None:
    bench = Bench()
    usage = agreed(bench, "600;refresher=uac", headers="")
    bench.put(inside(usage, "INVITE", 1, MOVED))
    (event,) = bench.events()
    assert isinstance(event, RequestReceived)
    bench.agent.respond(event.key, 200, bench.now, SDP)
    bench.put(inside(usage, "ACK", 1))
    bench.events()
    bench.put(renewed(renewal(bench), body=MOVED))
    assert bench.kinds() == []
    bench.agent.request(usage, "INVITE", bench.now, SDP, "application/sdp")
    bench.put(response(bench.sent()[-1], 200, body=SDP))
    bench.events()
    bench.put(renewed(renewal(bench), body=SDP))
    assert bench.kinds() == []
    bench.put(inside(usage, "INVITE", 2))
    (event,) = bench.events()
    assert isinstance(event, RequestReceived)
    bench.agent.respond(event.key, 200, bench.now, SDP)
    bench.put(inside(usage, "ACK", 2, MOVED))
    bench.events()
    bench.put(renewed(renewal(bench), body=MOVED))
    assert bench.kinds() == []
    # What we refused does not count.
    bench.put(inside(usage, "INVITE", 3, SDP))
    (event,) = bench.events()
    assert isinstance(event, RequestReceived)
    bench.agent.respond(event.key, 488, bench.now)
    bench.put(inside(usage, "ACK", 3))
    bench.put(renewed(renewal(bench), body=MOVED))
    assert bench.kinds() == []


def test_an_offer_of_ours_is_what_we_said_last_whatever_its_answer_says_of_the_timer() -> None:
    bench = Bench()
    usage = agreed(bench, "600;refresher=uac", headers="")
    bench.agent.request(usage, "INVITE", bench.now, SDP + b"a=x\r\n", "application/sdp")
    bench.put(response(bench.sent()[-1], 200, body=SDP))
    assert read_request(renewal(bench)).body == SDP + b"a=x\r\n"


def test_what_was_said_before_the_answer_may_not_be_the_last_of_it() -> None:
    bench = Bench()
    usage, invite = asking(bench)
    reliable = "Require: 100rel\r\nRSeq: 1\r\n"
    (prack,) = bench.put(response(invite, 183, "b1", reliable, MOVED))
    bench.put(response(prack, 200))
    bench.put(response(invite, 200, "b1", "Session-Expires: 600;refresher=uac\r\n", SDP))
    bench.agent.ack(usage, bench.now)
    bench.sent()
    bench.events()
    bench.put(renewed(renewal(bench), body=SDP))
    assert bench.events() == [SessionDescribed(usage, SDP)]
    bench.put(renewed(renewal(bench), body=SDP))
    assert bench.events() == []


def inside(usage: InviteUsage, method: str, cseq: int, body: bytes = b"") -> bytes:
    """A request of the peer's; the ACK of a refusal has the branch of its INVITE."""
    return request(
        method, branch=f"r{cseq}", cseq=cseq, to_tag=usage.id, from_tag="b1", body=body, call_id=call_id(usage)
    )


def call_id(usage: InviteUsage) -> str:
    assert usage.dialog is not None
    return usage.dialog.call_id


def test_a_refused_update_turns_into_a_re_invite() -> None:
    bench = Bench()
    agreed(bench, "600;refresher=uac")
    (update,) = bench.pass_time(300)
    bench.put(response(update, 501))
    (invite,) = bench.pass_time(0)
    assert words([invite]) == ["INVITE"]
    bench.put(renewed(invite, headers=ALLOW, body=SDP))
    assert words(bench.pass_time(300)) == ["UPDATE"]


def test_without_any_sdp_to_repeat_it_is_an_update() -> None:
    bench = Bench()
    usage, invite = asking(bench, replace(OUTGOING, body=b""))
    bench.put(response(invite, 200, "b1", "Session-Expires: 600;refresher=uac\r\n", SDP))
    assert usage.session is not None
    usage.session.sdp = b""
    bench.agent.ack(usage, bench.now)
    bench.sent()
    assert words(bench.pass_time(300))[-1] == "UPDATE"


def test_the_answer_in_our_ack_is_what_we_said_last() -> None:
    bench = Bench()
    usage, invite = asking(bench, replace(OUTGOING, body=b""))
    bench.put(response(invite, 200, "b1", "Session-Expires: 600;refresher=uac\r\n", SDP))
    bench.agent.ack(usage, bench.now, SDP)
    bench.sent()
    (renewal,) = bench.pass_time(300)
    assert read_request(renewal).body == SDP


@pytest.mark.parametrize("status", [481, 408])
def test_a_peer_that_forgot_the_call_ends_it(status: int) -> None:
    bench = Bench()
    usage = agreed(bench, "600;refresher=uac")
    (update,) = bench.pass_time(300)
    bench.put(response(update, status))
    assert bench.events() == [SessionExpired(usage)]
    assert bench.pass_time(4000) == []
    assert bench.events() == []


def test_silence_to_a_renewal_ends_it_too() -> None:
    bench = Bench()
    usage = agreed(bench, "600;refresher=uac")
    bench.pass_time(333)
    assert bench.events() == [SessionExpired(usage)]


def test_other_refusals_are_tried_again_until_the_time_is_over() -> None:
    bench = Bench()
    usage = agreed(bench, "600;refresher=uac")
    tries = 0
    while not (events := bench.events()):
        for data in bench.pass_time(1.0):
            tries += 1
            bench.put(response(data, 500))
    assert events == [SessionExpired(usage)]
    assert bench.now == 568.0
    assert 2 < tries < 20


def test_a_renewal_that_crosses_waits_as_any_offer() -> None:
    bench = Bench()
    agreed(bench, "600;refresher=uac")
    (update,) = bench.pass_time(300)
    bench.put(response(update, 491))
    assert bench.pass_time(2.0) == []
    assert words(bench.pass_time(2.0))[:1] == ["UPDATE"]


def test_a_longer_interval_is_asked_for_once_the_peer_demands_it() -> None:
    bench = Bench()
    agreed(bench, "600;refresher=uac")
    (update,) = bench.pass_time(300)
    bench.put(response(update, 422, headers="Min-SE: 1200\r\n"))
    (again,) = bench.pass_time(0)
    assert read_request(again).header("session-expires") == "1200;refresher=uac"
    assert read_request(again).header("min-se") == "1200"
    bench.put(response(again, 422, headers="Min-SE: 1200\r\n"))
    assert bench.pass_time(10) == []


def test_offers_of_ours_renew_and_put_the_renewal_off() -> None:
    bench = Bench()
    usage = agreed(bench, "600;refresher=uac")
    bench.pass_time(299)
    bench.agent.request(usage, "UPDATE", bench.now, SDP)
    (update,) = bench.sent()
    assert read_request(update).header("session-expires") == "600;refresher=uac"
    assert bench.pass_time(0.9) == [update]
    bench.pass_time(2)
    bench.put(renewed(update, body=SDP))
    assert bench.kinds() == ["RequestFinished"]
    assert bench.pass_time(290) == []
    assert words(bench.pass_time(10)) == ["UPDATE"]


def test_an_offer_waits_for_a_renewal_of_the_same_method() -> None:
    bench = Bench()
    usage = agreed(bench, "600;refresher=uac")
    (update,) = bench.pass_time(300)
    bench.agent.request(usage, "UPDATE", bench.now, SDP)
    assert bench.sent() == []
    bench.put(renewed(update))
    (offer,) = bench.pass_time(4.1)[:1]
    assert read_request(offer).body == SDP
    assert bench.put(response(offer, 488)) == []
    assert bench.kinds() == ["RequestFinished"]


def test_an_update_of_our_users_without_sdp_renews_too() -> None:
    bench = Bench()
    usage = agreed(bench, "600;refresher=uac")
    bench.agent.request(usage, "UPDATE", bench.now)
    (update,) = bench.sent()
    assert read_request(update).header("session-expires") == "600;refresher=uac"
    bench.put(response(update, 200))
    assert bench.kinds() == ["RequestFinished"]
    assert usage.session is not None


@pytest.mark.parametrize(("session", "kept"), [("600;refresher=uac", True), ("600;refresher=uas", False)])
def test_a_peer_that_drops_the_timer_is_free_of_it_unless_we_renew(session: str, kept: bool) -> None:
    bench = Bench()
    usage = agreed(bench, session)
    bench.agent.request(usage, "UPDATE", bench.now)
    bench.put(response(bench.sent()[0], 200))
    assert (usage.session is not None) is kept


def test_they_renew_or_the_session_is_over() -> None:
    bench = Bench()
    usage = agreed(bench, "600;refresher=uas")
    for turn in range(3):
        bench.pass_time(500)
        headers = "Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n"
        names = {"to_tag": usage.id, "from_tag": "b1", "call_id": call_id(usage)}
        bench.put(request("UPDATE", branch=f"u{turn}", cseq=turn, headers=headers, **names))
        (event,) = bench.events()
        assert isinstance(event, RequestReceived)
        bench.agent.respond(event.key, 200, bench.now)
        (ok,) = bench.sent()
        assert parse(ok).header("session-expires") == "600;refresher=uac"
        assert parse(ok).header("require") == "timer"
    bench.pass_time(567)
    assert bench.kinds() == []
    bench.pass_time(2)
    assert bench.events() == [SessionExpired(usage)]
    bench.agent.bye(usage, bench.now)
    assert words(bench.sent()) == ["BYE"]


def test_a_session_that_ends_takes_its_timers_along() -> None:
    bench = Bench()
    usage = agreed(bench, "600;refresher=uac")
    bench.agent.bye(usage, bench.now)
    (bye,) = bench.sent()
    bench.put(response(bye, 200))
    bench.pass_time(40)
    assert bench.kinds() == ["ByeFinished"]
    assert not any(bench.agent.sizes().values())


def test_an_answer_to_a_renewal_that_comes_behind_the_end_is_nothing() -> None:
    bench = Bench()
    usage = agreed(bench, "90;refresher=uac")
    (update,) = bench.pass_time(45)
    bench.pass_time(15)
    assert bench.events() == [SessionExpired(usage)]
    bench.put(renewed(update))
    assert bench.events() == []
    assert bench.pass_time(200) == []


def test_a_session_that_lapses_behind_our_bye_says_nothing() -> None:
    bench = Bench()
    usage = agreed(bench, "90;refresher=uas")
    bench.pass_time(55)
    bench.agent.bye(usage, bench.now)
    bench.pass_time(10)
    assert bench.kinds() == []


def test_a_renewal_does_not_overtake_our_bye() -> None:
    bench = Bench()
    usage = agreed(bench, "90;refresher=uac")
    bench.pass_time(44)
    bench.agent.bye(usage, bench.now)
    assert set(words(bench.pass_time(3))) == {"BYE"}


# ---- §7.4: 422 to the INVITE


def test_an_invite_is_sent_once_more_with_the_interval_a_422_demands() -> None:
    bench = Bench()
    usage, invite = asking(bench)
    bench.put(response(invite, 180, "b1"))
    bench.events()
    ack, again = bench.put(response(invite, 422, "b1", "Min-SE: 1200\r\n"))
    first, second = read_request(invite), read_request(again)
    assert words([ack]) == ["ACK"]
    assert (second.call_id, second.from_tag, second.cseq) == (first.call_id, first.from_tag, 2)
    assert (second.header("session-expires"), second.header("min-se")) == ("1200", "1200")
    assert second.via.branch != first.via.branch
    assert usage.dialog is None
    assert bench.kinds() == []


def test_each_proxy_on_the_way_may_demand_another_interval() -> None:
    """As in the example of RFC 4028 §13: the first one wants an hour, the next one more than that."""
    bench = Bench()
    usage, invite = asking(bench)
    again = bench.put(response(invite, 422, "b1", "Min-SE: 3600\r\n"))[-1]
    third = bench.put(response(again, 422, "b2", "Min-SE: 4000\r\n"))[-1]
    asked = read_request(third)
    assert (asked.header("session-expires"), asked.header("min-se"), asked.cseq) == ("4000", "4000", 3)
    assert bench.kinds() == []
    bench.put(response(third, 200, "b3", "Session-Expires: 4000;refresher=uac\r\n" + ALLOW, SDP))
    bench.agent.ack(usage, bench.now)
    bench.sent()
    (update, *_) = bench.pass_time(2001)
    renewal = read_request(update)
    assert (renewal.header("session-expires"), renewal.header("min-se")) == ("4000;refresher=uac", "4000")


def test_a_peer_that_demands_more_each_time_is_left() -> None:
    bench = Bench()
    _, invite = asking(bench)
    seconds, tries = 600, 0
    while not (events := bench.events()):
        tries, seconds = tries + 1, seconds + 1
        invite = bench.put(response(invite, 422, "b1", f"Min-SE: {seconds}\r\n"))[-1]
    (event,) = events
    assert isinstance(event, InviteFailed) and event.status == 422
    assert tries == MAX_TRIES


@pytest.mark.parametrize(
    ("seconds", "min_se"), [(600, "Min-SE: 300\r\n"), (600, ""), (600, "Min-SE: 99999999\r\n"), (0, "Min-SE: 1200\r\n")]
)
def test_a_422_that_makes_no_sense_is_a_failure(seconds: int, min_se: str) -> None:
    bench = Bench()
    _, invite = asking(bench, replace(OUTGOING, session_seconds=seconds))
    bench.put(response(invite, 422, "b1", min_se))
    assert bench.kinds() == ["InviteFailed"]


def test_a_422_after_cancel_is_the_end() -> None:
    bench = Bench()
    usage, invite = asking(bench)
    bench.agent.cancel(usage, bench.now)
    bench.put(response(invite, 422, "b1", "Min-SE: 1200\r\n"))
    assert bench.kinds() == ["InviteFailed"]


# ---- §7.4: 422 to an offer of our user's inside the call


def too_small(bench: Bench, sent: bytes, seconds: object) -> list[bytes]:
    return bench.put(response(sent, 422, headers=f"Min-SE: {seconds}\r\n"))


def offering(bench: Bench, usage: InviteUsage, method: str = "INVITE", body: bytes = SDP) -> bytes:
    bench.agent.request(usage, method, bench.now, body, headers=(("X-Why", "hold"),))
    (sent,) = bench.sent()
    return sent


@pytest.mark.parametrize("refresher", ["uac", "uas"])
@pytest.mark.parametrize(("method", "body"), [("INVITE", SDP), ("INVITE", b""), ("UPDATE", SDP)])
def test_an_offer_is_sent_once_more_with_the_interval_a_422_demands(method: str, body: bytes, refresher: str) -> None:
    bench = Bench()
    usage = agreed(bench, f"600;refresher={refresher}")
    sent = offering(bench, usage, method, body)
    *acks, again = too_small(bench, sent, 1200)
    first, second = read_request(sent), read_request(again)
    assert words(acks) == (["ACK"] if method == "INVITE" else [])
    assert bench.kinds() == []
    assert (second.method, second.body, second.header("x-why")) == (method, body, "hold")
    assert (second.cseq, second.header("content-type")) == (first.cseq + 1, first.header("content-type"))
    assert second.via.branch != first.via.branch
    assert (second.header("session-expires"), second.header("min-se")) == (f"1200;refresher={refresher}", "1200")
    bench.put(renewed(again, f"1200;refresher={refresher}", ALLOW, MOVED))
    (event,) = bench.events()
    assert isinstance(event, RequestFinished) and event.response is not None
    assert (event.status, event.response.body, usage.offer, usage.pending) == (200, MOVED, None, None)
    bench.agent.ack(usage, bench.now, b"" if body else SDP)
    bench.sent()
    # What was agreed is kept to, and said again.
    renewals = bench.pass_time(605)
    assert words(renewals)[:1] == (["UPDATE"] if refresher == "uac" else [])
    assert all(read_request(data).header("min-se") == "1200" for data in renewals)


@pytest.mark.parametrize("min_se", ["600", "90", "x", "99999999", ""])
def test_a_422_to_an_offer_that_makes_no_sense_is_told(min_se: str) -> None:
    bench = Bench()
    usage = agreed(bench, "600;refresher=uac")
    assert words(too_small(bench, offering(bench, usage), min_se)) == ["ACK"]
    (event,) = bench.events()
    assert isinstance(event, RequestFinished)
    assert (event.status, usage.offer, usage.pending) == (422, None, None)
    assert usage.session is not None and usage.session.terms.seconds == 600


def test_a_422_to_an_offer_that_said_nothing_of_a_timer_is_told() -> None:
    bench = Bench()
    usage = agreed(bench, "")
    assert words(too_small(bench, offering(bench, usage), 1200)) == ["ACK"]
    assert bench.kinds() == ["RequestFinished"]


def test_a_422_to_an_offer_sent_before_there_was_a_timer_is_told() -> None:
    bench = Bench()
    usage = agreed(bench, "", ALLOW)
    sent = offering(bench, usage)
    headers = "Supported: timer\r\nSession-Expires: 600\r\n"
    names = {"to_tag": usage.id, "from_tag": "b1", "call_id": call_id(usage)}
    bench.put(request("UPDATE", branch="u", headers=headers, **names))
    (event,) = bench.events()
    assert isinstance(event, RequestReceived)
    bench.agent.respond(event.key, 200, bench.now)
    bench.sent()
    assert usage.session is not None
    assert words(too_small(bench, sent, 1200)) == ["ACK"]
    assert bench.kinds() == ["RequestFinished"]


def test_an_offer_asks_for_more_as_often_as_proxies_on_the_way_demand_it_but_not_for_ever() -> None:
    bench = Bench()
    usage = agreed(bench, "600;refresher=uac")
    sent, seconds = offering(bench, usage), 600
    while not (events := bench.events()):
        seconds += 1
        *_, sent = too_small(bench, sent, seconds)
    (event,) = events
    assert isinstance(event, RequestFinished) and event.status == 422
    assert seconds == 601 + MAX_ASKED
    assert usage.offer is None


def test_a_422_that_crosses_one_to_a_renewal_demands_no_less() -> None:
    """Both were asked for ten minutes: that the first answer was heeded does not make the second one wrong."""
    bench = Bench()
    usage = agreed(bench, "600;refresher=uac")
    (update,) = bench.pass_time(300)
    sent = offering(bench, usage)
    assert too_small(bench, update, 1800) == []
    *_, again = too_small(bench, sent, 1200)
    assert (read_request(again).header("session-expires"), read_request(again).header("min-se")) == (
        "1800;refresher=uac", "1800",
    )  # fmt: skip
    assert bench.kinds() == []


def test_a_422_and_a_491_may_follow_each_other() -> None:
    bench = Bench()
    usage = agreed(bench, "600;refresher=uac")
    *_, again = too_small(bench, offering(bench, usage), 1200)
    assert words(bench.put(response(again, 491))) == ["ACK"]
    (third, *_) = bench.pass_time(4.1)
    assert read_request(third).header("session-expires") == "1200;refresher=uac"
    *_, fourth = too_small(bench, third, 1300)
    assert read_request(fourth).cseq == read_request(third).cseq + 1
    bench.put(response(fourth, 488))
    (event,) = bench.events()
    assert isinstance(event, RequestFinished) and event.status == 488


def test_a_422_behind_our_bye_is_the_last_answer() -> None:
    bench = Bench()
    usage = agreed(bench, "600;refresher=uac")
    sent = offering(bench, usage)
    bench.agent.bye(usage, bench.now)
    bench.sent()
    assert words(too_small(bench, sent, 1200)) == ["ACK"]
    assert bench.kinds() == ["RequestFinished"]


def test_a_422_behind_their_bye_is_nothing() -> None:
    bench = Bench()
    usage = agreed(bench, "600;refresher=uac")
    sent = offering(bench, usage)
    bench.put(inside(usage, "BYE", 1))
    assert bench.kinds() == ["ByeReceived"]
    assert words(too_small(bench, sent, 1200)) == ["ACK"]
    (event,) = bench.events()
    assert isinstance(event, RequestFinished) and event.usage is None
    bench.pass_time(40)
    assert not any(bench.agent.sizes().values())


# ---- they called


@pytest.mark.parametrize(("said", "repeated"), [("", "90"), ("Min-SE: 600\r\n", "600"), ("Min-SE: 601\r\n", "600")])
def test_our_renewals_say_the_least_that_the_peer_would_have(said: str, repeated: str) -> None:
    bench = Bench()
    usage = bench.invited(headers=f"Supported: timer\r\nSession-Expires: 600;refresher=uas\r\n{said}{ALLOW}")
    bench.agent.answer(usage, bench.now, SDP)
    bench.put(request("ACK", branch="ack", to_tag=usage.id))
    bench.events()
    (update, *_) = bench.pass_time(301)
    assert read_request(update).header("min-se") == repeated
    assert read_request(update).header("session-expires") == "600;refresher=uac"


@pytest.mark.parametrize(
    ("headers", "ours", "said", "renews"),
    [
        ("", 1800, None, False),
        ("Supported: timer\r\n", 0, None, False),
        ("Supported: timer\r\n", 1800, "1800;refresher=uas", True),
        ("Supported: timer\r\nSession-Expires: 600\r\n", 1800, "600;refresher=uac", False),
        ("Session-Expires: 600\r\n", 0, "600;refresher=uas", True),
    ],
)
def test_our_200_says_what_was_agreed(headers: str, ours: int, said: str | None, renews: bool) -> None:
    bench = Bench()
    usage = bench.invited(headers=headers + ALLOW)
    bench.agent.answer(usage, bench.now, SDP, session_seconds=ours)
    (ok,) = bench.sent()
    assert parse(ok).header("session-expires") == said
    bench.put(request("ACK", branch="ack", to_tag=usage.id))
    sent = bench.pass_time(910)
    assert ("UPDATE" in words(sent)) is renews
    assert (usage.session is None) is (said is None)


@pytest.mark.parametrize(("session", "status"), [("60", 422), ("x", 400), ("90", None), ("60;refresher=uac", 422)])
def test_too_brief_an_interval_is_refused(session: str, status: int | None) -> None:
    bench = Bench()
    data = request("INVITE", branch="a", headers=f"Supported: timer\r\nSession-Expires: {session}\r\n", body=SDP)
    (answer,) = bench.put(data)
    message = parse(answer)
    assert isinstance(message, Response)
    assert message.status == (status or 100)
    assert message.header("min-se") == ("90" if status == 422 else None)


def test_too_brief_a_renewal_is_refused_and_renews_nothing() -> None:
    bench = Bench()
    usage = bench.answered()
    headers = "Supported: timer\r\nSession-Expires: 60\r\n"
    assert bench.statuses(request("UPDATE", branch="u", cseq=2, to_tag=usage.id, headers=headers)) == [422]
    assert bench.events() == []


def test_a_timer_may_begin_inside_the_call_and_end_there() -> None:
    bench = Bench()
    usage = bench.answered()
    headers = "Supported: timer\r\nSession-Expires: 600\r\n"
    for cseq, lines, runs in ((2, headers, True), (3, "", False)):
        bench.put(request("UPDATE", branch=f"u{cseq}", cseq=cseq, to_tag=usage.id, headers=lines))
        (event,) = bench.events()
        assert isinstance(event, RequestReceived)
        bench.agent.respond(event.key, 200, bench.now)
        bench.sent()
        assert (usage.session is not None) is runs
    assert bench.pass_time(4000) == []
    assert bench.kinds() == []


def test_a_renewal_waits_while_their_offer_is_open() -> None:
    bench = Bench()
    usage = bench.invited(headers="Supported: timer\r\n" + ALLOW)
    bench.agent.answer(usage, bench.now, SDP, session_seconds=600)
    bench.put(request("ACK", branch="ack", to_tag=usage.id))
    bench.pass_time(299)
    bench.put(request("UPDATE", branch="u", cseq=2, to_tag=usage.id, body=SDP))
    assert bench.pass_time(3) == []
    event = bench.events()[-1]
    assert isinstance(event, RequestReceived)
    bench.agent.respond(event.key, 488, bench.now)
    assert words(bench.sent()) == ["488"]
    assert words(bench.pass_time(4))[:1] == ["UPDATE"]
