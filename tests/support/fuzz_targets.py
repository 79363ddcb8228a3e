"""What a fuzzer feeds: one function for each room that reads strangers' bytes, each holding the room's promises.

What it is: `TARGETS`, name -> function of any bytes, which raises when a promise is broken: nothing but the room's own
error leaves it, what we send can be read by our own parser, state is bounded and all gone at the end, and no number of
one party is in bytes to the other. What it is not: a fuzzer (`tools/fuzz.py`) or the saved inputs (tests/fuzz/corpus).
Who uses it: `tools/fuzz.py`, tests/fuzz.

A target that plays a conversation takes several messages, set apart by `CUT`; the byte before each says what happens
beside it. In them a `$word` stands for a live value (`fuzz_live`), so that a blind change of bytes still
reaches a dialog. What reads bytes before the parser, or refuses what it has read, is in `fuzz_doors`.
"""

from __future__ import annotations

from collections.abc import Callable

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.ids import SeededIds
from maskline.masking.decision import Refuse
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.sdp.errors import SdpError
from maskline.sdp.negotiate import answer_codecs, filter_codecs
from maskline.sdp.parse import parse as parse_sdp
from maskline.sdp.session import AudioDescription
from maskline.sdp.write import write
from maskline.sip import events as sip
from maskline.sip.agent import Agent, AgentConfig, OutgoingInvite
from maskline.sip.digest import SUPPORTED, Credentials, is_right, parse_answer, parse_challenges
from maskline.sip.framer import MAX_HEAD, Framer
from maskline.sip.grammar import MAX_MESSAGE, ParseError
from maskline.sip.invite_usage import InviteUsage
from maskline.sip.message import Message
from maskline.sip.parser import parse
from tests.support.call_machine import A_SDP, B_SDP, CALLEE, CALLER
from tests.support.engine_world import World
from tests.support.fuzz_doors import knock, prove
from tests.support.fuzz_live import CUT, MOST_MESSAGES, Live, check_sent
from tests.support.hiding_places import traces
from tests.support.sim_scenario import ALICE, BOB, ENGINE, Scenario

MOST_DEADLINES = 4000
"""A conversation of twelve messages ends long before; more would be a timer that sets itself for ever."""
PEER = sip.Flow("udp", "192.0.2.7", 5060)
_HOST = "203.0.113.1"
_READ = (
    "via", "from_address", "to_address", "from_uri", "to_uri", "from_tag", "to_tag", "contact", "content_type",
    "q850_cause", "request_uri", "max_forwards", "retry_after",
)  # fmt: skip
"""Whatever of a message is read late."""


def read_message(data: bytes) -> None:
    """The parser: `ParseError` alone, also where a value is read at first use; a request it names can be answered."""
    try:
        message: Message = parse(data)
    except ParseError as error:
        assert 400 <= error.status < 600
        if error.request is not None:
            read_values(error.request)
        return
    assert isinstance(message.body, bytes) and len(message.body) <= len(data)
    read_values(message)


def read_values(message: Message) -> None:
    for name in _READ:
        try:
            getattr(message, name, None)
        except ParseError as error:
            assert 400 <= error.status < 600
    for name in message.headers:
        message.values(name)
        assert "\r" not in message.headers[name]


def read_description(data: bytes) -> None:
    """The SDP reader: `SdpError` alone; what may cross of it is written so that we can read it again, and says no more
    than it did."""
    try:
        theirs = parse_sdp(data)
    except SdpError as error:
        assert 400 <= error.status < 700
        return
    offered = filter_codecs(theirs.codecs)
    if not offered:
        return
    ours = AudioDescription(_HOST, 20_000, 20_001, offered, theirs.direction, theirs.ptime)
    body = write(ours, session_id=7, version=1)
    again = parse_sdp(body)
    assert (again.codecs, again.direction, again.port) == (offered, ours.direction, ours.port)
    assert filter_codecs(again.codecs) == offered
    assert not answer_codecs(offered, again.codecs) or answer_codecs(offered, again.codecs) == offered
    assert CALLER.digits.encode() not in body


