"""The conditions of a session list, as SQL both databases understand.

What it is: the one place where SQL is put together from pieces, all of them constants; values are always
parameters. What it is not: a query builder for anything else. Who uses it: the SQL stores.
"""

from __future__ import annotations

from typing import Any

from maskline.masking.session import SessionStatus
from maskline.storage.crypto import Sealer
from maskline.storage.store import SessionFilter

_OPERATORS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_STATUS = {
    SessionStatus.IN_PROGRESS: "calls_in_progress > 0",
    SessionStatus.ACTIVE: "calls_in_progress = 0 AND ended_at IS NULL AND expires_at > {}",
    SessionStatus.EXPIRED: "calls_in_progress = 0 AND (ended_at IS NOT NULL OR expires_at <= {})",
}
ORDER = " ORDER BY created_at DESC, id DESC"


def conditions(account_id: str, wanted: SessionFilter, wall: float, sealer: Sealer) -> tuple[str, list[Any]]:
    """` WHERE …` with `$1 …`, and the parameters; always bound to the account."""
    terms: list[str] = []
    values: list[Any] = []

    def add(term: str, value: Any) -> None:
        values.append(value)
        terms.append(term.replace("{}", f"${len(values)}"))

    add("account_id = {}", account_id)
    if wanted.first_party is not None:
        add("first_party_hash = {}", sealer.number_hash(wanted.first_party))
    if wanted.second_party is not None:
        add("second_party_hash = {}", sealer.number_hash(wanted.second_party))
    if wanted.virtual_number is not None:
        add("(virtual_number = {} OR second_virtual_number = {})", wanted.virtual_number.e164)
    if wanted.subaccount_id is not None:
        add("subaccount_id = {}", wanted.subaccount_id)
    if wanted.status == SessionStatus.IN_PROGRESS:
        terms.append(_STATUS[SessionStatus.IN_PROGRESS])
    elif wanted.status != "all":
        add(_STATUS[SessionStatus(wanted.status)], wall)
    bounds = {"created_at": wanted.created, "expires_at": wanted.expires, "planned_duration": wanted.duration}
    for column, limits in bounds.items():
        for operator, value in limits:
            add(f"{column} {_OPERATORS[operator]} {{}}", value)
    return " WHERE " + " AND ".join(terms), values
