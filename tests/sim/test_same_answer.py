"""Who dials numbers through a carrier learns nothing of them: every number that leads nowhere answers the same.

What is compared is everything that an attacker on a trunk's address gets, byte by byte and moment by moment, by the
real engine over the real routing order: only the dialled number differs, so only that may differ in the answer. What
leads somewhere (a live session of this caller, a PIN to ask for, a fallback, an application) shows itself by what it is
for, and is not compared.
"""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from maskline.clock import VirtualClock
from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.core import EngineConfig, EngineCore
from maskline.ids import SeededIds
from maskline.masking.decision import Forward, NumberState, NumberUse, Refuse
from maskline.masking.e164 import Number, parse_number
from maskline.masking.facts import Cause
from maskline.masking.prompt import Prompt
from maskline.masking.routing_rules import RoutingRules, Withheld
from maskline.masking.session import SessionOptions
from maskline.sip.agent import Agent, AgentConfig
from maskline.sip.flow import Flow
from maskline.workflows.add_number import add_number
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.create_session import CreateSession, SessionWish
from maskline.workflows.route_call import RouteCall
from maskline.workflows.scope import Scope
from maskline.workflows.set_number import NumberChange, set_number
from tests.support.api_world import World
from tests.support.call_machine import A_SDP, LOCAL_A

CARRIER, STRANGER = Flow("udp", "192.0.2.10", 5060), Flow("udp", "192.0.2.66", 5060)
ATTACKER, OTHER = "6591110001", "6591110002"
"""The caller of every call here: once a party, now with no session that lives."""
FREE, TAKEN, EXPIRED, OTHERS_EXPIRED, RETIRED, RESTING, OF_ANOTHER, PIN_ONLY, OWN, NOBODYS = (
    f"65315800{place}" for place in range(11, 21)
)
NUMBERS = {
    "without sessions": FREE, "with a session of others": TAKEN, "whose session with this caller is over": EXPIRED,
    "whose sessions are all over": OTHERS_EXPIRED, "given back": RETIRED, "resting": RESTING,
    "of another tenant": OF_ANOTHER, "reserved for PINs": PIN_ONLY, "of nobody": NOBODYS,
    "of nobody, far away": "491511234567", "no number at all": "sales",
}  # fmt: skip
PROMPT = Prompt("withheld_prompt", url="https://h.example/withheld.mp3")
RULES = {
    "usual": RoutingRules(),
    "withheld refused": RoutingRules(withheld=Withheld.REJECT),
    "withheld told why": RoutingRules(withheld=Withheld.PROMPT, withheld_prompt=PROMPT),
}
HEADERS = {
    "plain": "",
    "hops used up": "Max-Forwards: 1\r\n",
    "reliable wanted": "Supported: 100rel\r\n",
    "reliable demanded": "Require: 100rel\r\n",
    "with a session timer": "Supported: timer\r\nSession-Expires: 600\r\n",
}
Sent = tuple[tuple[float, bytes], ...]


class Installation(World):
    """An account with a number of each kind, and a tenant beside it."""

    async def build(self) -> Installation:
        await self.store.open()
        acme, tenant = await self.account(), await self.account("Tenant")
        create = CreateSession(self.store, self.clock, self.ids)

        async def open_on(number: str, one: str, two: str) -> None:
            """The one number that gets sessions at that moment."""
            await self.number(acme, f"+{number}")
            made = await create(Scope(acme.id), SessionWish(Number(one), Number(two), SessionOptions()))
            assert made.virtual_number == Number(number)
            await self.say(number, NumberState.RESTING)

        await open_on(EXPIRED, ATTACKER, OTHER)
        await open_on(OTHERS_EXPIRED, "6591110003", "6591110004")
        await open_on(RETIRED, "6591110005", "6591110006")
        self.clock.advance(3601.0)
        await open_on(TAKEN, "6591110007", "6591110008")
        for number in (FREE, RESTING, OWN):
            await self.number(acme, f"+{number}")
        await self.number(tenant, f"+{OF_ANOTHER}")
        await add_number(self.store, self.clock, f"+{PIN_ONLY}", acme.id, use=NumberUse.PIN)
        for number in (EXPIRED, OTHERS_EXPIRED, TAKEN):
            await self.say(number, NumberState.ACTIVE)
        await self.say(RETIRED, NumberState.RETIRED)
        await self.say(RESTING, NumberState.RESTING)
        self.trunk = await add_trunk(
            self.store, self.clock, self.ids, TrunkWish("carrier", CARRIER.host, account_id=acme.id)
        )
        return self

    async def say(self, number: str, state: NumberState) -> None:
        await set_number(self.store, self.clock, f"+{number}", NumberChange(state))

    async def router(self, rules: RoutingRules) -> RouteCall:
        router = RouteCall(self.store, self.clock, rules)
        await router.refresh()
        return router


