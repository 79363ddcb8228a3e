"""Reliable provisional responses, RFC 3262 section by section."""

from __future__ import annotations

import re

import pytest

from maskline.sip.events import (
    AckMissing,
    ByeFinished,
    ByeReceived,
    InviteAcked,
    InviteAnswered,
    InviteProgress,
    ProgressAcked,
    RequestReceived,
)
from maskline.sip.invite_usage import InviteUsage
from maskline.sip.message import Request, Response
from maskline.sip.parser import parse
from tests.support.sip_wire import PEER, SDP, Bench, read_request, request, response

REQUIRED = "Require: 100rel\r\n"


def first_lines(sent: list[bytes]) -> list[str]:
    """Method or status of each message."""
    found = [parse(data) for data in sent]
    return [message.method if isinstance(message, Request) else str(message.status) for message in found]


def rseq(data: bytes) -> int:
    assert parse(data).header("require") == "100rel"
    return int(parse(data).header("rseq") or 0)


def prack(usage: InviteUsage, number: int, *, cseq: int = 2, body: bytes = b"", rack: str = "", **values: str) -> bytes:
    headers = f"RAck: {rack or f'{number} 1 INVITE'}\r\n"
    branch = f"pr{cseq}{number}"
    return request("PRACK", branch=branch, cseq=cseq, to_tag=usage.id, headers=headers, body=body, **values)


def ringing(bench: Bench, status: int = 180, body: bytes = b"", *, offer: bytes = SDP) -> tuple[InviteUsage, bytes]:
    """An INVITE of theirs that requires 100rel, and our 18x."""
    bench.put(request("INVITE", branch="inv", body=offer, headers=REQUIRED))
    usage: InviteUsage = bench.events()[0].usage  # type: ignore[union-attr, assignment]
    bench.agent.progress(usage, status, bench.now, body)
    (data,) = bench.sent()
    return usage, data


# ---- §3: we answer


@pytest.mark.parametrize(
    ("headers", "wanted", "reliable"),
    [("", False, False), ("", True, False), ("Supported: timer\r\n", True, False),
     ("Supported: 100rel\r\n", False, False), ("Supported: timer, 100Rel\r\n", True, True), (REQUIRED, False, True),
     (REQUIRED, True, True), ("Require: timer\r\n", False, False)],
)  # fmt: skip
def test_an_18x_is_reliable_when_the_caller_demands_it_or_allows_what_we_want(
    headers: str, wanted: bool, reliable: bool
) -> None:
    bench = Bench()
    usage = bench.invited(headers=headers)
    bench.agent.progress(usage, 180, bench.now, reliable=wanted)
    (data,) = bench.sent()
    assert (parse(data).header("rseq") is not None) is reliable
    assert (parse(data).header("require") == "100rel") is reliable


def test_it_is_repeated_with_doubled_intervals_until_its_prack() -> None:
    bench = Bench()
    usage, data = ringing(bench)
    assert 1 <= rseq(data) < 2**31
    times = []
    while bench.now < 9:
        before = bench.now
        times += [bench.now for sent in bench.pass_time(0.25) if sent == data]
        assert bench.now > before
    assert times == [0.5, 1.5, 3.5, 7.5]
    assert first_lines(bench.put(prack(usage, rseq(data)))) == ["200"]
    assert bench.pass_time(30) == []
    assert bench.kinds() == []


def test_a_lost_answer_to_the_prack_is_given_again() -> None:
    bench = Bench()
    usage, data = ringing(bench)
    answer = bench.put(prack(usage, rseq(data)))
    assert bench.put(prack(usage, rseq(data))) == answer


@pytest.mark.parametrize(
    ("rack", "status"),
    [("{0} 1 INVITE", 200), ("{1} 1 INVITE", 481), ("{0} 2 INVITE", 481), ("{0} 1 UPDATE", 481), ("{0} 1", 400),
     ("x 1 INVITE", 400), (" ", 400)],
)  # fmt: skip
def test_a_prack_must_name_the_18x(rack: str, status: int) -> None:
    bench = Bench()
    usage, data = ringing(bench)
    assert bench.statuses(prack(usage, 0, rack=rack.format(rseq(data), rseq(data) + 1))) == [status]


