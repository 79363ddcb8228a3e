"""Between rows and what the 8x8 API stands on: bearer keys, push configurations, exports.

What it is: as `rows.py`, for the types of `kept.py`. Who uses it: the SQL stores.
"""

from __future__ import annotations

import json
from dataclasses import astuple

from maskline.storage.crypto import SealBroken, Sealer
from maskline.storage.kept import ApiKey, ExportJob, LiveCall, Owner, PushConfig
from maskline.storage.rows import Row

_SEALED = ("protocol", "host", "port", "username", "path", "password", "private_key")
"""Of a push configuration."""


def api_key_to_row(key: ApiKey, text: str, sealer: Sealer) -> Row:
    return (key.id, key.account_id, key.name, key.created_at, key.enabled, api_key_hash(text, sealer))


def api_key_hash(text: str, sealer: Sealer) -> bytes:
    return sealer.text_hash(f"api key {text}")


def api_key_from_row(row: Row) -> ApiKey:
    values = (*row[:4], bool(row[4]))
    return ApiKey(*values)


def push_config_to_row(config: PushConfig, sealer: Sealer) -> Row:
    plain = json.dumps({name: getattr(config, name) for name in _SEALED}).encode()
    return (config.account_id, sealer.seal(plain, _context(config.account_id)), config.host_key, config.changed_at)


def push_config_from_row(row: Row, sealer: Sealer) -> PushConfig:
    values = json.loads(sealer.unseal(row[1], _context(row[0])))
    return PushConfig(row[0], **values, host_key=row[2], changed_at=row[3])


def _context(account_id: str) -> str:
    return f"push_configs.config:{account_id}"


def export_to_row(job: ExportJob) -> Row:
    return astuple(job)


def export_from_row(row: Row) -> ExportJob:
    return ExportJob(*row)


def live_call_to_row(call: LiveCall, sealer: Sealer) -> Row:
    sealed = sealer.seal(call.state, f"live_calls.state:{call.call_id}")
    whose = call.account_id, call.session_id
    return call.call_id, call.engine_id, *whose, call.kept_at, sealed, call.form, call.subaccount_id


def live_call_from_row(row: Row, sealer: Sealer) -> LiveCall:
    """One that was damaged is empty: it is to end, and must not keep others from going on."""
    try:
        state = sealer.unseal(row[5], f"live_calls.state:{row[0]}")
    except SealBroken:
        state = b""
    values = (*row[:5], state, *row[6:9], row[9] is not None)
    return LiveCall(*values)


def owner_from_row(row: Row) -> Owner:
    return Owner(row[0], row[1], row[2], row[4], row[3])
