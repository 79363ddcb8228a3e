"""What a fuzzer feeds to the two doors: the intake, which reads bytes before the parser does, and the digest server.

What it is: `knock`, messages of trunks and of strangers through `Intake` and the rounds while a clock moves; `prove`,
Authorization headers of a peer who does not know the password, beside right ones. Each raises when a promise is
broken. What it is not: a fuzzer, or what stands behind the doors (`fuzz_targets`, whose `TARGETS` name these).
"""

from __future__ import annotations

from maskline.clock import VirtualClock
from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.core import EngineConfig, EngineCore
from maskline.engine.intake import Intake, IntakeLimits
from maskline.engine.rounds import Rounds
from maskline.ids import SeededIds
from maskline.masking.decision import Refuse
from maskline.masking.facts import Cause
from maskline.masking.trunk import Trunk
from maskline.sip.agent import Agent, AgentConfig
from maskline.sip.agent_checks import Refusal
from maskline.sip.digest import Challenge, Credentials, authorization, parse_answer, parse_challenges
from maskline.sip.digest_server import NONCE_SECONDS, DigestServer
from maskline.sip.first_look import is_new_call, sent_in, skim, skim_plain, tag_in, transaction_in
from maskline.sip.flow import Flow
from maskline.sip.grammar import ParseError
from maskline.sip.message import Request
from maskline.sip.parser import parse
from maskline.sip.transaction_server import server_key
from tests.support.call_machine import CALLER
from tests.support.fuzz_live import CUT, MOST_MESSAGES, Live

_US = "203.0.113.1"
CARRIER, ASKED, STRANGER = (Flow("udp", host, 5060) for host in ("192.0.2.7", "192.0.2.8", "192.0.2.66"))
SOURCES = (CARRIER, ASKED, STRANGER, CARRIER._replace(transport="tcp"))
_TRUNKS = (
    Trunk("t", "t", None, CARRIER.host, 5060, sources=("192.0.2.32/28",)),
    Trunk("u", "u", None, ASKED.host, 5060, username="carrier", password="secret", challenge=True),
)
_STEPS = (0.0, 0.15, 1.0, 33.0)
_TIMES = (1, 2, 5, 25)
MOST_TIMERS = 4000


