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
from typing import Any

from pydantic_core import to_json

from maskline.json_text import json_texts
from maskline.masking.call_record import CallParties, CallRecord, FlowRecord, LegRecord, Quality
from maskline.masking.decision import NumberState, NumberUse, VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, HungUpBy, LegName, Outcome
from maskline.masking.policy import AccountPolicy
from maskline.masking.price import Direction, Price
from maskline.masking.recording import Recording, RecordingStatus
from maskline.masking.redaction import Redaction
from maskline.masking.session import Interaction, PoolMode, Role, Session, SessionOptions
from maskline.storage.crypto import Sealer
from maskline.storage.kept import RequestedFlow
from maskline.storage.rows_limits import limits_from_text, limits_to_text
from maskline.storage.store import Account, Endpoint

Row = Sequence[Any]

_WIDTH = 18
encode_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_DEFAULT_OPTIONS = asdict(SessionOptions())
_MODES: dict[str, PoolMode] = {mode.value: mode for mode in PoolMode}
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
    return (
        account.id, account.name, account.parent_id, _seal_tokens(account, sealer), account.created_at,
        account.enabled, _policy_to_text(account.policy), account.modified_at, account.external_id,
        account.redaction.value, *_limits_to_row(account),
    )  # fmt: skip


def account_changes_to_row(account: Account, sealer: Sealer) -> Row:
    tokens, policy = _seal_tokens(account, sealer), _policy_to_text(account.policy)
    return (
        account.id, account.name, tokens, account.enabled, policy, account.modified_at, account.external_id,
        account.redaction.value, *_limits_to_row(account),
    )  # fmt: skip


def account_from_row(row: Row, sealer: Sealer) -> Account:
    tokens = json.loads(sealer.unseal(row[3], f"accounts.auth_tokens:{row[0]}"))
    values = (*row[:3], tuple(tokens), row[4], bool(row[5]), _policy_from_text(row[6]), *row[7:9], Redaction(row[9]))
    return Account(*(*values, limits_from_text(row[10]), row[11], tuple(row[12].split())))


def _limits_to_row(account: Account) -> Row:
    return limits_to_text(account.limits), account.stopped, " ".join(account.countries)


def _seal_tokens(account: Account, sealer: Sealer) -> bytes:
    return sealer.seal(encode_json(account.auth_tokens).encode(), f"accounts.auth_tokens:{account.id}")


def _policy_to_text(policy: AccountPolicy | None) -> str | None:
    return None if policy is None else encode_json(asdict(policy))


def _policy_from_text(text: str | None) -> AccountPolicy | None:
    if text is None:
        return None
    values = json.loads(text)
    return AccountPolicy(**{**values, "modes": tuple(map(PoolMode, values["modes"]))})


def number_to_row(number: VirtualNumber, position: int, now: float, sealer: Sealer) -> Row:
    return (
        number.number.e164, number.account_id, number.subaccount_id, number.reference_id, number.country,
        number.state.value, number.use.value, number.alias, _seal_fallback(number, sealer), now, now,
        number.subaccount_id or number.account_id, position,
    )  # fmt: skip


def number_changes_to_row(number: VirtualNumber, now: float, sealer: Sealer) -> Row:
    return (
        number.number.e164, number.reference_id, number.country, number.state.value, number.use.value, number.alias,
        _seal_fallback(number, sealer), now,
    )  # fmt: skip


def number_from_row(row: Row, sealer: Sealer) -> VirtualNumber:
    fallback = _unpack(sealer.unseal(row[8], _fallback_context(row[0])))[0] if row[8] else None
    values = (*row[1:5], NumberState(row[5]), NumberUse(row[6]), row[7], fallback, row[9], row[10])
    return VirtualNumber(_number(row[0]), *values)


def _seal_fallback(number: VirtualNumber, sealer: Sealer) -> bytes | None:
    # A person's number like any party's.
    context = _fallback_context(number.number.e164)
    return sealer.seal(_pack(number.fallback), context) if number.fallback else None


def _fallback_context(number: str) -> str:
    return f"virtual_numbers.fallback:{number}"


def price_to_row(price: Price) -> Row:
    return (
        price.id, price.trunk_id or "", price.direction.value, price.prefix, price.per_minute, price.connection,
        price.increment,
    )  # fmt: skip


def price_from_row(row: Row) -> Price:
    return Price(row[0], row[1] or None, Direction(row[2]), *row[3:])


def endpoint_to_row(endpoint: Endpoint, sealer: Sealer) -> Row:
    context = _endpoint_context(endpoint.account_id, endpoint.kind)
    return (
        endpoint.account_id, endpoint.kind, endpoint.url,
        sealer.seal(endpoint.authorization.encode(), f"endpoints.authorization:{context}"), endpoint.external_id,
        endpoint.enabled, encode_json(dict(endpoint.options)),
        sealer.seal(endpoint.secret.encode(), f"endpoints.secret:{context}"), endpoint.created_at,
    )  # fmt: skip


