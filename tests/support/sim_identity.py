"""The simulation with other people in it: who calls and who is called, in everything their phones say.

What it is: `IdentityWorld`, a `World` whose parties are `Person`s. The phones stay those of `sim_phones.py`; what they
send is rewritten on its way out, and their random ids are their own. What it is not: what a party hides where
(`hiding_places.py`). Who uses it: tests/sim/test_identity_*.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from maskline.ids import SeededIds
from maskline.masking.e164 import Number
from maskline.masking.trunk import USUAL_PRESENTATION, IdentityHeader, NumberFormat, Presentation, Trunk
from maskline.sip.agent import Agent, AgentConfig
from maskline.sip.events import Flow
from tests.support.call_machine import CALLEE, CALLER
from tests.support.engine_world import World
from tests.support.sim_phones import Phone
from tests.support.sim_scenario import A_MEDIA, ALICE, B_MEDIA, BOB, BOB_2, ENGINE, REALM, proof

_BELOW = re.compile(rb"\r\n(?:Via: SIP/2.0/UDP [^;\r]*\.example|Record-Route: )[^\r]*")
Rewrite = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Person:
    """Everything that tells one party from another."""

    number: Number
    flow: Flow
    media: str
    name: str = "Wonder"
    software: str = "phone/7"
    ids: str = ""
    """What Call-IDs, tags and branches of its phone begin with."""
    seed: int = 2
    words: str = "somebody"
    """In reason phrases, Contact hosts and lines of the SDP."""
    rewrite: Rewrite | None = None
    """Done last to each message it sends."""


ANNA = Person(CALLER, ALICE, A_MEDIA)
BEN = Person(CALLEE, BOB, B_MEDIA, seed=3)


_HEADERS = tuple(IdentityHeader)
PRESENTATIONS = {
    "all headers": Presentation(_HEADERS),
    "nothing": Presentation(()),
    "bare": Presentation((IdentityHeader.REMOTE_PARTY,), NumberFormat.E164, privacy=True),
    "national": Presentation(_HEADERS, NumberFormat.NATIONAL, "+65", "9#", privacy=True),
}
"""Beside the usual one."""


class TellingIds(SeededIds):
    """Ids that begin with a word."""

    def __init__(self, seed: int, word: str) -> None:
        super().__init__(seed)
        self._word = word

    def token(self, nbytes: int = 8) -> str:
        # Fewer are a chance that is taken, or where numbers begin, and no name of anything.
        return super().token(nbytes) if nbytes < 8 else self._word + super().token(nbytes)


@dataclass
class IdentityWorld(World):
    anna: Person = ANNA
    ben: Person = BEN
    presentation: Presentation = USUAL_PRESENTATION
    """How all trunks want to be spoken to."""
    timed: dict[str, list[tuple[float, Flow, bytes]]] = field(default_factory=lambda: {"a": [], "b": []})
    """What the engine sent to each side, when and where."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.compares = False  # what is written over its SDP here is not what the phone has in mind
        self.numbers = (self.anna.number, self.ben.number)
        first, second, third = self.trunks
        trunks = (_trunk(first, self.anna.flow), _trunk(second, self.ben.flow), third)
        self.trunks = tuple(replace(trunk, presentation=self.presentation) for trunk in trunks)
        self._become(self.alice, self.anna, self.anna.flow)
        self._become(self.bob, self.ben, self.ben.flow)
        self._become(self.bob_2, replace(self.ben, seed=self.ben.seed + 1), BOB_2)
        a, b = self.anna, self.ben
        self._words = {
            self.alice.flow: (
                (CALLER.digits, a.number.digits), (ALICE.host, a.flow.host), (A_MEDIA, a.media), ("Wonder", a.name),
                ("wonderland", a.words), ("alice 53 54", f"{a.words} {len(a.words)}53 54"), ("secret", a.words),
            ),
            self.bob.flow: (
                (BOB.host, b.flow.host), (B_MEDIA, b.media), ("elsewhere", b.words), ("alice 53 54", f"{b.words} 7 7"),
                ("Bob is out, call +6583334444", f"{b.name} is out, call +{b.number.digits}"), ("secret", b.words),
            ),
        }  # fmt: skip

    def _become(self, phone: Phone, person: Person, flow: Flow) -> None:
        phone.flow = flow
        config = AgentConfig(flow.host, flow.port, user_agent=person.software)
        # A phone that asks who we are reads its own nonce, in which a word of its choice has no place.
        word = "" if self.scenario.digest else person.ids
        phone.agent = Agent(config, TellingIds(self.seed * 10 + person.seed, word))
        if self.scenario.digest:
            phone.agent.challenge(lambda flow: (proof(ENGINE),), REALM)

    def carry(self, data: bytes, source: Flow, target: Flow, now: float) -> None:
        for old, new in self._words.get(source, ()):
            data = data.replace(old.encode(), new.encode())
        person = self.anna if source == self.alice.flow else self.ben if source == self.bob.flow else None
        if person is not None:
            data = measured(person.rewrite(data) if person.rewrite is not None else data)
        super().carry(data, source, target, now)

    def arrive(self, data: bytes, source: Flow, target: Flow, now: float) -> None:
        if target != ENGINE:
            data = _BELOW.sub(b"", data)  # what a proxy beside the phone, that never was there, would have taken off
        super().arrive(data, source, target, now)

    def note(self, data: bytes, source: Flow, target: Flow) -> None:
        super().note(data, source, target)
        if source not in (self.alice.flow, self.bob.flow, self.bob_2.flow):
            self.timed["a" if target == self.alice.flow else "b"].append((self.clock.now(), target, data))


def measured(data: bytes) -> bytes:
    """With the Content-Length that the body has now."""
    head, blank, body = data.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body)]) + blank + body


def _trunk(trunk: Trunk, flow: Flow) -> Trunk:
    return replace(trunk, name=flow.host, host=flow.host, port=flow.port, transport=flow.transport)
