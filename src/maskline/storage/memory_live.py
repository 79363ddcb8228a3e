"""Calls that are not over, and processes that live, in memory.

What it is: these methods of the protocol on dictionaries. What it is not: the commit of calls (`memory.py`). Who builds
on it: `memory_recordings.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from maskline.storage.kept import LiveCall, Owner, Tenure
from maskline.storage.live_store import REMEMBERED, Renewal


class MemoryLive:
    """See `maskline.storage.live_store`."""

    def __init__(self) -> None:
        super().__init__()
        self._live: dict[str, LiveCall] = {}
        self._to_end: set[str] = set()
        """Calls that are not over and whose end was asked for."""
        self._owners: dict[str, Owner] = {}

    def _keep_live(self, call: LiveCall) -> None:
        had = self._live.get(call.call_id)
        self._live[call.call_id] = call if had is None else replace(call, engine_id=had.engine_id, taken=had.taken)

    def _drop_live(self, call_id: str) -> None:
        self._live.pop(call_id, None)
        self._to_end.discard(call_id)

    def _ask_end(self, account_id: str, subaccount_id: str | None, call_id: str) -> bool:
        call = self._live.get(call_id)
        if call is None or call.account_id != account_id or subaccount_id not in (None, call.subaccount_id):
            return False
        self._to_end.add(call_id)
        return True

    def _as_asked(self, call: LiveCall) -> LiveCall:
        return replace(call, end_asked=call.call_id in self._to_end)

    async def calls_to_end(self, engine_id: str) -> list[str]:
        return [call.call_id for call in await self.live_calls(engine_id) if call.end_asked]

    def _is_lost(self, call_id: str, held: Tenure | None) -> bool:
        if held is None:
            return False
        live = self._live.get(call_id)
        return live is None or (live.engine_id, live.taken) != held

    async def live_calls(self, engine_id: str) -> list[LiveCall]:
        found = [self._as_asked(call) for call in self._live.values() if call.engine_id == engine_id]
        return sorted(found, key=lambda call: (call.kept_at, call.call_id))

    async def take_live_calls(
        self, engine_id: str, *, now: float, limit: int, own: bool = False, ended_only: bool = False, form: int = 1
    ) -> list[LiveCall]:
        left = await self.live_calls(engine_id) if own else self._left(engine_id, 0.0 if ended_only else now)
        taken = self._take([call for call in left if call.form <= form][:limit], engine_id)
        if own:
            self._take([call for call in left if call.form > form], "")
        return taken

    async def unread_calls(self, engine_id: str, *, now: float, form: int) -> list[str]:
        return [call.call_id for call in self._left(engine_id, now) if call.form > form]

    async def take_unread_calls(
        self, engine_id: str, calls: Collection[str], *, now: float, form: int
    ) -> list[LiveCall]:
        left = [call for call in self._left(engine_id, now) if call.form > form and call.call_id in calls]
        return self._take(left, engine_id)

    def _left(self, engine_id: str, now: float) -> list[LiveCall]:
        living = {engine_id, *(one.id for one in self._owners.values() if one.until > now)}
        found = [call for call in self._live.values() if call.engine_id not in living]
        return sorted(found, key=lambda call: (call.engine_id, call.kept_at, call.call_id))

    def _take(self, calls: list[LiveCall], engine_id: str) -> list[LiveCall]:
        taken = [replace(self._as_asked(call), engine_id=engine_id, taken=call.taken + 1) for call in calls]
        self._live.update({call.call_id: call for call in taken})
        return sorted(taken, key=lambda call: (call.kept_at, call.call_id))

    async def lost_calls(self, calls: Mapping[str, Tenure]) -> list[str]:
        return [call_id for call_id, held in calls.items() if self._is_lost(call_id, held)]

    async def renew_owner(self, owner: Owner, *, now: float) -> Renewal:
        before = self._owners.get(owner.id)
        others = tuple([one for one in await self.owners() if one.id != owner.id])
        renewal = Renewal(before is not None and before.until > now, others, now, before)
        self._owners[owner.id] = owner._replace(until=renewal.until)
        if before is None or not before.until:
            leavers = {call.engine_id for call in self._live.values()}
            old = [one.id for one in others if one.until < now - REMEMBERED and one.id not in leavers]
            for owner_id in old:
                del self._owners[owner_id]
        return renewal

    async def end_owner(self, owner_id: str) -> None:
        if owner_id in self._owners:
            self._owners[owner_id] = self._owners[owner_id]._replace(until=0.0)

    async def owners(self) -> list[Owner]:
        return sorted(self._owners.values(), key=lambda one: (one.kind, one.id))
