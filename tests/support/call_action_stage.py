"""A platform whose calls are steered by a customer's own application, between telephones that talk and listen.

What it is: `call_action_field.ActionField` with the lab's carrier and any number of its phones, two for each story, so
that stories are told side by side. What it is not: the stories. Who uses it: tests/wire/test_call_action.py.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from functools import wraps
from pathlib import Path
from typing import Any

from maskline.lab import sound
from maskline.lab.carrier import Carrier
from maskline.lab.leaks import find_leaks
from maskline.lab.likeness import Search
from maskline.lab.phone import Behaviour, Phone
from maskline.lab.sound import Samples
from maskline.lab.tones import heard_tone
from maskline.masking.e164 import parse_number
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from tests.support.call_action_field import VIRTUAL, ActionField
from tests.support.customer import Customer, Payload
from tests.support.platform_store import services_of

HOST = "127.0.0.1"
TONES = (440, 1000)
_LOOK = 0.3
"""Seconds between two looks at what was heard: rarely, since a dozen telephones talk in this very process."""

_EARLY = 0.3
"""Seconds: what follows at once must not be cut at its beginning."""
AT_ONCE = 6
"""Stories. The telephones' sound has to keep its time."""


class Stage:
    def __init__(self, folder: Path, **settings: str) -> None:
        self.field = ActionField(folder, 0, **settings)
        self.carrier = Carrier(self.field.platform.sip_address)
        self._phones: list[Phone] = []
        self._spoken: dict[str, Samples] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._told: dict[str, asyncio.Task[None]] = {}
        self._failed: set[str] = set()

    @property
    def customer(self) -> Customer:
        return self.field.customer

    async def open(self, *texts: str) -> None:
        """`texts`: what will be said, and is to be recognised."""
        await self.carrier.open(HOST)
        self.customer.start()
        await self.field.provision()
        async with services_of(self.field.platform) as services:
            wish = TrunkWish("lab", *self.carrier.address, prefixes=("+65",))
            await add_trunk(services.store, services.clock, services.ids, wish)
        await self.field.platform.start()
        for text in texts:
            shown = await asyncio.to_thread(self.field.cli, "prompt", "say", text, "--voice", "en-us-f")
            (self._spoken[text],) = sound.read_wav(Path(shown["path"]))

    def tell(self, names: Collection[str]) -> None:
        """Begin these stories, side by side."""
        for name in STORIES.keys() & names:
            self._told[name] = asyncio.create_task(self._tell(STORIES[name]))

    async def _tell(self, story: Story) -> None:
        async with self._turns:
            await story(self)

    async def outcome(self, name: str) -> None:
        """Wait for a story; raises what it raised. Who asks again after that has it told anew (decision 0033)."""
        if name in self._failed:
            self._failed.remove(name)
            self.tell([name])
        try:
            await self._told[name]
        except BaseException:
            self._failed.add(name)
            raise

    async def all_told(self) -> None:
        await asyncio.gather(*self._told.values(), return_exceptions=True)

    async def close(self) -> None:
        for phone in self._phones:
            phone.close()
        self.carrier.close()
        await asyncio.to_thread(self.field.close)
        for phone in self._phones:
            sip = [item.data for item in phone.trace if not item.sent]
            others = [other.number for other in self._phones if other is not phone]
            assert [leak for number in others for leak in find_leaks(sip, number)] == [], phone.name

    def spoken(self, text: str) -> Samples:
        return self._spoken[text]

    async def phone(self, tone: int, behaviour: Behaviour = Behaviour.ANSWER) -> Phone:
        """A new one, of a number nobody else has."""
        phone = Phone(f"phone-{len(self._phones)}", parse_number(f"+6598{len(self._phones):06d}"), tone, behaviour)
        self._phones.append(phone)
        await phone.open(HOST)
        self.carrier.add_line(phone.number, phone.address)
        return phone

    async def two(self, behaviour: Behaviour = Behaviour.ANSWER, *, booked: bool = True) -> tuple[Phone, Phone]:
        caller, callee = await self.phone(TONES[0]), await self.phone(TONES[1], behaviour)
        if booked:
            await self.ask(self.customer.book, caller.number.e164, VIRTUAL, callee.number.e164)
        return caller, callee

    def dial(self, phone: Phone, virtual: str = VIRTUAL) -> None:
        phone.dial(parse_number(virtual), self.carrier.address)

    async def script(self, phone: Phone, *answers: dict[str, Any]) -> None:
        await self.ask(self.customer.script, phone.number.e164, *answers)

    async def ask(self, question: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Something that blocks, in a thread."""
        return await asyncio.to_thread(question, *arguments, **options)

    async def summary(self, phone: Phone) -> Payload:
        found: Payload = await self.ask(self.customer.summary, phone.number.e164)
        return found


def assert_nothing_leaked(*phones: Phone) -> None:
    for phone in phones:
        for other in phones:
            secret = f"{other.address[0]}:{other.address[1]}".encode()
            assert phone is other or find_leaks(phone.received, other.number, secrets=[secret]) == []


async def hears_tone(listener: Phone, speaker: Phone, within: float = 30.0) -> None:
    """As soon as the latest half second is the other's tone."""
    deadline = time.monotonic() + within
    tone = None
    while tone != speaker.tone:
        assert time.monotonic() < deadline, f"{listener.name} heard {tone} Hz instead of {speaker.tone}"
        await asyncio.sleep(_LOOK)
        latest = listener.ear.voices[-25:]
        tone = heard_tone(b"".join(item.payload for item in latest), TONES) if len(latest) == 25 else None


async def hears(listener: Phone, what: Samples, since: float = 0.0, within: float = 30.0) -> float:
    """As soon as it was heard to its end; returns a monotonic second just before that end. `since`: one of those."""
    deadline = time.monotonic() + within + len(what) / sound.RATE
    search = Search(what)
    while True:
        await asyncio.sleep(_LOOK)
        match = search.look(listener.ear.samples(since))
        if match.heard:
            begun = next(item.at for item in listener.ear.voices if item.at >= since)
            return begun + match.seconds + len(what) / sound.RATE - _EARLY
        assert time.monotonic() < deadline, f"{listener.name} did not hear it, likeness {match.likeness:.2f}"


async def happens(event: asyncio.Event, seconds: float = 30.0) -> None:
    await asyncio.wait_for(event.wait(), seconds)


Story = Callable[[Stage], Awaitable[None]]
STORIES: dict[str, Story] = {}


def together(story: Story) -> Story:
    """A test whose call runs beside those of all others so marked: most of their time is waiting."""
    STORIES[story.__name__] = story

    @wraps(story)
    async def awaited(stage: Stage) -> None:
        await stage.outcome(story.__name__)

    return awaited
