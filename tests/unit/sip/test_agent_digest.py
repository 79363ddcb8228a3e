"""Challenges met by the agent: what is sent again, to whom, and what never is."""

from __future__ import annotations

import pytest

from maskline.ids import SeededIds
from maskline.sip.agent import Agent, AgentConfig, OutgoingInvite
from maskline.sip.digest import Credentials, is_right, parse_answer
from maskline.sip.digest_client import DigestClient
from maskline.sip.events import ByeFinished, Flow, InviteAnswered, InviteFailed, RequestFinished
from maskline.sip.invite_usage import InviteUsage
from maskline.sip.message import Request
from tests.support.sip_wire import PEER, SDP, Bench, read_request, request, response

WHO = Credentials("bob", "zanzibar", "biloxi.com", (PEER,))
ASKED = 'WWW-Authenticate: Digest realm="biloxi.com", nonce="{}", qop="auth", algorithm=SHA-256{}\r\n'
ELSEWHERE = Flow("udp", "198.51.100.9", 5060)


def asked(nonce: str = "n1", extra: str = "") -> str:
    return ASKED.format(nonce, extra)


def proves(message: Request, header: str = "authorization", who: Credentials = WHO) -> tuple[str, int]:
    """Nonce and count of a right answer."""
    answer = parse_answer(message.headers[header])
    assert answer is not None and answer.uri == message.uri_text
    assert is_right(answer, who, message.method, message.body)
    return answer.nonce, answer.nc


class Caller(Bench):
    """One agent that calls PEER with credentials."""

    def call(self, who: Credentials | None = WHO, flow: Flow = PEER) -> tuple[InviteUsage, bytes]:
        outgoing = OutgoingInvite(
            flow, "sip:b@192.0.2.7", "sip:vn@192.0.2.1", "sip:b@192.0.2.7", SDP, credentials=who,
            headers=(("X-Kept", "yes"),),
        )  # fmt: skip
        usage = self.agent.invite(outgoing, self.now)
        return usage, self.sent()[0]

    def talking(self, who: Credentials | None = WHO, contact: str = "<sip:b@192.0.2.7>") -> InviteUsage:
        """A call that was challenged once, answered and acknowledged."""
        usage, invite = self.call(who)
        again = self.put(response(invite, 401, "t0", asked()))[-1]
        self.put(response(again, 200, "b1", body=SDP, contact=contact))
        self.agent.ack(usage, self.now)
        self.sent()
        self.events()
        return usage


def test_a_challenged_invite_is_acknowledged_and_sent_again() -> None:
    bench = Caller()
    usage, invite = bench.call()
    ack, again = (read_request(data) for data in bench.put(response(invite, 401, "t0", asked())))
    first = read_request(invite)
    assert (ack.method, ack.via.branch, ack.cseq) == ("ACK", first.via.branch, first.cseq)
    assert (again.method, again.cseq, again.call_id, again.from_tag) == ("INVITE", 2, first.call_id, usage.id)
    assert (again.body, again.headers["x-kept"], again.to_tag) == (SDP, "yes", "")
    assert again.via.branch != first.via.branch
    assert proves(again) == ("n1", 1)
    assert bench.events() == []
    sent = bench.put(response(request_again(again), 200, "b1", body=SDP))
    assert sent == []
    assert [type(event) for event in bench.events()] == [InviteAnswered]
    bench.agent.ack(usage, bench.now)
    acked = read_request(bench.sent()[0])
    assert (acked.cseq, acked.headers["authorization"]) == (2, again.headers["authorization"])  # §22.1