def endpoint_from_row(row: Row, sealer: Sealer) -> Endpoint:
    context = _endpoint_context(row[0], row[1])
    authorization = sealer.unseal(row[3], f"endpoints.authorization:{context}").decode()
    secret = sealer.unseal(row[7], f"endpoints.secret:{context}").decode()
    values = (*row[:3], authorization, row[4], bool(row[5]), json.loads(row[6]), secret, row[8])
    return Endpoint(*values)


def _endpoint_context(account_id: str, kind: str) -> str:
    return f"{account_id} {kind}"


# -- sessions ----------------------------------------------------------------------------------------------------
def session_to_row(session: Session, sealer: Sealer) -> Row:
    return (
        session.id, session.account_id, session.subaccount_id, *_session_changes(session, sealer, session.created_at),
        session.amount,
    )  # fmt: skip


def session_changes_to_row(session: Session, sealer: Sealer) -> Row:
    return (session.id, *_session_changes(session, sealer))


def _session_changes(session: Session, sealer: Sealer, *created_at: float) -> Row:
    second = session.second_virtual_number
    return (
        _hash_of(session.first_party, sealer), _hash_of(session.second_party, sealer),
        sealer.seal(_pack_parties(session), f"sessions.parties:{session.id}"), session.virtual_number.e164,
        second.e164 if second else None, session.pool_mode.value, options_to_text(session.options), *created_at,
        session.modified_at, session.expires_at, session.planned_duration,
    )  # fmt: skip


def _hash_of(party: Number | None, sealer: Sealer) -> bytes | None:
    return sealer.number_hash(party) if party else None


def _pack_parties(session: Session) -> bytes:
    packed = _pack(session.first_party, session.second_party)
    if session.first_party_pin or session.second_party_pin:
        packed += f"{session.first_party_pin} {session.second_party_pin}".ljust(2 * _WIDTH).encode()
    return packed


def session_from_row(row: Row, sealer: Sealer, interactions: tuple[Interaction, ...] = ()) -> Session:
    packed = sealer.unseal(row[3], f"sessions.parties:{row[0]}")
    first, second = _unpack(packed[: 2 * _WIDTH])
    first_pin, _, second_pin = packed[2 * _WIDTH :].decode().rstrip().partition(" ")
    values = (
        *row[:3], first, second, _number(row[4]), _options_from_text(row[5]), *row[6:15], interactions,
        _MODES[row[15]], _number(row[16]) if row[16] else None, first_pin, second_pin, row[17], row[18],
    )  # fmt: skip
    return Session(*values)


@lru_cache(maxsize=4096)
def options_to_text(options: SessionOptions) -> str:
    chosen = {name: value for name, value in asdict(options).items() if value != _DEFAULT_OPTIONS[name]}
    return encode_json(chosen)


@lru_cache(maxsize=4096)
def _options_from_text(text: str) -> SessionOptions:
    # Cached, because an account's sessions mostly have the same options and matching reads one per call.
    return SessionOptions(**json.loads(text))


def interaction_to_row(session_id: str, done: Interaction) -> Row:
    return (
        done.call_id, session_id, done.started_at, done.ended_at, done.caller.value, done.first_party_leg_id,
        done.second_party_leg_id, done.duration, done.billed_duration, done.legs, done.amount, done.recording_id,
    )  # fmt: skip


def interaction_from_row(row: Row) -> Interaction:
    return Interaction(row[0], row[1], row[2], Role(row[3]), *row[4:])


# -- calls and facts ---------------------------------------------------------------------------------------------
def call_to_row(record: CallRecord, sealer: Sealer) -> Row:
    numbers = [number for leg in record.legs for number in (leg.source, leg.destination)]
    return (
        record.id, record.account_id, record.subaccount_id, record.session_id,
        record.caller._value_ if record.caller else None, record.virtual_number.e164, record.reference_id,
        record.started_at, record.ended_at, record.outcome._value_, record.cause._value_, record.hung_up_by._value_,
        _legs_to_json(record.legs),
        # Room for two legs in any case: its length does not tell whether the second party was dialled.
        sealer.seal(_pack(*numbers).ljust(4 * _WIDTH), f"calls.parties:{record.id}"),
        _seal_flow(record, sealer), record.recovered,
    )  # fmt: skip


def _seal_flow(record: CallRecord, sealer: Sealer) -> bytes | None:
    flow = record.flow
    if flow is None:
        return None
    content = encode_json([flow.last_action, flow.client_request_id, flow.requested])
    return sealer.seal(content.encode(), f"calls.flow:{record.id}")


def call_from_row(row: Row, sealer: Sealer) -> CallRecord:
    numbers = _unpack(sealer.unseal(row[13], f"calls.parties:{row[0]}"))
    legs = [_leg_from_json(leg, *numbers[2 * i : 2 * i + 2]) for i, leg in enumerate(json.loads(row[12]))]
    flow = FlowRecord(*json.loads(sealer.unseal(row[14], f"calls.flow:{row[0]}"))) if row[14] else None
    return CallRecord(
        row[0], row[1], row[2], row[3], Role(row[4]) if row[4] else None, _number(row[5]), row[6], row[7], row[8],
        Outcome(row[9]), Cause(row[10]), HungUpBy(row[11]), tuple(legs), flow, bool(row[15]),
    )  # fmt: skip