def test_a_prack_for_nothing_reliable_gets_481() -> None:
    bench = Bench()
    usage = bench.invited()
    assert bench.statuses(prack(usage, 1)) == [481]
    answered = Bench()
    assert answered.statuses(prack(answered.answered(), 1)) == [481]


def test_one_at_a_time_and_ringing_that_piles_up_is_dropped() -> None:
    bench = Bench()
    usage, data = ringing(bench)
    for status in (183, 180, 182, 181, 180, 180):
        bench.agent.progress(usage, status, bench.now)
    assert bench.sent() == []
    seen = []
    for turn in range(4):
        _, data = (*bench.put(prack(usage, rseq(data), cseq=2 + turn)),)
        seen.append(parse(data).status)  # type: ignore[union-attr]
    assert seen == [183, 180, 182, 181]
    assert first_lines(bench.put(prack(usage, rseq(data), cseq=9))) == ["200"]


def test_each_has_a_number_one_higher() -> None:
    bench = Bench()
    usage, first = ringing(bench)
    bench.put(prack(usage, rseq(first)))
    bench.agent.progress(usage, 183, bench.now, SDP)
    (second,) = bench.sent()
    assert rseq(second) == rseq(first) + 1
    assert bench.statuses(prack(usage, rseq(first), cseq=3)) == [481]


def test_without_a_prack_its_user_hears_of_it_and_refuses_with_504() -> None:
    bench = Bench()
    usage, data = ringing(bench)
    bench.pass_time(33)
    assert bench.events() == [AckMissing(usage)]
    assert bench.statuses(prack(usage, rseq(data))) == [481]
    bench.agent.bye(usage, bench.now)
    assert first_lines(bench.sent()) == ["504"]
    assert bench.kinds() == []


def test_the_200_waits_for_the_prack_of_an_18x_with_sdp_and_has_none_itself() -> None:
    bench = Bench()
    usage, data = ringing(bench, 183, SDP)
    bench.agent.answer(usage, bench.now, SDP)
    assert bench.sent() == []
    assert first_lines(answers := bench.put(prack(usage, rseq(data)))) == ["200", "200"]
    assert parse(answers[1]).cseq_method == "INVITE"
    assert parse(answers[1]).body == b""
    bench.put(request("ACK", branch="ack", to_tag=usage.id))
    assert bench.kinds() == ["InviteAcked"]


@pytest.mark.parametrize("late", [False, True])
def test_after_offer_and_answer_no_18x_has_sdp(late: bool) -> None:
    """RFC 3261 §13.2.1: no offers in any responses to the initial INVITE then, and SDP would be one. A callee behind us
    that sends 183 and 180 with SDP is usual."""
    bench = Bench()
    usage, first = ringing(bench, 183, SDP, offer=b"" if late else SDP)
    bench.agent.progress(usage, 180, bench.now, SDP)
    _, second = bench.put(prack(usage, rseq(first), body=SDP if late else b""))
    assert (first_lines([second]), parse(second).body) == (["180"], b"")
    bench.events()
    bench.agent.progress(usage, 183, bench.now, SDP)
    _, third = bench.put(prack(usage, rseq(second), cseq=3))
    assert (first_lines([third]), parse(third).body) == (["183"], b"")
    bench.agent.answer(usage, bench.now, SDP)
    assert first_lines(bench.sent()) == ["200"], "it waits for no PRACK of an 18x without SDP"


def test_the_200_does_not_wait_for_an_18x_without_sdp_whose_prack_is_still_welcome() -> None:
    bench = Bench()
    usage, data = ringing(bench)
    bench.agent.progress(usage, 180, bench.now)
    bench.agent.answer(usage, bench.now, SDP)
    (ok,) = bench.sent()
    assert parse(ok).body == SDP
    assert bench.statuses(prack(usage, rseq(data))) == [200]
    bench.put(request("ACK", branch="ack", to_tag=usage.id))
    assert bench.pass_time(60) == []


def test_who_hangs_up_a_held_answer_refuses_the_invite() -> None:
    bench = Bench()
    usage, _ = ringing(bench, 183, SDP)
    bench.agent.answer(usage, bench.now, SDP)
    bench.agent.bye(usage, bench.now)
    assert first_lines(bench.sent()) == ["480"]
    assert bench.events() == [ByeFinished(usage, 200)]
    assert "1xx" not in str(bench.agent.sizes())
    bench.pass_time(40)
    assert not any(bench.agent.sizes().values())


