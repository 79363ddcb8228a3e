"""The part of the store protocol about calls that are not over, who carries them, and which processes live.

What it is: a part of `store.py`, by intent, held to the same contract suite. What it is not: their writing, which is a
part of a call's group commit (`RecordedCall.live`), or what is kept of a call (`engine/call_kept.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from maskline.storage.kept import LiveCall, Owner, Tenure

LEASE = 15.0
"""Seconds for which a process that says that it lives is believed."""
REMEMBERED = 86_400.0
"""Seconds for which one that died is among the owners."""


class Renewal(NamedTuple):
    """What a process learns when it says that it lives."""

    in_time: bool
    """False: its lease had run out, or it is new."""
    others: tuple[Owner, ...]
    """All but itself."""
    now: float
    """By which their `until` is judged."""
    mine: Owner | None = None
    """What was there under its own id before."""

    @property
    def until(self) -> float:
        """Until when it lives from now on."""
        return self.now + LEASE

    def living(self, *kinds: str) -> list[Owner]:
        return [one for one in self.others if one.until > self.now and one.kind in kinds]


class LiveCallStore(Protocol):
    async def live_calls(self, engine_id: str) -> list[LiveCall]:
        """Calls of this engine that have no record, in order of their keeping; here and below the `state` of one that
        was damaged is empty."""
        ...

    async def take_live_calls(
        self, engine_id: str, *, now: float, limit: int, own: bool = False, ended_only: bool = False, form: int = 1
    ) -> list[LiveCall]:
        """For this engine calls of others that have not said in time that they live, in order of their keeping and
        `limit` at most, with `ended_only` of those alone that said that they end, or of whom nothing is known; or, with
        `own`, what an earlier start of it left. Their former engine's commits for them are
        refused from now on. None of a later form than `form`: these are for who can read them, those of our own are
        nobody's from now on."""
        ...

    async def unread_calls(self, engine_id: str, *, now: float, form: int) -> list[str]:
        """Calls of others that have not said in time that they live, in a later form than `form`; by id."""
        ...

    async def take_unread_calls(
        self, engine_id: str, calls: Collection[str], *, now: float, form: int
    ) -> list[LiveCall]:
        """As `take_live_calls` what `unread_calls` still names of `calls`, for who has waited long enough for somebody
        to read them."""
        ...

    async def lost_calls(self, calls: Mapping[str, Tenure]) -> list[str]:
        """Those of them that are over, or that another engine has by now."""
        ...

    async def ask_call_end(self, account_id: str, subaccount_id: str | None, call_id: str, *, now: float) -> bool:
        """Keep that this call is to end, for whichever engine has it, or comes to have it. The wish goes with the call;
        one of a call that is not begun yet (`add_requested_flow`) goes over to it. False: the account, or its
        subaccount where one is named, has no call of this id that is not over."""
        ...

    async def calls_to_end(self, engine_id: str) -> list[str]:
        """Calls that this engine has, and whose end was asked for. Never suspends on SQLite."""
        ...

    async def renew_owner(self, owner: Owner, *, now: float) -> Renewal:
        """It lives for `LEASE` seconds from now: the database's time on PostgreSQL, else `now`."""
        ...

    async def end_owner(self, owner_id: str) -> None:
        """It lives no more; its calls are anybody's at once."""
        ...

    async def free_leases(self, owners: Sequence[str], *, now: float) -> int:
        """What processes that are dead had leased is anybody's at once: webhooks, which are sent again, recordings,
        tables of calls, and calls that were asked for, which are not begun any more, since they may have been. Their
        results are refused. Returns how many rows."""
        ...

    async def owners(self) -> list[Owner]:
        """Those that live, and those that died lately or left calls; by kind and id."""
        ...
