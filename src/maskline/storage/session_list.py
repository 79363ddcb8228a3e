"""The conditions of a session list, as SQL both databases understand.

What it is: the one place where SQL is put together from pieces, all of them constants; values are always
parameters. What it is not: a query builder for anything else. Who uses it: the SQL stores.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from maskline.masking.session import SessionStatus
from maskline.storage.crypto import Sealer
from maskline.storage.filters import SessionFilter
from maskline.storage.queries import load_queries

_QUERIES = load_queries()
_OPERATORS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_EXPIRED = "(calls_in_progress = 0 AND (ended_at IS NOT NULL OR expires_at <= {}))"
_STATUS = {
    SessionStatus.IN_PROGRESS: "calls_in_progress > 0",
    # Not written as an OR, which SQLite would look up in two indexes before it sorts all they hold.
    SessionStatus.ACTIVE: "NOT " + _EXPIRED,
    SessionStatus.EXPIRED: _EXPIRED,
}
_ORDER = " ORDER BY created_at DESC, id DESC"
_FIRST_NUMBER = "virtual_number = {}"
_SECOND_NUMBER = "second_virtual_number = {} AND virtual_number <> {}"


class SessionList(NamedTuple):
    """A page and its total, as SQL with `$1 …` and the parameters of both."""

    page: str
    total: str
    values: list[Any]


def session_list(
    account_id: str, wanted: SessionFilter, wall: float, sealer: Sealer, *, limit: int, offset: int
) -> SessionList:
    """Newest first; always bound to the account."""
    alternatives, values = _conditions(account_id, wanted, wall, sealer)
    # A session has a number twice in two columns: each has an index in the order of the list, which an OR would not
    # use, and the two halves are merged in that order.
    page = " UNION ALL ".join(_QUERIES["list_sessions"] + where for where in alternatives)
    count = " + ".join(f"({_QUERIES['count_sessions']}{where})" for where in alternatives)
    return SessionList(f"{page}{_ORDER} LIMIT {int(limit)} OFFSET {int(offset)}", f"SELECT {count}", values)


def _conditions(account_id: str, wanted: SessionFilter, wall: float, sealer: Sealer) -> tuple[list[str], list[Any]]:
    """` WHERE …` for each place where the sessions may be found, and the parameters."""
    terms: list[str] = []
    values: list[Any] = []

    def add(term: str, value: Any) -> None:
        values.append(value)
        terms.append(term.replace("{}", f"${len(values)}"))

    # With a party, number or subaccount the account is a check of few rows and not where to look: an expression keeps
    # databases without statistics from choosing its index.
    narrow = (wanted.first_party, wanted.second_party, wanted.virtual_number, wanted.subaccount_id)
    add("account_id = {}" if narrow == (None,) * len(narrow) else "account_id || '' = {}", account_id)
    if wanted.first_party is not None:
        add("first_party_hash = {}", sealer.number_hash(wanted.first_party))
    if wanted.second_party is not None:
        add("second_party_hash = {}", sealer.number_hash(wanted.second_party))
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
    if wanted.virtual_number is None:
        return [_where(terms)], values
    values.append(wanted.virtual_number.e164)
    numbers = [term.replace("{}", f"${len(values)}") for term in (_FIRST_NUMBER, _SECOND_NUMBER)]
    return [_where([*terms, number]) for number in numbers], values


def _where(terms: list[str]) -> str:
    return " WHERE " + " AND ".join(terms)