def test_a_caller_that_cancels_while_the_answer_is_held_has_hung_up() -> None:
    bench = Bench()
    usage, _ = ringing(bench, 183, SDP)
    bench.agent.answer(usage, bench.now, SDP)
    assert first_lines(bench.put(request("CANCEL", branch="inv"))) == ["200", "487"]
    (event,) = bench.events()
    assert isinstance(event, ByeReceived)


def test_no_prack_for_a_held_answer_is_told_and_refused() -> None:
    bench = Bench()
    usage, _ = ringing(bench, 183, SDP)
    bench.agent.answer(usage, bench.now, SDP)
    bench.pass_time(33)
    assert bench.events() == [AckMissing(usage)]
    bench.agent.bye(usage, bench.now)
    assert first_lines(bench.sent()) == ["504"]
    assert bench.kinds() == ["ByeFinished"]


# ---- §5: offers and answers


def test_an_offer_in_a_prack_is_its_users_to_answer_and_acknowledges_all_the_same() -> None:
    bench = Bench()
    usage, data = ringing(bench, 183, SDP)
    bench.agent.answer(usage, bench.now, SDP)
    assert bench.put(prack(usage, rseq(data), body=SDP)) == []
    (event,) = bench.events()
    assert isinstance(event, RequestReceived)
    bench.agent.respond(event.key, 488, bench.now)
    assert first_lines(bench.sent()) == ["488", "200"]


def test_a_prack_whose_body_is_no_sdp_is_refused() -> None:
    bench = Bench()
    usage, data = ringing(bench, 183, SDP)
    assert bench.statuses(prack(usage, rseq(data), body=b"x", content_type="text/plain")) == [415]


def test_the_answer_to_an_offer_in_an_18x_comes_by_prack() -> None:
    bench = Bench()
    usage, data = ringing(bench, 183, SDP, offer=b"")
    assert first_lines(bench.put(prack(usage, rseq(data), body=SDP))) == ["200"]
    assert bench.events() == [ProgressAcked(usage, SDP)]


def test_an_offer_in_a_prack_while_that_of_the_invite_is_open_is_refused() -> None:
    bench = Bench()
    usage, data = ringing(bench)
    assert bench.statuses(prack(usage, rseq(data), body=SDP)) == [488]
    assert bench.events() == []
    bench.agent.progress(usage, 180, bench.now)
    assert rseq(bench.sent()[0]) == rseq(data) + 1, "the first one is acknowledged all the same"


def test_an_offer_in_the_prack_after_the_answer_to_ours_is_an_offer() -> None:
    bench = Bench()
    usage, data = ringing(bench, 183, SDP, offer=b"")
    bench.put(prack(usage, rseq(data), body=SDP))
    bench.events()
    bench.agent.progress(usage, 180, bench.now)
    assert bench.put(prack(usage, rseq(bench.sent()[0]), cseq=3, body=SDP)) == []
    assert bench.kinds() == ["RequestReceived"]


def test_an_update_crosses_our_offer_in_an_18x() -> None:
    """RFC 3311 §5.2: 491 while ours is open, 500 while theirs is."""
    bench = Bench()
    usage, data = ringing(bench, 183, SDP, offer=b"")
    early = request("UPDATE", branch="u1", cseq=2, to_tag=usage.id, body=SDP)
    assert bench.statuses(early) == [491]
    bench.put(prack(usage, rseq(data), cseq=3, body=SDP))
    assert bench.statuses(request("UPDATE", branch="u2", cseq=4, to_tag=usage.id, body=SDP)) == []


def test_an_update_may_follow_the_acknowledged_answer_only() -> None:
    """RFC 3311 §5.2."""
    bench = Bench()
    usage, data = ringing(bench, 183, SDP)
    early = request("UPDATE", branch="u1", cseq=2, to_tag=usage.id, body=SDP)
    assert bench.statuses(early) == [500]
    bench.put(prack(usage, rseq(data), cseq=3))
    assert bench.statuses(request("UPDATE", branch="u2", cseq=4, to_tag=usage.id, body=SDP)) == []
    assert bench.statuses(request("UPDATE", branch="u3", cseq=5, to_tag=usage.id, body=SDP)) == [500]
    assert bench.statuses(request("INVITE", branch="u4", cseq=6, to_tag=usage.id, body=SDP)) == [500]
    (event,) = bench.events()
    assert isinstance(event, RequestReceived)