def request_again(message: Request) -> bytes:
    """A request as bytes, as far as a response to it needs them."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in message.headers.items() if name != "content-length")
    return f"{message.method} {message.uri_text} SIP/2.0\r\n{lines}Content-Length: 0\r\n\r\n".encode()


def test_every_request_in_the_dialog_proves_itself_at_once() -> None:
    bench = Caller()
    usage = bench.talking()
    bench.agent.request(usage, "UPDATE", bench.now, SDP)
    update = bench.sent()[0]
    assert proves(read_request(update)) == ("n1", 2)
    bench.put(response(update, 200, "b1", body=SDP))
    bench.agent.request(usage, "INFO", bench.now, b"Signal=1", "application/dtmf-relay")
    assert proves(read_request(bench.sent()[0])) == ("n1", 3)
    bench.agent.bye(usage, bench.now)
    assert proves(read_request(bench.sent()[0])) == ("n1", 4)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "BYE"])
def test_a_new_nonce_in_the_dialog_is_answered_whatever_the_method(method: str) -> None:
    bench = Caller()
    usage = bench.talking()
    if method == "BYE":
        bench.agent.bye(usage, bench.now)
    else:
        bench.agent.request(usage, method, bench.now, SDP)
    old = bench.sent()[0]
    again = bench.put(response(old, 401, "b1", asked("n2", ", stale=true")))[-1]
    assert proves(read_request(again)) == ("n2", 1)
    assert read_request(again).cseq == read_request(old).cseq + 1
    assert read_request(again).headers["authorization"].count("Digest") == 1
    sent = bench.put(response(again, 200, "b1", body=SDP if method != "INFO" else b""))
    assert [read_request(data).method for data in sent] == (["ACK"] if method == "INVITE" else [])
    assert [type(event) for event in bench.events()] == [ByeFinished if method == "BYE" else RequestFinished]


def test_an_old_nonce_is_replaced_once_and_a_wrong_password_never_loops() -> None:
    bench = Caller()
    _, invite = bench.call()
    again = bench.put(response(invite, 401, "t0", asked("n1")))[-1]
    third = bench.put(response(again, 401, "t0", asked("n2", ", stale=true")))[-1]
    assert proves(read_request(third)) == ("n2", 1)
    sent = bench.put(response(third, 401, "t0", asked("n3", ", stale=true")))
    assert [read_request(data).method for data in sent] == ["ACK"]
    assert [(event.status, type(event)) for event in bench.events()] == [(401, InviteFailed)]  # type: ignore[union-attr]


def test_a_second_challenge_that_is_not_stale_is_the_end() -> None:
    bench = Caller()
    _, invite = bench.call()
    again = bench.put(response(invite, 401, "t0", asked("n1")))[-1]
    assert len(bench.put(response(again, 401, "t0", asked("n2")))) == 1
    assert bench.kinds() == ["InviteFailed"]


def test_a_proxy_and_the_far_end_may_both_ask() -> None:
    bench = Caller()
    _, invite = bench.call()
    by_proxy = asked("p1").replace("WWW", "Proxy")
    again = bench.put(response(invite, 407, "t0", by_proxy))[-1]
    assert proves(read_request(again), "proxy-authorization") == ("p1", 1)
    both = read_request(bench.put(response(again, 401, "t0", asked("n1")))[-1])
    assert proves(both, "proxy-authorization") == ("p1", 2)
    assert proves(both) == ("n1", 1)


def test_the_topmost_that_we_can_answer_is_answered() -> None:
    bench = Caller()
    _, invite = bench.call()
    lines = [
        asked("a").replace("SHA-256", "TOKEN"),
        asked("b").replace("biloxi.com", "other.com"),
        asked("c").replace("SHA-256", "SHA-512-256"),
        asked("d"),
    ]
    again = read_request(bench.put(response(invite, 401, "t0", "".join(lines)))[-1])
    assert proves(again) == ("c", 1)


@pytest.mark.parametrize(
    ("who", "headers", "status"),
    [
        (None, asked(), 401),
        (Credentials("bob", "zanzibar", "atlanta.com", (PEER,)), asked(), 401),
        (Credentials("bob", "zanzibar", "biloxi.com", (ELSEWHERE,)), asked(), 401),
        (WHO, "", 407),
        (WHO, asked(), 407),
        (WHO, "WWW-Authenticate: Basic realm=\"biloxi.com\"\r\n", 401),
    ],
)  # fmt: skip
def test_a_challenge_that_is_not_ours_to_answer_fails_the_call(
    who: Credentials | None, headers: str, status: int
) -> None:
    bench = Caller()
    _, invite = bench.call(who)
    assert len(bench.put(response(invite, status, "t0", headers))) == 1  # the ACK
    (event,) = bench.events()
    assert isinstance(event, InviteFailed) and event.status == status


def test_a_realm_that_was_not_told_is_learned_from_the_first_challenge() -> None:
    bench = Caller()
    usage, invite = bench.call(Credentials("bob", "zanzibar", "", (PEER,)))
    again = bench.put(response(invite, 401, "t0", asked()))[-1]
    assert proves(read_request(again)) == ("n1", 1)
    bench.put(response(again, 200, "b1", body=SDP))
    bench.agent.bye(usage, bench.now)
    bye = bench.sent()[-1]
    assert bench.put(response(bye, 401, "b1", asked("n2").replace("biloxi.com", "evil.example"))) == []


# ---- the digest leak: a callee challenges what we send inside the dialog (FreeSWITCH GHSA-3v3f-99mv-qvj4)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "BYE"])
@pytest.mark.parametrize("status", [401, 407])
def test_a_callee_at_an_address_of_its_own_gets_no_answer(method: str, status: int) -> None:
    bench = Caller()
    usage = bench.talking(contact=f"<sip:b@{ELSEWHERE.host}>")
    if method == "BYE":
        bench.agent.bye(usage, bench.now)
    else:
        bench.agent.request(usage, method, bench.now, SDP)
    (datagram,) = bench.agent.datagrams()
    assert datagram[1].host == ELSEWHERE.host
    assert b"uthorization" not in datagram[0]  # nor anything of its own accord
    lines = asked("n9") + asked("n9").replace("WWW", "Proxy")
    sent = bench.put(response(datagram[0], status, "b1", lines), ELSEWHERE)
    assert all(data.startswith(b"ACK ") and b"uthorization" not in data for data in sent)
    assert [type(event) for event in bench.events()] == [ByeFinished if method == "BYE" else RequestFinished]


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "BYE"])
@pytest.mark.parametrize("status", [401, 407])
def test_a_callee_at_the_trunks_address_behind_another_port_gets_no_answer(method: str, status: int) -> None:
    bench = Caller()
    usage = bench.talking(contact=f"<sip:b@{PEER.host}:{PEER.port + 1}>")
    if method == "BYE":
        bench.agent.bye(usage, bench.now)
    else:
        bench.agent.request(usage, method, bench.now, SDP)
    (datagram,) = bench.agent.datagrams()
    assert (datagram[1].host, datagram[1].port) == (PEER.host, PEER.port + 1)
    assert b"uthorization" not in datagram[0]
    lines = asked("n9") + asked("n9").replace("WWW", "Proxy")
    sent = bench.put(response(datagram[0], status, "b1", lines), datagram[1])
    assert all(data.startswith(b"ACK ") and b"uthorization" not in data for data in sent)
    assert [type(event) for event in bench.events()] == [ByeFinished if method == "BYE" else RequestFinished]


def test_the_places_of_credentials_are_told_apart_by_host_port_and_transport() -> None:
    udp, tcp = PEER, PEER._replace(transport="tcp")
    tls = PEER._replace(transport="tls")
    for place, shown, hidden in ((udp, [udp, tcp], [tls]), (tcp, [tcp], [udp, tls]), (tls, [tls], [udp, tcp])):
        digest = DigestClient(Credentials("bob", "zanzibar", places=(place,)), SeededIds(1))
        assert [digest.shows_to(flow) for flow in shown] == [True] * len(shown)
        others = [*hidden, place._replace(port=5070), place._replace(host=ELSEWHERE.host)]
        assert not any(digest.shows_to(flow) for flow in others)


@pytest.mark.parametrize(
    ("algorithm", "answered"),
    [("MD5", False), ("MD5-sess", False), ("SHA-256", True), ("SHA-256-sess", True), ("SHA-512-256", True)],
)
@pytest.mark.parametrize(("status", "header"), [(401, "authorization"), (407, "proxy-authorization")])
def test_inside_the_dialog_no_weaker_algorithm_is_answered(
    algorithm: str, answered: bool, status: int, header: str
) -> None:
    bench = Caller()
    usage = bench.talking()
    bench.agent.bye(usage, bench.now)
    lines = asked("n2", ", stale=true").replace("SHA-256", algorithm)
    sent = bench.put(response(bench.sent()[0], status, "b1", lines.replace("WWW", "Proxy") if status == 407 else lines))
    assert [proves(read_request(data), header) for data in sent] == ([("n2", 1)] if answered else [])
    assert bench.kinds() == ([] if answered else ["ByeFinished"])


def test_a_proxy_that_asks_weaker_than_the_far_end_is_answered_as_it_was_at_the_invite() -> None:
    bench = Caller()
    usage, invite = bench.call()
    by_proxy = asked("{}", "").replace("WWW", "Proxy").replace("SHA-256", "MD5")
    again = bench.put(response(invite, 407, "t0", by_proxy.format("p1")))[-1]
    both = bench.put(response(again, 401, "t0", asked()))[-1]
    bench.put(response(both, 200, "b1", body=SDP))
    bench.agent.ack(usage, bench.now)
    bench.sent()
    bench.agent.bye(usage, bench.now)
    (bye,) = bench.put(response(bench.sent()[0], 407, "b1", by_proxy.format("p2")))
    assert proves(read_request(bye), "proxy-authorization") == ("p2", 1)
    assert bench.put(response(bye, 401, "b1", asked("n2", ", stale=true").replace("SHA-256", "MD5"))) == []


def test_the_ack_to_a_callee_elsewhere_proves_nothing() -> None:
    bench = Caller()
    usage, invite = bench.call()
    again = bench.put(response(invite, 401, "t0", asked()))[-1]
    bench.put(response(again, 200, "b1", body=SDP, contact=f"<sip:b@{ELSEWHERE.host}>"))
    bench.agent.ack(usage, bench.now)
    assert b"uthorization" not in bench.sent()[0]


def test_a_peer_that_calls_us_gets_an_answer_only_for_the_realm_we_know() -> None:
    for realm, answered in (("biloxi.com", True), ("", False)):
        bench = Bench()
        usage = bench.answered()
        bench.agent.prove(usage, Credentials("bob", "zanzibar", realm, (PEER,)))
        bench.agent.bye(usage, bench.now)
        bye = bench.sent()[0]
        assert b"uthorization" not in bye
        sent = bench.put(response(bye, 401, "f1", asked()))
        assert [proves(read_request(data)) for data in sent] == ([("n1", 1)] if answered else [])
        assert bench.kinds() == ([] if answered else ["ByeFinished"])


def test_without_credentials_nothing_in_a_callers_dialog_is_answered() -> None:
    bench = Bench()
    usage = bench.answered()
    bench.agent.bye(usage, bench.now)
    assert bench.put(response(bench.sent()[0], 401, "f1", asked())) == []
    assert bench.kinds() == ["ByeFinished"]


# ---- crossings


def test_a_call_given_up_is_not_sent_again() -> None:
    bench = Caller()
    usage, invite = bench.call()
    bench.agent.cancel(usage, bench.now)
    assert len(bench.put(response(invite, 401, "t0", asked()))) == 1
    assert bench.kinds() == ["InviteFailed"]


def test_what_rang_before_the_challenge_is_forgotten() -> None:
    bench = Caller()
    usage, invite = bench.call()
    bench.put(response(invite, 180, "early"))
    bench.events()
    again = bench.put(response(invite, 401, "t0", asked()))[-1]
    assert (usage.dialog, usage.provisional_seen) == (None, False)
    bench.agent.cancel(usage, bench.now)
    assert bench.sent() == []  # §9.1: the second INVITE has no answer yet
    (cancel,) = bench.put(response(again, 180, "late"))
    assert (read_request(cancel).method, read_request(cancel).cseq) == ("CANCEL", 2)


def ringing(n: int) -> str:
    return f"Require: 100rel\r\nRSeq: {n}\r\n"


def test_a_fork_that_challenges_its_prack_is_answered_with_a_number_of_its_own() -> None:
    bench = Caller()
    _, invite = bench.call()
    for number in (1, 2):
        (prack,) = bench.put(response(invite, 180, "one", ringing(number)))
        bench.put(response(prack, 200))
    (prack,) = bench.put(response(invite, 180, "one", ringing(3)))
    (other,) = bench.put(response(invite, 180, "two", ringing(1)))
    (again,) = (read_request(data) for data in bench.put(response(prack, 401, "", asked())))
    assert [read_request(data).cseq for data in (prack, other)] == [4, 2]
    assert (again.cseq, again.to_tag, again.headers["rack"]) == (5, "one", "3 1 INVITE")
    # The BYE of a fork that answers too late goes on from there.
    bench.put(response(invite, 200, "two", body=SDP))
    _, bye = bench.put(response(invite, 200, "one", body=SDP))
    assert (read_request(bye).method, read_request(bye).to_tag, read_request(bye).cseq) == ("BYE", "one", 6)


def test_a_fork_that_has_lost_may_challenge_its_prack_too() -> None:
    bench = Caller()
    _, invite = bench.call()
    (prack,) = bench.put(response(invite, 180, "one", ringing(1)))
    bench.put(response(invite, 200, "two", body=SDP))
    (again,) = bench.put(response(prack, 401, "", asked()))
    assert (read_request(again).cseq, read_request(again).to_tag) == (3, "one")


def test_a_challenge_after_the_call_is_over_is_nobodys() -> None:
    bench = Caller()
    usage = bench.talking()
    bench.agent.request(usage, "INFO", bench.now, b"x", "text/plain")
    info = bench.sent()[0]
    bench.put(request("BYE", branch="bye", to_tag=usage.id, from_tag="b1", call_id=read_request(info).call_id))
    bench.events()
    assert bench.put(response(info, 401, "b1", asked("n5", ", stale=true"))) == []
    assert bench.kinds() == []


def test_the_bye_of_a_fork_nobody_wants_is_proved_too() -> None:
    bench = Caller()
    _, invite = bench.call()
    again = bench.put(response(invite, 401, "t0", asked()))[-1]
    bench.put(response(again, 200, "b1", body=SDP))
    ack, bye = bench.put(response(again, 200, "b2", body=SDP))
    assert (read_request(ack).method, read_request(bye).method) == ("ACK", "BYE")
    assert proves(read_request(bye)) == ("n1", 2)
    stale = bench.put(response(bye, 401, "b2", asked("n2", ", stale=true")))
    assert proves(read_request(stale[0])) == ("n2", 1)


def test_options_is_proved_where_credentials_are_given() -> None:
    bench = Bench()
    for who in (WHO, None):
        bench.agent.options(PEER, "sip:192.0.2.7", "sip:us@192.0.2.1", "sip:192.0.2.7", bench.now, who)
        first = bench.sent()[0]
        sent = bench.put(response(first, 401, "t", asked()))
        assert [proves(read_request(data)) for data in sent] == ([("n1", 1)] if who else [])
    assert bench.kinds() == ["RequestFinished"]


def test_a_retransmitted_challenge_gets_its_ack_and_nothing_else() -> None:
    bench = Caller()
    _, invite = bench.call()
    challenge = response(invite, 401, "t0", asked())
    assert len(bench.put(challenge)) == 2
    assert [read_request(data).method for data in bench.put(challenge)] == ["ACK"]


# ---- both sides of ours


def test_two_agents_understand_each_other() -> None:
    here = Flow("udp", "192.0.2.1", 5060)
    caller = Agent(AgentConfig(here.host, here.port), SeededIds(1))
    callee = Agent(AgentConfig(PEER.host, PEER.port), SeededIds(2))
    callee.challenge(lambda flow: (WHO,), "unused.example")
    usage = caller.invite(
        OutgoingInvite(PEER, "sip:+1@192.0.2.7", "sip:a@192.0.2.1", "sip:+1@192.0.2.7", SDP, credentials=WHO), 0.0
    )

    def talk(now: float = 0.0) -> None:
        for _ in range(6):
            for datagram in caller.datagrams():
                callee.receive(datagram[0], here, now)
            for datagram in callee.datagrams():
                caller.receive(datagram[0], PEER, now)

    talk()
    (received,) = callee.events()
    assert callee.counters.unproven == 1
    callee.answer(received.usage, 0.0, SDP)  # type: ignore[union-attr, arg-type]
    talk()
    caller.ack(usage, 0.0)
    talk()
    caller.request(usage, "INFO", 0.0, b"x", "text/plain")
    talk()
    assert [type(event).__name__ for event in callee.events()] == ["InviteAcked", "RequestReceived"]
    assert callee.counters.unproven == 1  # the INFO proved itself at once
    caller.request(usage, "UPDATE", 400.0, SDP)  # the nonce is old by now
    talk(400.0)
    assert [type(event).__name__ for event in callee.events()] == ["RequestReceived"]
    assert callee.counters.unproven == 2


def test_a_request_without_proof_leaves_nothing_behind() -> None:
    bench = Bench()
    bench.agent.challenge(lambda flow: (WHO,), "unused.example")
    assert bench.statuses(request("INVITE", branch="x", body=SDP)) == [401]
    assert not any(bench.agent.sizes().values())
    assert bench.put(request("ACK", branch="x", to_tag="whatever")) == []
    assert bench.agent.counters.unproven == 1