@dataclass
class Door:
    """One engine as it starts, and what it says to one caller."""

    world: Installation
    router: RouteCall

    def __post_init__(self) -> None:
        self.clock = VirtualClock()
        agent = Agent(AgentConfig("203.0.113.1", 5060), SeededIds(1))
        config = EngineConfig("203.0.113.1", "our-own-mark")
        self.core = EngineCore(config, agent, SeededIds(2), self.clock, self.router.trunks)
        self.later: list[tuple[float, int, str, i.Input]] = []
        self.causes: list[Cause] = []

    async def take(self, data: bytes, flow: Flow = CARRIER) -> Sent:
        """All that comes back until nothing is left to happen: the caller acknowledges nothing."""
        sent: list[tuple[float, bytes]] = []
        self.core.receive(data, flow, 0.0)
        await self._settle(sent)
        while (when := self._next()) is not None:
            self.clock.advance(max(0.0, when - self.clock.now()))
            now = self.clock.now()
            while self.later and self.later[0][0] <= now:
                _, _, call_id, inp = heapq.heappop(self.later)
                self.core.deliver(call_id, inp, now)
            self.core.handle_timer(now)
            await self._settle(sent)
        assert self.core.faults() == [] and not self.core.calls
        return tuple(sent)

    def _next(self) -> float | None:
        times = [time for time in (self.core.next_deadline(), *(entry[0] for entry in self.later[:1])) if time]
        return min(times, default=None)

    async def _settle(self, sent: list[tuple[float, bytes]]) -> None:
        now = self.clock.now()
        while work := self.core.work():
            for call_id, effect in work:
                await self._do(call_id, effect, now)
        sent += [(now, data) for data, _ in self.core.datagrams()]
        self.core.commits()

    async def _do(self, call_id: str, effect: object, now: float) -> None:
        if isinstance(effect, e.Route):
            decision = await self.router.route(effect.caller, effect.called, effect.trunk, self.world.clock.wall())
            assert isinstance(decision, Refuse), decision
            self.causes.append(decision.cause)
            self.core.deliver(call_id, i.Refused(decision), now)
        elif isinstance(effect, e.OpenMedia):
            self.core.deliver(call_id, i.MediaOpened(LOCAL_A, None), now)
        elif isinstance(effect, e.Play):
            heapq.heappush(self.later, (now + 2.0, len(self.later), call_id, i.PlayDone(effect.leg, effect.play_id)))
        elif isinstance(effect, e.CloseMedia):
            self.core.deliver(call_id, i.MediaClosed({}), now)


