"""What one run of the crash suite does, decided by its seed: who dies and when, who asks for what, what the customer's
server answers.

What it is: pure values. What it is not: time or processes; how far each writer gets is the machine's affair, what it
does next is the seed's. Who uses it: `crash_run.py`.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PEOPLE = 16
"""Telephones that the writers' sessions are made of: few, so that one person has several numbers at a time."""
NUMBERS = 24
COUPLES = 3
TALKS = 4
"""Couples who talk before anything dies, and hang up after it."""
PATIENT = COUPLES + TALKS
"""Number of the couple that never hangs up: the ends of its calls are asked for."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One part is killed -9."""

    after: float
    """Seconds of load before, from when the first call was answered."""
    part: str
    down: float
    """Seconds until it is started again."""


@dataclass(frozen=True, slots=True)
class Talk:
    """One call of a couple."""

    ring_for: float
    talk_for: float
    caller_ends: bool
    answered: bool
    crossing: bool
    """It is over before it is answered: the caller gives up."""
    pause: float
    """Seconds after it."""


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    kills: tuple[Kill, ...]
    writers: int
    tail: float
    """Seconds of load after the last part is up again."""
    requested: bool
    """One couple is called by the platform, instead of calling."""
    recorded: bool
    """Two calls of one couple are recorded."""

    @property
    def keeps_audio(self) -> bool:
        """Nothing dies without which nobody hears anybody."""
        return not any(kill.part in ("rtpengine", "everything") for kill in self.kills)

    def random(self, who: str) -> random.Random:
        """A stream of its own: what one does is independent of how far the others are."""
        return random.Random(f"{self.seed} {who}")

    @property
    def people(self) -> list[str]:
        """Real telephones, the last of them the couples'; no two runs are likely to share one."""
        own = self.random("people")
        found: dict[str, None] = {}
        while len(found) < PEOPLE + 2 * (PATIENT + 1):
            found[f"+65{own.choice('89')}1{own.randrange(10**6):06}"] = None
        return list(found)

    def steps(self, writer: int) -> Iterator[str]:
        """What a writer does, without end."""
        own = self.random(f"steps of {writer}")
        kinds = ("create", "update", "expire", "twice", "walk away")
        while True:
            yield own.choices(kinds, (10, 6, 5, 2, 1))[0]

    def talks(self, couple: int) -> Iterator[Talk]:
        own = self.random(f"couple {couple}")
        while True:
            yield Talk(
                own.uniform(0.02, 0.15), own.uniform(0.1, 1.5), own.random() < 0.5, own.random() < 0.8,
                own.random() < 0.1, own.uniform(0.02, 0.3),
            )  # fmt: skip

    def fault(self, webhook: str) -> str:
        """What the customer's server does at its first sight of a webhook: nothing wrong (empty), `refuse` it, `drop`
        the connection after it has read it, or be `slow`."""
        told = zlib.crc32(f"{self.seed} {webhook}".encode()) % 100
        return "refuse" if told < 6 else "drop" if told < 10 else "slow" if told < 13 else ""


def make_plan(seed: int, parts: Sequence[tuple[str, int]]) -> Plan:
    """`parts`: what may be killed, and how likely."""
    own = random.Random(f"{seed} kills")
    names, weights = zip(*parts, strict=True)
    kills = [
        Kill(own.uniform(0.1, 0.9), own.choices(names, weights)[0], own.choice((0.0, 0.0, own.uniform(0.0, 0.6))))
        for _ in range(own.choice((1, 1, 2)))
    ]
    return Plan(seed, tuple(kills), own.randint(3, 5), own.uniform(0.2, 0.5), own.random() < 0.5, own.random() < 0.2)
