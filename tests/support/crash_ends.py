"""Calls whose end a customer asks for while parts die, and what must hold of each wish that was acknowledged.

What it is: the request, sent again until it is acknowledged, and the judgement of its call's record. What it is not:
the couple that talks and waits for its BYE (`crash_load.py`). Who uses it: `crash_load.py` and `crash_run.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import aiohttp

from tests.support.crash_field import Customer, Field

PATIENCE = 60.0
"""Seconds for which a request is sent again."""
_LOOKS = 10.0
"""Seconds for which a call is looked for: one whose engine dies before it is written that both talk is lost."""
CARRIED_OUT = 90.0
"""Seconds from the acknowledgement to the BYE: an engine that is dead is started again, or its calls taken over."""
_AGAIN = 0.1
_TIMEOUT = aiohttp.ClientTimeout(total=10)
_TALKING = (
    "SELECT live_calls.call_id, facts.name, facts.earlier FROM live_calls"
    " JOIN facts ON facts.subject = live_calls.call_id WHERE live_calls.session_id = $1"
)


class Ends:
    def __init__(self, field: Field, customer: Customer) -> None:
        self._field = field
        self._base = f"{field.platform.url}/maskline/v1/calls"
        self._http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {customer.key}"}, timeout=_TIMEOUT)
        self.asked: list[str] = []
        """Calls that talked when their end was acknowledged."""
        self.wrong: list[str] = []

    async def close(self) -> None:
        await self._http.close()

    async def find(self, session_id: str, over: asyncio.Event) -> str:
        """The call of this session, once it is written that both of its parties talk; empty: it is `over`, or lost."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _LOOKS
        while loop.time() < until and not over.is_set():
            rows: list[tuple[Any, ...]] = []
            with contextlib.suppress(Exception):  # a database that is killed says so in many ways
                rows = await self._field.rows(_TALKING, session_id)
            for call_id in {row[0] for row in rows}:
                told = " ".join(f"{name} {earlier}" for call, name, earlier in rows if call == call_id)
                if told.count("LegAnswered") == 2:
                    return str(call_id)
            await asyncio.sleep(_AGAIN)
        return ""

    async def ask(self, call_id: str) -> bool:
        """Until it is acknowledged."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        while loop.time() < until:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with self._http.post(f"{self._base}/{call_id}/end") as answer:
                    if answer.status in (200, 202):
                        self.asked.append(call_id)
                        return True
                    if answer.status < 500:
                        self.wrong.append(f"the end of call {call_id} was answered {answer.status}")
                        return False
            await asyncio.sleep(_AGAIN)
        self.wrong.append(f"the end of call {call_id} was not acknowledged for {PATIENCE:.0f} s")
        return False

    def judge(self, causes: Mapping[str, str], keeps_audio: bool) -> list[str]:
        """`causes`: of all ends in the fact log. Without audio a call may have ended by itself just before."""
        ended = [(call, causes.get(call, "nothing")) for call in self.asked]
        wrong = [
            f"call {call} whose end was asked for ended as {cause}"
            for call, cause in ended
            if _is_wrong(cause, keeps_audio)
        ]
        return [*self.wrong, *wrong]


def _is_wrong(cause: str, keeps_audio: bool) -> bool:
    return cause == "nothing" or (keeps_audio and cause != "ended_by_request")