def message(number: str, method: str = "INVITE", caller: str = f"+{ATTACKER}", headers: str = "") -> bytes:
    body = A_SDP if method == "INVITE" else b""
    typed = "Content-Type: application/sdp\r\n" if body else ""
    user = user_of(number)
    return (
        f"{method} sip:{user}@203.0.113.1 SIP/2.0\r\nVia: SIP/2.0/UDP {CARRIER.host};branch=z9hG4bK-1;rport\r\n"
        f"From: <sip:{caller}@{CARRIER.host}>;tag=1\r\nTo: <sip:{user}@203.0.113.1>\r\nCall-ID: scan-1\r\n"
        f"Contact: <sip:{CARRIER.host}>\r\nCSeq: 1 {method}\r\n{headers}{typed}Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def user_of(number: str) -> str:
    return f"+{number}" if number.isdigit() else number


def neutral(sent: Sent, number: str) -> Sent:
    """Without the number, which whoever dialled it knows."""
    return tuple((when, data.replace(user_of(number).encode(), b"NUMBER")) for when, data in sent)


@pytest_asyncio.fixture
async def installation() -> AsyncIterator[Installation]:
    yield await Installation().build()


async def answers(
    world: Installation, rules: RoutingRules, caller: str, headers: str, numbers: dict[str, str]
) -> tuple[dict[str, Sent], set[Cause]]:
    router = await world.router(rules)
    found: dict[str, Sent] = {}
    causes: set[Cause] = set()
    for name, number in numbers.items():
        door = Door(world, router)
        found[name] = neutral(await door.take(message(number, caller=caller, headers=headers)), number)
        causes.update(door.causes)
    return found, causes


@pytest.mark.parametrize("headers", HEADERS)
async def test_numbers_that_lead_nowhere_answer_alike(installation: Installation, headers: str) -> None:
    found, causes = await answers(installation, RULES["usual"], f"+{ATTACKER}", HEADERS[headers], NUMBERS)
    first = found["of nobody"]
    assert b"SIP/2.0 404 " in first[-1][1] and len(first) > 5
    for name, sent in found.items():
        assert sent == first, name
    # They do differ to us: the call list and the facts say why.
    assert causes == {Cause.UNKNOWN_NUMBER, Cause.UNKNOWN_CALLER, Cause.SESSION_EXPIRED, Cause.PIN_REQUIRED}


@pytest.mark.parametrize("caller", [OWN, FREE, TAKEN])
async def test_a_forged_caller_does_not_show_that_a_number_is_ours(installation: Installation, caller: str) -> None:
    """Nor the one dialled, nor the one that is said to call."""
    numbers = {name: number for name, number in NUMBERS.items() if number != caller}
    mine, causes = await answers(installation, RULES["usual"], f"+{caller}", "", numbers)
    foreign, _ = await answers(installation, RULES["usual"], "+6599999999", "", numbers)
    assert Cause.LOOP in causes
    everything = {
        tuple((when, data.replace(b"6599999999", caller.encode())) for when, data in sent)
        for sent in (*mine.values(), *foreign.values())
    }
    assert len(everything) == 1


@pytest.mark.parametrize("rules", RULES)
async def test_a_caller_that_withholds_its_number_learns_no_more(installation: Installation, rules: str) -> None:
    numbers = {name: number for name, number in NUMBERS.items() if number.isdigit()}
    found, _ = await answers(installation, RULES[rules], "anonymous", "", numbers)
    for name, sent in found.items():
        assert sent == found["of nobody"], name
    said = b"".join(data for _, data in found["of nobody"])
    status, heard = {"usual": (433, 0), "withheld refused": (433, 0), "withheld told why": (433, 1)}[rules]
    assert f"SIP/2.0 {status} ".encode() in said
    assert said.count(b"SIP/2.0 183 ") == heard


@pytest.mark.parametrize(
    "method", ["OPTIONS", "REGISTER", "SUBSCRIBE", "MESSAGE", "REFER", "NOTIFY", "PUBLISH", "INFO", "BYE", "UPDATE",
               "PRACK", "CANCEL", "ACK", "FOO"],
)  # fmt: skip
async def test_no_other_method_tells_numbers_apart(installation: Installation, method: str) -> None:
    router = await installation.router(RULES["usual"])
    found = {
        neutral(await Door(installation, router).take(message(number, method)), number) for number in NUMBERS.values()
    }
    assert len(found) == 1


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "REGISTER", "ACK", "BYE"])
async def test_an_address_of_no_trunk_gets_nothing_for_any_number(installation: Installation, method: str) -> None:
    router = await installation.router(RULES["usual"])
    for number in NUMBERS.values():
        assert await Door(installation, router).take(message(number, method), STRANGER) == ()


async def test_the_comparison_sees_a_number_that_does_lead_somewhere(installation: Installation) -> None:
    """Else it would prove nothing: a party of the live session is let through."""
    router = await installation.router(RULES["usual"])
    decision = await router.route(
        parse_number("+6591110007"), Number(TAKEN), installation.trunk, installation.clock.wall()
    )
    assert isinstance(decision, Forward) and decision.callee == Number("6591110008")
