"""Replay the whole fact log: could any caller have reached a stranger? Called by `maskline pool verify`."""

from __future__ import annotations

from maskline.masking.verify import Certificate, Replay, Violation
from maskline.storage.store import Store

_PAGE = 2_000


async def verify_pool(store: Store, until: int | None = None) -> Certificate | Violation:
    """The first violation, or the certificate of the log up to the position `until`, or to its end as it is when that
    is reached. Reads a page at a time. Raises `UnreadableFact` where another version wrote the log: neither
    can be told then."""
    replay, cursor = Replay(), 0
    while page := await store.replay_since(cursor, _PAGE):
        for position, fact, parties in page:
            if until is not None and position > until:
                return replay.certificate()
            violation = replay.feed(position, fact, parties)
            if violation is not None:
                return violation
        cursor = page[-1][0]
    return replay.certificate()
