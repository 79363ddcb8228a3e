"""Between a trunk and its row: who it is in columns, how it wants to be spoken to in one JSON column.

What it is: a pair of functions as in `rows.py`, in a file of their own for its size. What it is not: SQL. Who uses it:
the SQL stores. Nothing is looked up by what the JSON holds, and a new option is no new column.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from maskline.masking.trunk import (
    USUAL_PRESENTATION,
    IdentityHeader,
    NumberFormat,
    Presentation,
    Reliable,
    Trunk,
    TrunkLimits,
    TrunkMedia,
)
from maskline.storage.crypto import Sealer
from maskline.storage.rows import Row, encode_json

_COLUMNS = frozenset(
    {"id", "name", "account_id", "host", "port", "transport", "username", "prefixes", "nat", "media", "password"}
)


def trunk_to_row(trunk: Trunk, now: float, sealer: Sealer) -> list[Any]:
    """Without the position, which the transaction puts in before the last column."""
    return [*trunk_changes_to_row(trunk, sealer), now]


def trunk_changes_to_row(trunk: Trunk, sealer: Sealer) -> list[Any]:
    """Beginning with the id, which the row is found by."""
    return [
        trunk.id, trunk.name, trunk.account_id, trunk.host, trunk.port, trunk.transport, trunk.username,
        encode_json(trunk.prefixes), trunk.nat, trunk.media.value,
        sealer.seal(trunk.password.encode(), _password_of(trunk.id)), _options_to_text(trunk),
    ]  # fmt: skip


def trunk_from_row(row: Row, sealer: Sealer) -> Trunk:
    password = sealer.unseal(row[10], _password_of(row[0])).decode()
    values = (*row[:7], tuple(json.loads(row[7])), bool(row[8]), TrunkMedia(row[9]), password)
    return Trunk(*values, **_options_from_text(row[11]))


def _password_of(trunk_id: str) -> str:
    return f"trunks.password:{trunk_id}"


def _options_to_text(trunk: Trunk) -> str:
    return encode_json({name: value for name, value in asdict(trunk).items() if name not in _COLUMNS})


def _options_from_text(text: str) -> dict[str, Any]:
    options = json.loads(text)
    presentation = options["presentation"]
    presentation["headers"] = tuple(map(IdentityHeader, presentation["headers"]))
    presentation["number_format"] = NumberFormat(presentation["number_format"])
    wanted = Presentation(**presentation)
    return {
        **options,
        "sources": tuple(options["sources"]),
        "presentation": USUAL_PRESENTATION if wanted == USUAL_PRESENTATION else wanted,
        "limits": TrunkLimits(**options["limits"]),
        "codecs": tuple(options["codecs"]),
        "reliable": Reliable(options["reliable"]),
    }
