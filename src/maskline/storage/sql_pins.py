"""The units of work on tallies of wrong PINs.

What it is: read, apply the rules of `masking/pin.py`, write, as one change: of callers who try at the same moment each
is counted. What it is not: those rules. Who uses it: `storage/sql_store.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from maskline.masking.pin import Counted, PinLimits, PinTry, Subject, Tally, count, take_back
from maskline.storage.crypto import Sealer
from maskline.storage.sql import SqlConnection, run


def count_try(connection: SqlConnection, sealer: Sealer, one: PinTry, limits: PinLimits, now: float) -> Counted:
    keys = _keys(sealer, one)
    counted, changed = count(one, _read(connection, keys), limits, now)
    _write(connection, keys, changed)
    return counted


def accept_try(connection: SqlConnection, sealer: Sealer, one: PinTry, limits: PinLimits, now: float) -> None:
    keys = _keys(sealer, one)
    _write(connection, keys, take_back(one, _read(connection, keys), limits, now))


def _keys(sealer: Sealer, one: PinTry) -> dict[Subject, bytes]:
    return {subject: sealer.text_hash(text) for subject, text in one.keys.items()}


def _read(connection: SqlConnection, keys: Mapping[Subject, bytes]) -> dict[Subject, Tally]:
    hashes = [keys.get(subject) for subject in Subject]
    found = {row[0]: Tally(*row[1:]) for row in run(connection, "pin_tallies", *hashes)}
    return {subject: found[key] for subject, key in keys.items() if key in found}


def _write(
    connection: SqlConnection, keys: Mapping[Subject, bytes], changed: Mapping[Subject, Tally]
) -> None:  # fmt: skip
    for subject, tally in changed.items():
        run(connection, "set_pin_tally", keys[subject], *tally)
