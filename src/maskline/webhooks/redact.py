"""What is kept of a try and its answer: of that the first 4 kB as text, without what may be a telephone number. Pure.

What it is not: `logs.mask_text`, which keeps ids readable in our own lines; an answer is anybody's text, in which a
number may be written with spaces, dots and brackets. Who uses it: `deliver.py`.
"""

from __future__ import annotations

import re

from maskline.storage.store import OutboxRow
from maskline.storage.webhook_store import Attempt
from maskline.webhooks.schedule import TryResult

MOST = 4096
"""Bytes of an answer that are kept."""
_MAY_BE_A_NUMBER = re.compile(r"\+?\d(?:[ \t().\-/\u00a0]{0,3}\d){5,}")
"""Six digits or more, whatever stands between them; local numbers have no fewer."""
_MASK = "••••"
_SHOWN = 2


def attempt_of(row: OutboxRow, at: float, seconds: float, result: TryResult, answer: bytes = b"") -> Attempt:
    """A try of a row that began at wall second `at`."""
    fault = result.fault.value if result.fault else ""
    number = row.replayed + row.attempts + 1
    return Attempt(row.id, number, at, round(seconds * 1000), result.status, fault, redact_answer(answer))


def redact_answer(body: bytes) -> str:
    """Bytes that are no text are shown as �."""
    if not body:
        return ""
    return _MAY_BE_A_NUMBER.sub(_masked, body[:MOST].decode(errors="replace"))


def _masked(match: re.Match[str]) -> str:
    return _MASK + match[0][-_SHOWN:]