class Door:
    """An engine behind its intake, whose router refuses every call, at once or at the end."""

    def __init__(self, limits: int) -> None:
        self.clock = VirtualClock()
        agent = Agent(AgentConfig(_US, 5060), SeededIds(1))
        self.core = EngineCore(EngineConfig(_US, "mine"), agent, SeededIds(2), self.clock, lambda: _TRUNKS)
        most = IntakeLimits(
            max_calls=(0, 1, 3, 20)[limits & 3], source_rate=(0.0, 4.0)[limits >> 2 & 1],
            vain_rate=(500.0, 0.0, 2.0, 5.0)[limits >> 3 & 3], ban_seconds=(30.0, 0.0)[limits >> 5 & 1],
        )  # fmt: skip
        self.unwritten = 0
        self.intake = Intake(self.core, most, lambda: self.unwritten)
        self.rounds = Rounds(self.intake.admission, self._read, self._flush, self.clock.now)
        self.live = Live(CALLER.digits.encode(), CARRIER.host.encode())
        self.routes: list[str] = []
        self.sent = 0
        self.said = b""
        """All that was put of trunks."""

    def hear(self, chunk: bytes) -> None:
        """The first byte: bits 0-1 whose, 2-3 the time before, 4 nothing is read yet (its router is slow, too), 5-6
        how often, 7 the disk is behind."""
        manner = chunk[0] if chunk else 0
        self.clock.advance(_STEPS[manner >> 2 & 3])
        self.core.handle_timer(self.clock.now())
        self.unwritten = 100_000 if manner & 0x80 else 0
        for number in range(_TIMES[manner >> 5 & 3]):
            self._put(self.live.fill(chunk[1:].replace(b"$i", b"%d" % number)), SOURCES[manner & 3], number / 100)
        if not manner & 0x10:
            self.rounds.serve(False)
            self._refuse()
        self._check_sizes()

    def _put(self, data: bytes, flow: Flow, age: float) -> None:
        look(data, flow)
        intake, counters = self.intake, self.core.counters
        held, before = len(intake.admission.waiting), counters.strangers
        passed = intake.put(data, flow, self.clock.now(), age)
        assert not (passed and len(intake.admission.waiting) > held), "read twice"
        if flow != STRANGER:
            self.said += data
            assert counters.strangers == before
        elif passed:
            assert STRANGER.host.encode() in self.said, "nobody named that place"
        else:
            assert (len(intake.admission.waiting), counters.strangers) == (held, before + 1)
        if passed:
            self.rounds.put(data, flow)

    def _read(self, data: bytes, flow: Flow) -> None:
        self.intake.read(data, flow, self.clock.now())
        self._flush()

    def _flush(self) -> None:
        self.routes += [call_id for call_id, effect in self.core.work() if isinstance(effect, e.Route)]
        self.core.commits()
        for data, flow in self.core.datagrams():
            self.sent += 1
            assert flow.host != STRANGER.host or STRANGER.host.encode() in self.said, data
            self.live.note(data)
        faults = self.core.faults()
        if faults:
            raise faults[0]
        assert not self.core.counters.faults

    def _refuse(self) -> None:
        self._flush()
        routes, self.routes = self.routes, []
        for call_id in routes:
            self.core.deliver(call_id, i.Refused(Refuse(Cause.UNKNOWN_NUMBER, None)), self.clock.now())
            self._flush()

    def _check_sizes(self) -> None:
        guard, admission, most = self.intake.guard, self.intake.admission, max(_TIMES) * MOST_MESSAGES
        assert all(size <= 2 * len(_TRUNKS) for size in guard.sizes().values()), guard.sizes()
        assert len(guard.told) == guard.banned <= MOST_MESSAGES * max(_TIMES) // 20 + 1
        assert not guard.is_banned(CARRIER.host, self.clock.now())
        assert admission._bytes == sum([len(data) for data, *_ in admission.waiting])
        assert len(admission.waiting) <= most and all(size <= 3 * most for size in self.core.agent.sizes().values())

    def end(self) -> None:
        self.unwritten = 0
        while self.rounds.serve(False) is not None or self.routes:
            self._refuse()
        self._refuse()
        for _ in range(MOST_TIMERS):
            deadline = self.core.next_deadline()
            if deadline is None:
                break
            self.clock.advance(max(0.0, deadline - self.clock.now()))
            self.core.handle_timer(self.clock.now())
            self._refuse()
        assert not self.core.calls and not any(self.core.agent.sizes().values()), self.core.agent.sizes()
        assert not self.rounds.messages and not self.intake.admission.waiting and not self.intake.admission._bytes


def look(data: bytes, flow: Flow) -> None:
    """Whatever the bytes, these only look; and what is refused unread has the name that the parser would give it."""
    new = is_new_call(data)
    transaction_in(data), tag_in(data), sent_in(data), skim(data)
    plain = skim_plain(data, flow) if new else None
    assert not new or data.startswith(b"INVITE ")
    try:
        message = parse(data)
        if not isinstance(message, Request) or not message.branch:
            return
        key = server_key(message, message.method)
    except ParseError:
        return
    assert plain is None or plain.key == key, (plain, key)


def knock(data: bytes) -> None:
    """The intake: no fault, silence for strangers, sizes within bounds, and nothing left at the end. The first byte is
    the operator's limits."""
    door = Door(data[0] if data else 0)
    for chunk in data[1:].split(CUT)[:MOST_MESSAGES]:
        door.hear(chunk)
    door.end()


WHO = Credentials("carrier", "secret", "realm", sha512=True)
_WANTED: tuple[tuple[Credentials | None, ...], ...] = (
    (WHO,), (Credentials("carrier", "secret"), Credentials("other", "", "realm")), (None, WHO),
    (Credentials("carrier", "secret", md5_only=True), Credentials("carrier", "another")),
)  # fmt: skip
_URI = "sip:x@203.0.113.1"


