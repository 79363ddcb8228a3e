"""Between webhooks of the outbox and its rows.

What it is: as `rows.py`, for this table; what is listed for people, and what is opened to be sent. Who uses it: the SQL
stores.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b

from maskline.storage.crypto import SealBroken, Sealer
from maskline.storage.rows import Row
from maskline.storage.store import OutboxRow

UNOPENED = "its content cannot be opened"
SEQUENCE, LANE = 4, 14
"""Where `outbox_to_row` puts these."""


def outbox_to_row(row: OutboxRow, sealer: Sealer) -> Row:
    """Without the state, which depends on the lane and is the last column."""
    content = _credentials(row.authorization, row.secret) + row.body
    # The subject comes first: subjects are time-ordered, so rows of one moment are neighbours in the index.
    lane = f"{row.subject} {_url_mark(row.url)}"
    return (
        row.id, row.account_id, row.subaccount_id, row.subject, row.sequence, row.dialect, row.event, row.method,
        row.url, row.content_type, sealer.seal(content, f"outbox.content:{row.id}"), row.created_at, row.attempts,
        row.due_at, lane, row.last_status, row.last_error,
    )  # fmt: skip


@lru_cache(maxsize=4096)
def _credentials(authorization: str, secret: str) -> bytes:
    """What stands before the body. Remembered, like the mark, since an endpoint is told of many calls."""
    first, second = authorization.encode(), secret.encode()
    return len(first).to_bytes(4, "big") + len(second).to_bytes(4, "big") + first + second


@lru_cache(maxsize=4096)
def _url_mark(url: str) -> str:
    return blake2b(url.encode(), digest_size=8).hexdigest()


def outbox_from_row(row: Row, sealer: Sealer) -> OutboxRow:
    """Raises `SealBroken`."""
    content = sealer.unseal(row[10], f"outbox.content:{row[0]}")
    secret = 8 + int.from_bytes(content[:4], "big")
    end = secret + int.from_bytes(content[4:8], "big")
    authorization, secret_text = content[8:secret].decode(), content[secret:end].decode()
    return _outbox_row(row, content[end:], authorization, secret_text)


def outbox_listed(row: Row, sealer: Sealer) -> OutboxRow:
    """One whose content was damaged has none, and says so."""
    try:
        return outbox_from_row(row, sealer)
    except SealBroken:
        return replace(_outbox_row(row, b"", "", ""), last_error=UNOPENED)


def _outbox_row(row: Row, body: bytes, authorization: str, secret: str) -> OutboxRow:
    values = (*row[:10], body, authorization, *row[11:17], secret, *row[17:])
    return OutboxRow(*values)