def parties_from_row(row: Row, sealer: Sealer) -> CallParties | None:
    """Of a call's row; None when all of it is NULL."""
    return None if row[0] is None else hashed_parties(call_from_row(row, sealer), sealer)


def hashed_parties(record: CallRecord, sealer: Sealer) -> CallParties:
    """Whom a call record names, as claims are looked up."""
    first, second = record.party(Role.FIRST), record.party(Role.SECOND)
    return CallParties(
        sealer.number_hash(first).hex() if first else None, sealer.number_hash(second).hex() if second else None
    )


def _legs_to_json(legs: Sequence[LegRecord]) -> str:
    """A JSON list. What most legs say alike is written once, their times together, the rest value by value: as a
    dictionary each took 28,000 instructions."""
    found: list[str] = []
    times = json_texts([at for leg in legs for at in (leg.initiated_at, leg.ringing_at, leg.answered_at, leg.ended_at)])
    at = 0
    for leg in legs:
        alike = _said_of_leg(
            leg.leg._value_, leg.inbound, leg.trunk_id, leg.outcome._value_, leg.cause._value_, leg.sip_status,
            leg.hung_up_by._value_, leg.reference_id,
        )  # fmt: skip
        quality = "" if leg.quality is None else f',"quality":{_quality_to_json(leg.quality)}'
        found.append(
            f'{{"id":"{leg.id}","initiated_at":{times[at]},"ringing_at":{times[at + 1]},'
            f'"answered_at":{times[at + 2]},"ended_at":{times[at + 3]},"amount":{leg.amount},'
            f'"billed_duration":{leg.billed_duration}{quality},{alike}'
        )
        at += 4
    return f"[{','.join(found)}]"


def _quality_to_json(quality: Quality) -> str:
    return to_json({name: getattr(quality, name) for name in _QUALITY_FIELDS}).decode()


@lru_cache(maxsize=8192)
def _said_of_leg(
    leg: str, inbound: bool, trunk_id: str, outcome: str, cause: str, sip_status: int, hung_up_by: str,
    reference_id: str,
) -> str:  # fmt: skip
    """The end of an object."""
    values = {
        "leg": leg, "inbound": inbound, "trunk_id": trunk_id, "outcome": outcome, "cause": cause,
        "sip_status": sip_status, "hung_up_by": hung_up_by, "reference_id": reference_id,
    }  # fmt: skip
    return to_json(values).decode()[1:]


def _leg_from_json(values: dict[str, Any], source: Number | None, destination: Number | None) -> LegRecord:
    quality = values.pop("quality", None)
    values["leg"] = LegName(values["leg"])
    values["outcome"] = Outcome(values["outcome"])
    values["cause"] = Cause(values["cause"])
    values["hung_up_by"] = HungUpBy(values["hung_up_by"])
    return LegRecord(
        source=source, destination=destination or Number(""), quality=Quality(**quality) if quality else None, **values
    )


def recording_to_row(recording: Recording, sealer: Sealer) -> Row:
    parties = sealer.seal(_pack(recording.caller, recording.callee), f"recordings.parties:{recording.id}")
    return (
        recording.id, recording.account_id, recording.subaccount_id, recording.session_id, recording.call_id,
        recording.leg_id, recording.format, recording.status.value, recording.virtual_number.e164, parties,
        recording.started_at, recording.ended_at, recording.duration_ms, recording.partial, recording.spool,
        recording.file, recording.pushed, recording.size, recording.callback_url, recording.callback_method,
        recording.sequence, recording.position, recording.attempts, recording.due_at, recording.error,
        recording.upload_failed,
    )  # fmt: skip


def recording_from_row(row: Row, sealer: Sealer) -> Recording:
    parties = _unpack(sealer.unseal(row[9], f"recordings.parties:{row[0]}"))
    values = (
        *row[:7], RecordingStatus(row[7]), _number(row[8]), *parties, *row[10:13], bool(row[13]), *row[14:25],
        bool(row[25]),
    )  # fmt: skip
    return Recording(*values)


def requested_flow_to_row(flow: RequestedFlow, sealer: Sealer) -> Row:
    content = encode_json([flow.body, flow.client_request_id]).encode()
    sealed = sealer.seal(content, _flow_context(flow.id))
    return (flow.id, flow.account_id, flow.request_id, sealed, flow.valid_until, flow.requested_at)


def requested_flow_from_row(row: Row, sealer: Sealer) -> RequestedFlow:
    body, client_request_id = json.loads(sealer.unseal(row[3], _flow_context(row[0])))
    leased_before, unwanted = row[6] > 1, row[7] is not None
    return RequestedFlow(row[0], row[1], row[2], body, client_request_id, row[4], row[5], leased_before, unwanted)


def _flow_context(flow_id: str) -> str:
    return f"requested_flows.content:{flow_id}"
