"""End one masking session by request. Called by the dialects and the CLI.

What it is: the manual end. What it is not: the timed one (`expire_sessions.py`), which alone is reported as
SessionTimeout. A call in progress goes on until its own limit (plivo-vts.md §6.1).
"""

from __future__ import annotations

from maskline.clock import Clock
from maskline.errors import SessionEnded
from maskline.masking.session import Session
from maskline.storage.store import Store
from maskline.webhooks.formats import native
from maskline.workflows.get_session import get_session
from maskline.workflows.hooks import SessionHook, nobody_asks
from maskline.workflows.native_outbox import native_session_rows
from maskline.workflows.scope import Scope


async def expire_session(
    store: Store, clock: Clock, scope: Scope, session_id: str, ended: SessionHook = nobody_asks
) -> Session:
    """Return the ended session. Raises `NotFound`, and `SessionEnded` when it was over already, by request or
    by time, whether or not the sweeper has come by. `ended` is called once it is over."""
    now = clock.wall()
    session = await get_session(store, scope, session_id)
    if not session.is_live(now):
        raise SessionEnded
    rows = await native_session_rows(store, session.ended(now), native.SESSION_EXPIRED, now)
    session = await store.end_session(scope.account_id, session_id, now=now, by_request=True, outbox=rows)
    ended(session)
    return session