# ---- §4: we call


def reliable(invite: bytes, number: int | str, tag: str = "b1", status: int = 180, body: bytes = b"") -> bytes:
    return response(invite, status, tag, f"{REQUIRED}RSeq: {number}\r\n", body)


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_fork_that_rang_reliably_and_answers_too_late_is_hung_up_with_a_cseq_of_its_own(cancelled: bool) -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    pracks = [bench.put(reliable(invite, number, "b2"))[0] for number in (5, 6, 7)]
    if cancelled:
        bench.agent.cancel(usage, bench.now)
    else:
        bench.put(response(invite, 200, "b1", body=SDP))
        bench.agent.ack(usage, bench.now)
    bench.sent()
    ack, bye = [read_request(data) for data in bench.put(response(invite, 200, "b2", body=SDP))]
    assert (ack.method, bye.method) == ("ACK", "BYE")
    assert bye.cseq > read_request(pracks[-1]).cseq


def test_a_reliable_18x_is_acknowledged_in_its_dialog() -> None:
    bench = Bench()
    _, invite = bench.inviting()
    sent = bench.put(reliable(invite, 77))
    message = read_request(sent[0])
    assert first_lines(sent) == ["PRACK"]
    assert message.header("rack") == "77 1 INVITE"
    assert (message.to_tag, message.cseq, message.uri_text) == ("b1", 2, "sip:b@192.0.2.7")
    assert bench.kinds() == ["InviteProgress"]
    bench.put(response(sent[0], 200))
    assert bench.kinds() == []


@pytest.mark.parametrize(
    ("numbers", "acknowledged"),
    [((5, 6, 7), (5, 6, 7)), ((5, 5, 6, 5), (5, 6)), ((5, 7, 6, 7), (5, 6, 7)), ((5, 4), (5,)), (("x", 9), (9,)),
     ((2**32, 3), (3,))],
)  # fmt: skip
def test_only_the_next_number_is_acknowledged_and_told(
    numbers: tuple[int | str, ...], acknowledged: tuple[int, ...]
) -> None:
    bench = Bench()
    _, invite = bench.inviting()
    sent = [data for number in numbers for data in bench.put(reliable(invite, number))]
    assert [int(re.findall(rb"RAck: (\d+)", data)[0]) for data in sent] == list(acknowledged)
    assert bench.kinds() == ["InviteProgress"] * len(acknowledged)


def test_each_fork_counts_for_itself() -> None:
    bench = Bench()
    _, invite = bench.inviting()
    tags = [read_request(bench.put(reliable(invite, number, tag))[0]).to_tag for tag, number in (("b1", 5), ("b2", 9))]
    assert tags == ["b1", "b2"]
    assert bench.put(reliable(invite, 5, "b1")) == []
    assert len(bench.put(reliable(invite, 10, "b2"))) == 1


def test_an_rseq_without_require_is_an_ordinary_18x() -> None:
    bench = Bench()
    _, invite = bench.inviting()
    assert bench.put(response(invite, 180, "b1", "RSeq: 1\r\n")) == []
    assert bench.kinds() == ["InviteProgress"]


def test_a_prack_nobody_answers_ends_nothing() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.put(reliable(invite, 5))
    bench.pass_time(40)
    assert bench.kinds() == ["InviteProgress"]
    bench.put(response(invite, 200, "b1", body=SDP))
    (event,) = bench.events()
    assert isinstance(event, InviteAnswered)
    assert usage.early_acks is None


def test_after_cancel_nothing_is_acknowledged_any_more() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.put(response(invite, 100))
    bench.agent.cancel(usage, bench.now)
    bench.sent()
    assert bench.put(reliable(invite, 5)) == []