class Conversation:
    """One agent with an INVITE of its own under way, and a far side that says anything."""

    def __init__(self) -> None:
        self.agent = Agent(AgentConfig(_HOST, 5060), SeededIds(1))
        self.live = Live(CALLER.digits.encode(), PEER.host.encode())
        self.now = 100.0
        self.usages: list[InviteUsage] = []
        self.manner = 0
        outgoing = OutgoingInvite(PEER, "sip:u@192.0.2.7", f"sip:+15550101@{_HOST}", "sip:u@192.0.2.7", A_SDP)
        self.usages.append(self.agent.invite(outgoing, self.now))
        self.drain(0)

    def hear(self, chunk: bytes) -> None:
        self.manner = chunk[0] if chunk else 0
        if self.manner & 0x08:
            self.now += (0.6, 5.0, 33.0, 70.0)[self.manner >> 6]
            self.agent.handle_timer(self.now)
        broken = self.agent.counters.malformed
        self.agent.receive(self.live.fill(chunk[1:]), PEER, self.now)
        self.drain(self.agent.counters.malformed - broken)
        if self.manner & 0x10:
            self.agent.bye(self.usages[-1], self.now)
        if self.manner & 0x20:
            self.agent.request(self.usages[-1], ("INVITE", "UPDATE", "INFO")[self.manner % 3], self.now, A_SDP)
        self.drain(0)
        sizes = self.agent.sizes()
        assert all(size <= 8 * MOST_MESSAGES for size in sizes.values()), sizes

    def drain(self, malformed: int) -> None:
        for _ in range(100):
            events, datagrams = self.agent.events(), self.agent.datagrams()
            for data, _flow in datagrams:
                check_sent(data, answers_nonsense=malformed > 0)
                self.live.note(data)
            for event in events:
                self.react(event)
            if not events and not datagrams:
                return
        raise AssertionError("it talks to itself")

    def react(self, event: sip.Event) -> None:
        agent, now, manner = self.agent, self.now, self.manner & 0x07
        match event:
            case sip.InviteReceived(usage=usage):
                self.usages.append(usage)
                if manner & 1:
                    agent.progress(usage, 183, now, B_SDP)
                if manner & 2:
                    agent.answer(usage, now, B_SDP)
                elif manner & 4:
                    agent.reject(usage, 486, now)
            case sip.InviteAnswered(usage=usage):
                agent.ack(usage, now, B_SDP if manner & 1 else b"")
            case sip.AckMissing(usage=usage):
                agent.bye(usage, now)
            case sip.RequestReceived(key=key):
                agent.respond(key, 488 if manner & 4 else 200, now, B_SDP)
            case sip.RequestFinished(usage=usage, method="INVITE", status=status) if usage and 200 <= status < 300:
                agent.ack(usage, now, B_SDP)
            case _:
                pass

    def end(self) -> None:
        """Everybody hangs up, the far side is silent, and time does the rest."""
        for usage in self.usages:
            self.agent.bye(usage, self.now)
            self.agent.reject(usage, 480, self.now)
        self.drain(0)
        for _ in range(MOST_DEADLINES):
            deadline = self.agent.next_deadline()
            if deadline is None:
                break
            self.now = max(self.now, deadline)
            self.agent.handle_timer(self.now)
            self.drain(0)
        self.agent.events()
        assert not any(self.agent.sizes().values()), self.agent.sizes()


def converse(data: bytes) -> None:
    """The agent: nothing leaves it, it speaks SIP itself, and all is gone when everybody has hung up."""
    conversation = Conversation()
    for chunk in data.split(CUT)[:MOST_MESSAGES]:
        conversation.hear(chunk)
    conversation.end()


_STORIES = (
    Scenario(), Scenario(bob_bye=4.0, alice_bye=None), Scenario(rings=((0.5, 183, B_SDP),), verdict=486),
    Scenario(late_offer=True), Scenario(cancel_after=2.0), Scenario(fork=True, fork_after=3.0),
    Scenario(pins=("4711",), by_info=True), Scenario(click=True),
)  # fmt: skip


