"""Between domain values and rows: which column holds what, and which values are sealed.

What it is: one pair of functions per table, in the column order of `queries.sql`. What it is not: SQL. Who
uses it: the SQL stores. Writing functions run in the caller's thread, before the transaction, so that the
writer only binds tuples.

Sealed numbers have a fixed width (the longest number has 17 digits), so a sealed value does not tell how long
a number is, or whether it is there at all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from maskline.masking.call_record import CallRecord, LegRecord, Quality
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, Fact, HungUpBy, LegName, Outcome, fact_details, restore_fact
from maskline.masking.session import Interaction, NewSession, Role, Session, SessionOptions
from maskline.masking.trunk import Trunk
from maskline.storage.crypto import Sealer
from maskline.storage.store import Account, Endpoint, OutboxRow

Row = Sequence[Any]

_WIDTH = 18
_to_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_CLEAR_LEG_FIELDS = tuple(f.name for f in fields(LegRecord) if f.name not in ("source", "destination", "quality"))
_QUALITY_FIELDS = tuple(f.name for f in fields(Quality))


# -- numbers in fixed width --------------------------------------------------------------------------------------
def _pack(*numbers: Number | None) -> bytes:
    return "".join([(number.digits if number else "").ljust(_WIDTH) for number in numbers]).encode()


def _unpack(plain: bytes) -> list[Number | None]:
    texts = [plain[i : i + _WIDTH].decode().rstrip() for i in range(0, len(plain), _WIDTH)]
    return [Number(text) if text else None for text in texts]


def _number(e164: str) -> Number:
    return Number(e164[1:])


# -- accounts and their things -----------------------------------------------------------------------------------
def account_to_row(account: Account, sealer: Sealer) -> Row:
    token = sealer.seal(account.auth_token.encode(), f"accounts.auth_token:{account.id}")
    return (account.id, account.name, account.parent_id, token, account.created_at)


def account_from_row(row: Row, sealer: Sealer) -> Account:
    token = sealer.unseal(row[3], f"accounts.auth_token:{row[0]}").decode()
    return Account(row[0], row[1], row[2], token, row[4])


def number_to_row(number: VirtualNumber, position: int, now: float) -> Row:
    pool_id = number.subaccount_id or number.account_id
    return (*_number_columns(number), pool_id, position, now)


def _number_columns(number: VirtualNumber) -> Row:
    return (number.number.e164, number.account_id, number.subaccount_id, number.reference_id, number.country)


def number_from_row(row: Row) -> VirtualNumber:
    return VirtualNumber(_number(row[0]), *row[1:])


def trunk_to_row(trunk: Trunk, password: str, now: float, sealer: Sealer) -> list[Any]:
    """Without the position, which the transaction puts in before the last column."""
    return [
        trunk.id, trunk.name, trunk.account_id, trunk.host, trunk.port, trunk.transport, trunk.username,
        _to_json(trunk.prefixes), trunk.nat, sealer.seal(password.encode(), f"trunks.password:{trunk.id}"), now,
    ]  # fmt: skip


def trunk_from_row(row: Row) -> Trunk:
    values = (*row[:7], tuple(json.loads(row[7])), bool(row[8]))
    return Trunk(*values)


def endpoint_to_row(endpoint: Endpoint, sealer: Sealer) -> Row:
    sealed = sealer.seal(endpoint.authorization.encode(), _endpoint_context(endpoint.account_id, endpoint.kind))
    return (endpoint.account_id, endpoint.kind, endpoint.url, sealed, endpoint.external_id)


def endpoint_from_row(row: Row, sealer: Sealer) -> Endpoint:
    authorization = sealer.unseal(row[3], _endpoint_context(row[0], row[1])).decode()
    return Endpoint(row[0], row[1], row[2], authorization, row[4])


def _endpoint_context(account_id: str, kind: str) -> str:
    return f"endpoints.authorization:{account_id} {kind}"


# -- sessions ----------------------------------------------------------------------------------------------------
def session_to_row(new: NewSession, virtual_number: Number, expires_at: float, sealer: Sealer) -> Row:
    parties = sealer.seal(_pack(new.first_party, new.second_party), f"sessions.parties:{new.id}")
    return (
        new.id, new.account_id, new.subaccount_id, sealer.number_hash(new.first_party),
        sealer.number_hash(new.second_party), parties, virtual_number.e164, options_to_text(new.options),
        new.created_at, new.created_at, expires_at, new.options.session_expiry,
    )  # fmt: skip


def session_from_row(row: Row, sealer: Sealer, interactions: tuple[Interaction, ...] = ()) -> Session:
    first, second = _unpack(sealer.unseal(row[3], f"sessions.parties:{row[0]}"))
    values = (*row[:3], first, second, _number(row[4]), _options_from_text(row[5]), *row[6:], interactions)
    return Session(*values)


@lru_cache(maxsize=4096)
def options_to_text(options: SessionOptions) -> str:
    return _to_json(asdict(options))


@lru_cache(maxsize=4096)
def _options_from_text(text: str) -> SessionOptions:
    # Cached, because an account's sessions mostly have the same options and matching reads one per call.
    return SessionOptions(**json.loads(text))


def interaction_to_row(session_id: str, done: Interaction) -> Row:
    return (
        done.call_id, session_id, done.started_at, done.ended_at, done.caller.value, done.first_party_leg_id,
        done.second_party_leg_id, done.duration, done.billed_duration, done.legs,
    )  # fmt: skip


def interaction_from_row(row: Row) -> Interaction:
    return Interaction(row[0], row[1], row[2], Role(row[3]), *row[4:])


# -- calls and facts ---------------------------------------------------------------------------------------------
def call_to_row(record: CallRecord, sealer: Sealer) -> Row:
    numbers = [number for leg in record.legs for number in (leg.source, leg.destination)]
    return (
        record.id, record.account_id, record.subaccount_id, record.session_id,
        record.caller.value if record.caller else None, record.virtual_number.e164, record.reference_id,
        record.started_at, record.ended_at, record.outcome.value, record.cause.value, record.hung_up_by.value,
        _to_json([_leg_to_json(leg) for leg in record.legs]),
        # Room for two legs in any case: its length does not tell whether the second party was dialled.
        sealer.seal(_pack(*numbers).ljust(4 * _WIDTH), f"calls.parties:{record.id}"),
    )  # fmt: skip


def call_from_row(row: Row, sealer: Sealer) -> CallRecord:
    numbers = _unpack(sealer.unseal(row[13], f"calls.parties:{row[0]}"))
    legs = [_leg_from_json(leg, *numbers[2 * i : 2 * i + 2]) for i, leg in enumerate(json.loads(row[12]))]
    return CallRecord(
        row[0], row[1], row[2], row[3], Role(row[4]) if row[4] else None, _number(row[5]), row[6], row[7], row[8],
        Outcome(row[9]), Cause(row[10]), HungUpBy(row[11]), tuple(legs),
    )  # fmt: skip


def _leg_to_json(leg: LegRecord) -> dict[str, Any]:
    values = {name: getattr(leg, name) for name in _CLEAR_LEG_FIELDS}
    if leg.quality is not None:
        values["quality"] = {name: getattr(leg.quality, name) for name in _QUALITY_FIELDS}
    return values


def _leg_from_json(values: dict[str, Any], source: Number | None, destination: Number | None) -> LegRecord:
    quality = values.pop("quality", None)
    values["leg"] = LegName(values["leg"])
    values["outcome"] = Outcome(values["outcome"])
    values["cause"] = Cause(values["cause"])
    values["hung_up_by"] = HungUpBy(values["hung_up_by"])
    return LegRecord(
        source=source, destination=destination or Number(""), quality=Quality(**quality) if quality else None, **values
    )


def fact_to_row(fact: Fact) -> Row:
    """Without the position, which the transaction gives."""
    details = _details_to_text(tuple(fact_details(fact).items()))
    return (fact.subject, fact.sequence, fact.at, fact.name, details)


@lru_cache(maxsize=8192)
def _details_to_text(details: tuple[tuple[str, Any], ...]) -> str:
    # Cached, because most facts say one of a few things ("leg b answered") and a call has six of them.
    return _to_json(dict(details))


def fact_from_row(row: Row) -> Fact:
    return restore_fact(row[4], row[1], row[2], row[3], json.loads(row[5]))


# -- outbox ------------------------------------------------------------------------------------------------------
LANE = 14
"""Where `outbox_to_row` puts the lane."""


def outbox_to_row(row: OutboxRow, sealer: Sealer) -> Row:
    """Without the state, which depends on the lane and is the last column."""
    authorization = row.authorization.encode()
    content = len(authorization).to_bytes(4, "big") + authorization + row.body
    # The subject comes first: subjects are time-ordered, so rows of one moment are neighbours in the index.
    lane = f"{row.subject} {blake2b(row.url.encode(), digest_size=8).hexdigest()}"
    return (
        row.id, row.account_id, row.subaccount_id, row.subject, row.sequence, row.dialect, row.event, row.method,
        row.url, row.content_type, sealer.seal(content, f"outbox.content:{row.id}"), row.created_at, row.attempts,
        row.due_at, lane, row.last_status, row.last_error,
    )  # fmt: skip


def outbox_from_row(row: Row, sealer: Sealer) -> OutboxRow:
    content = sealer.unseal(row[10], f"outbox.content:{row[0]}")
    end = 4 + int.from_bytes(content[:4], "big")
    values = (*row[:10], content[end:], content[4:end].decode(), *row[11:])
    return OutboxRow(*values)