def test_an_offer_in_an_18x_waits_for_its_users_prack() -> None:
    bench = Bench()
    usage, invite = bench.inviting(body=b"")
    assert bench.put(reliable(invite, 5, body=SDP)) == []
    assert isinstance(bench.events()[0], InviteProgress)
    bench.agent.prack(usage, bench.now, SDP)
    (sent,) = bench.sent()
    assert (read_request(sent).header("rack"), read_request(sent).body) == ("5 1 INVITE", SDP)
    bench.agent.prack(usage, bench.now, SDP)
    assert bench.sent() == []
    assert len(bench.put(reliable(invite, 6, body=SDP))) == 1


def test_nothing_is_acknowledged_by_a_user_that_owes_nothing() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.agent.prack(usage, bench.now, SDP)
    bench.put(reliable(invite, 5, body=SDP))
    bench.agent.prack(usage, bench.now, SDP)
    assert bench.sent() == []


@pytest.mark.parametrize(("number", "status"), [("5", None), ("", 491)])
def test_their_update_is_an_offer_of_its_own_after_a_reliable_answer(number: str, status: int | None) -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.put(reliable(invite, number, status=183, body=SDP) if number else response(invite, 183, "b1", body=SDP))
    update = request(
        "UPDATE", branch="u", cseq=1, to_tag=usage.id, from_tag="b1", call_id=parse(invite).call_id, body=SDP
    )
    assert bench.statuses(update) == ([] if status is None else [status])


def as_isup(data: bytes) -> bytes:
    return data.replace(b"Content-Type: application/sdp", b"Content-Type: application/ISUP;version=itu-t92+")


@pytest.mark.parametrize("in_2xx", [b"", b"\x07\x00"])
def test_what_is_no_sdp_describes_nothing(in_2xx: bytes) -> None:
    """SIP-I: ACM alone in a reliable 180, SDP in a reliable 183, ANM or nothing in the 200."""
    bench = Bench()
    usage, invite = bench.inviting()
    (first,) = bench.put(as_isup(reliable(invite, 5, body=b"\x06\x00")))
    assert not usage.is_described("b1")
    (second,) = bench.put(reliable(invite, 6, status=183, body=SDP))
    assert first_lines([first, second]) == ["PRACK", "PRACK"]
    bench.events()
    bench.put(as_isup(response(invite, 200, "b1", body=in_2xx)))
    (answered,) = bench.events()
    assert isinstance(answered, InviteAnswered)
    assert answered.described == SDP


def test_sdp_of_a_second_reliable_18x_is_nothing() -> None:
    """RFC 3261 §13.2.1: the first is the answer, and offers are not made in responses."""
    bench = Bench()
    _, invite = bench.inviting()
    bench.put(reliable(invite, 5, status=183, body=SDP))
    (sent,) = bench.put(reliable(invite, 6, body=MOVED))
    assert read_request(sent).body == b""
    first, second = bench.events()
    assert isinstance(first, InviteProgress) and isinstance(second, InviteProgress)
    assert (first.response.sdp, second.response.sdp) == (SDP, b"")
    bench.put(response(invite, 200, "b1"))
    (answered,) = bench.events()
    assert isinstance(answered, InviteAnswered) and answered.described == SDP


def test_an_18x_without_sdp_to_an_invite_without_offer_is_acknowledged_at_once() -> None:
    bench = Bench()
    _, invite = bench.inviting(body=b"")
    assert first_lines(bench.put(as_isup(reliable(invite, 5, body=b"\x06\x00")))) == ["PRACK"]


def test_an_ack_whose_body_is_no_sdp_answers_nothing() -> None:
    bench = Bench()
    usage = bench.invited()
    bench.agent.answer(usage, bench.now, SDP)
    bench.put(as_isup(request("ACK", branch="ack", to_tag=usage.id, body=b"\x06\x00")))
    assert bench.events() == [InviteAcked(usage, b"")]


MOVED = SDP.replace(b"4000", b"4010")


