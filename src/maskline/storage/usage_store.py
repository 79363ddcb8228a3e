"""The part of the store protocol about limits that several engines hold together.

What it is: a part of `store.py`, by intent, held to the same contract suite. What it is not: what is counted
(`masking/usage_shared.py`). Who uses it: `workflows/share_usage.py`, where engines share a database. What an engine
told is over at `until`, so one that died holds nothing for long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from maskline.masking.usage_shared import Share, Wish

OVER_FOR = 3_600.0
"""Seconds for which what an engine told is left lying."""


class ShareElsewhere(NamedTuple):
    engine_id: str
    share: Share


class UsageStore(Protocol):
    @property
    def is_shared(self) -> bool:
        """Whether other engines may use the same database."""
        ...

    async def take_places(self, engine_id: str, wishes: Sequence[Wish], *, now: float, until: float) -> list[int]:
        """As many as are wished for each and no engine has, durable when it returns; in order. Of all engines that ask
        at a moment none gets a place that another has."""
        ...

    async def tell_usage(self, engine_id: str, shares: Sequence[Share], *, now: float, until: float) -> None:
        """Instead of what this engine told of the same accounts and numbers; forgets what has been over for long."""
        ...

    async def usage_elsewhere(self, engine_id: str, now: float) -> list[ShareElsewhere]:
        """What all others told that is not over."""
        ...

    async def ended_calls(self, cursor: int | None, limit: int) -> tuple[int, list[tuple[str, str]]]:
        """Calls of accounts with limits, (account id, call id), whose records were written behind a position, in that
        order; and up to which position these are all. None: just where the last position is."""
        ...