class Asking:
    """A digest server and a peer who has some right answers, and changes them."""

    def __init__(self, door: int) -> None:
        self.wanted = _WANTED[door % len(_WANTED)]
        self.server = DigestServer(lambda flow: self.wanted, "us.example", SeededIds(1))
        self.server.max_nonces = 2
        self.now = 1000.0
        self.challenge, self.made_at, self.count = self._ask(), self.now, 1
        self.used: set[str] = set()

    def _ask(self) -> list[Challenge]:
        self.server._wanted = lambda flow: tuple([one for one in self.wanted if one is not None])
        refusal = self.server.check(Request("INVITE", _URI, {}, b""), ASKED, self.now)
        self.server._wanted = lambda flow: self.wanted
        assert refusal is not None and refusal.status == 401
        values = [line.partition(": ")[2] for line in refusal.headers.split("\r\n")[:-1]]
        return parse_challenges("\n".join(values))

    def hear(self, chunk: bytes) -> None:
        """The first byte: bits 0-1 what is another than was proved, 2-3 the kind of proof, 4 the next count, 5 another
        nonce, 6-7 the time between."""
        manner = chunk[0] if chunk else 0
        if manner & 0x20:
            self.challenge, self.made_at, self.count = self._ask(), self.now, 1
        self.count += manner >> 4 & 1
        self.now += (0.0, 1.0, NONCE_SECONDS / 2, NONCE_SECONDS)[manner >> 6]
        one = self.challenge[(manner >> 2 & 3) % len(self.challenge)]
        if manner >> 2 & 3 == 3:  # of a peer that has RFC 2069 alone, or signs the body
            one = Challenge(one.realm, one.nonce, one.algorithm, ("", "auth-int")[self.count & 1], None, stale=False)
        who = next(each for each in self.wanted if each and each.realm in ("", one.realm) and each.password)
        proof = authorization(who, one, method="INVITE", uri=_URI, nc=self.count, cnonce="c", body=b"v=0")
        wrong = authorization(Credentials(who.username, "guess"), one, method="INVITE", uri=_URI, nc=1, cnonce="c")
        answer, guess = parse_answer(proof), parse_answer(wrong)
        assert answer is not None and guess is not None
        text = chunk[1:].decode("utf-8", "surrogateescape").replace("\r", "")
        words = {"$proof": proof, "$wrong": wrong, "$nonce": one.nonce, "$response": guess.response}
        for word, value in words.items():
            text = text.replace(word, value)
        method, body = ("INVITE", "UPDATE")[manner & 1], (b"v=0", b"v=1")[manner >> 1 & 1]
        refusal = self.server.check(Request(method, _URI, {"authorization": text}, body), ASKED, self.now)
        self._judge(refusal, proof in text or answer.response in text.lower(), answer.response)
        if self.server.proved:
            assert method == "INVITE" and (body == b"v=0" or one.qop != "auth-int")
            assert self.now < self.made_at + NONCE_SECONDS

    def _judge(self, refusal: Refusal | None, has_proof: bool, response: str) -> None:
        assert refusal is None or refusal.status in (401, 403)
        assert refusal is None or ("\n\n" not in refusal.headers and not self.server.proved)
        assert refusal is not None or self.server.proved or None in self.wanted, "it passed and proved nothing"
        if self.server.proved:
            assert has_proof and response not in self.used, "made without the secret, or twice"
            assert all(one.password for one in self.server.proved)
            self.used.add(response)
        assert len(self.server._seen) <= self.server.max_nonces


def prove(data: bytes) -> None:
    """The digest server: it lets in once who knows the password, and nobody else. The first byte says who is wanted."""
    asking = Asking(data[0] if data else 0)
    for chunk in data[1:].split(CUT)[:MOST_MESSAGES]:
        asking.hear(chunk)