class HostileWorld(World):
    """A call of two phones, beside which both sides say anything, at any time."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.own = ""
        """The story's call."""
        self.live = {
            flow: Live(number.digits.encode(), flow.host.encode()) for flow, number in ((ALICE, CALLER), (BOB, CALLEE))
        }

    def note(self, data: bytes, source: sip.Flow, target: sip.Flow) -> None:
        """A Contact may name a place of nobody: whose side that is cannot be told."""
        if source != ENGINE or target in {phone.flow for phone in self.phones}:
            super().note(data, source, target)
        if target in self.live:
            self.live[target].note(data)

    def work(self, call_id: str, effect: object) -> None:
        """The story's own call has a way; another is refused, whoever asks for it."""
        self.own = self.own or call_id
        if self.own == call_id:
            super().work(call_id, effect)
        elif isinstance(effect, e.Route):
            refused = i.Refused(Refuse(Cause.UNKNOWN_NUMBER, None))
            self.schedule(0.0, lambda now: self.give(call_id, refused, now))
        else:
            assert isinstance(effect, e.StopAsking | e.CloseMedia), effect

    def arrive(self, data: bytes, source: sip.Flow, target: sip.Flow, now: float) -> None:
        if target == ENGINE or target in {phone.flow for phone in self.phones}:
            super().arrive(data, source, target, now)

    def say(self, chunk: bytes, now: float) -> None:
        flow = BOB if chunk[:1] and chunk[0] & 1 else ALICE
        self.core.receive(self.live[flow].fill(chunk[1:]), flow, now)
        self.pump(now)


def call(data: bytes) -> None:
    """The whole engine between two sides: no fault, nothing left, and no number of one side in bytes to the other."""
    if _says([data], CALLER) or _says([data], CALLEE):
        return  # the fuzzer reads numbers off our comparisons, and each side could then say the other's
    world = HostileWorld(3, _STORIES[data[0] % len(_STORIES) if data else 0])
    moment = 0.1  # the story's INVITE comes first
    for chunk in data[1:].split(CUT)[:MOST_MESSAGES]:
        moment += (chunk[0] >> 1) / 32 if chunk else 0.1
        world.schedule(moment, lambda now, chunk=chunk: world.say(chunk, now))  # type: ignore[misc]
    world.run()
    assert [str(fault) for fault in world.core.faults()] == []
    world.check_nothing_left()
    for received, number in ((world.to_bob, CALLER), (world.to_alice, CALLEE)):
        assert _says(received, number) == []


def _says(messages: list[bytes], number: Number) -> list[str]:
    """Spellings in any message; digits of ids and addresses that happen to be in a row with others are none."""
    return [trace for trace in traces(messages, number) if trace != "digits apart"]


def cut_stream(data: bytes) -> None:
    """The framer: it cuts the same messages whatever the segments are, keeps no more than it may, and what it hands out
    goes through the parser. The first byte says how long the segments are."""
    size, stream = (data[0] or 1 if data else 1), data[1:]
    whole, pieces = Framer(), Framer()
    at_once = whole.feed(stream)
    found: list[bytes] = []
    for begin in range(0, len(stream), size):
        found += pieces.feed(stream[begin : begin + size])
        assert len(pieces._buffer) <= MAX_HEAD + MAX_MESSAGE
    assert (found, pieces.fault) == (at_once, whole.fault)
    for message in found:
        read_message(message)


def read_credentials(data: bytes) -> None:
    """Digest's words: nothing is raised, whatever a challenge or an answer says."""
    text = data.decode("utf-8", "surrogateescape")
    parse_challenges(text)
    answer = parse_answer(text)
    asked = answer is not None and answer.qop in ("", "auth", "auth-int")
    if answer is not None and asked and (answer.algorithm or "md5").lower() in SUPPORTED:  # as the server checks first
        is_right(answer, Credentials("carrier", "secret", "realm"), "INVITE", b"")


TARGETS: dict[str, Callable[[bytes], None]] = {
    "parser": read_message, "sdp": read_description, "framer": cut_stream, "digest": read_credentials,
    "proof": prove, "intake": knock, "agent": converse, "call": call,
}  # fmt: skip