@pytest.mark.parametrize(
    ("changes", "in_2xx", "stands"),
    [(False, SDP, b""), (False, b"", SDP), (True, SDP, MOVED), (True, b"", MOVED)],
)
def test_what_the_fork_that_answers_said_before_stands_when_its_200_does_not_say_otherwise(
    changes: bool, in_2xx: bytes, stands: bytes
) -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    for tag in ("b1", "b2"):
        bench.put(reliable(invite, 5, tag, 183, SDP))
    bench.events()
    if changes:
        update = request(
            "UPDATE", branch="u", cseq=1, to_tag=usage.id, from_tag="b1", call_id=parse(invite).call_id, body=MOVED,
        )  # fmt: skip
        assert bench.put(update) == []
        (event,) = bench.events()
        assert isinstance(event, RequestReceived)
        bench.agent.respond(event.key, 200, bench.now, SDP)
        bench.sent()
    bench.put(response(invite, 200, "b1", body=in_2xx))
    (answered,) = bench.events()
    assert isinstance(answered, InviteAnswered)
    assert (answered.described, answered.offered) == (stands, changes)
    assert usage.early_acks is None


@pytest.mark.parametrize("lost", [False, True])
def test_an_update_of_one_fork_moves_that_fork(lost: bool) -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    for tag in ("b1", "b2"):
        bench.put(reliable(invite, 5, tag, 183, SDP))
    bench.events()
    call_id = parse(invite).call_id
    bench.put(request("UPDATE", branch="u", cseq=1, to_tag=usage.id, from_tag="b1", call_id=call_id))
    (event,) = bench.events()
    assert isinstance(event, RequestReceived)
    if lost:
        bench.put(response(invite, 199, "b1"))
    bench.agent.respond(event.key, 200, bench.now)
    assert usage.early is not None
    targets = {tag: dialog.remote_target for tag, dialog in usage.early.items()}
    assert targets == {"b2": "sip:b@192.0.2.7"} | ({} if lost else {"b1": "sip:+15550101@192.0.2.7"})


# ---- RFC 6228 and forks


def test_a_199_ends_its_fork_only() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    for tag in ("b1", "b2"):
        bench.put(response(invite, 180, tag))
    bench.put(response(invite, 199, "b2"))
    assert usage.dialog is not None
    assert usage.dialog.remote_tag == "b1"
    bench.put(response(invite, 199, "b1"))
    bench.put(response(invite, 199, "b9"))
    assert usage.dialog is None
    bench.put(response(invite, 199))
    bench.put(response(invite, 200, "b3", body=SDP))
    assert bench.kinds()[-1] == "InviteAnswered"


def test_a_199_without_a_fork_is_nothing() -> None:
    bench = Bench()
    _, invite = bench.inviting()
    bench.put(response(invite, 199))
    assert bench.kinds() == ["InviteProgress"]


def test_reliable_18x_of_too_many_forks_are_left_alone() -> None:
    bench = Bench()
    _, invite = bench.inviting()
    sent = [data for fork in range(20) for data in bench.put(reliable(invite, 1, f"b{fork}"))]
    assert len(sent) == 16


def test_the_second_200_of_forks_that_rang_reliably_is_hung_up() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    for tag in ("b1", "b2"):
        bench.put(reliable(invite, 1, tag))
    bench.put(response(invite, 200, "b2", body=SDP))
    bench.agent.ack(usage, bench.now)
    (ack,) = bench.sent()
    assert (read_request(ack).to_tag, read_request(ack).cseq) == ("b2", 1)
    assert first_lines(bench.put(response(invite, 200, "b1", body=SDP))) == ["ACK", "BYE"]
    bench.agent.bye(usage, bench.now)
    (bye,) = bench.sent()
    # Sequence numbers go on after the PRACK.
    assert read_request(bye).cseq == 3


def test_the_agents_two_ends_agree() -> None:
    """Our caller against our callee: what one writes the other reads."""
    bench = Bench()
    usage, invite = bench.inviting()
    assert isinstance(parse(invite), Request)
    other = Bench()
    other.agent.receive(invite.replace(b"Supported: ", b"Require: 100rel\r\nSupported: "), PEER, 0.0)
    there: InviteUsage = other.events()[0].usage  # type: ignore[union-attr, assignment]
    other.agent.progress(there, 183, 0.0, SDP)
    answers = [data for data in other.sent() if isinstance(found := parse(data), Response) and found.status > 100]
    (sent,) = bench.put(answers[0])
    assert first_lines(other.put(sent)) == ["200"]
    assert usage.dialog is not None
    assert usage.is_described(usage.dialog.remote_tag)
    assert there.is_described("")
