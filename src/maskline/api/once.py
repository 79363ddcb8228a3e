"""Requests that take effect once, however often they are sent: by Idempotency-Key, or because two are the same.

What it is: reading the key, and the fingerprint that tells one request from another. What it is not: the memory of
what was done; the store keeps that with the write itself (`storage.store.Once`). Who uses it: the resources of the
dialects, in every POST that makes or changes something.

The fingerprint is of what a request means (values after aliases and coercion), not of its bytes: an SDK that sends
its keys in another order says the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from maskline.errors import InvalidParameter
from maskline.masking.e164 import Number
from maskline.storage.store import Once

HEADER = "idempotency-key"
REPLAYED = {"Idempotent-Replayed": "true"}
"""Header of an answer to a repeated request."""
LONGEST_KEY = 255
KEPT = 86_400.0
"""Seconds that a key is kept."""


def read_once(
    key: str | None, account_id: str, operation: str, values: Mapping[str, Any], wall: float, window: float = 0
) -> Once | None:
    """What to give the store along with the write; None when there is nothing to tell repeats by.

    `key`: the Idempotency-Key header. `account_id`: of the path. `operation`: method and path without account, so that
    a key is never taken for another operation's. `values`: JSON values and `Number`s. `window`: seconds in which the
    same request without a key counts as sent again; 0: never. Raises `InvalidParameter` for a key that is none.
    """
    if key is None and not window:
        return None
    fingerprint = _fingerprint(account_id, operation, values)
    if key is None:
        # With a blank in front no client's key can be meant.
        return Once(account_id, " " + fingerprint, fingerprint, wall + window, live_only=True)
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise InvalidParameter(
            f"Invalid request. Idempotency-Key should be 1 to {LONGEST_KEY} visible ASCII characters",
            parameter="Idempotency-Key",
        )
    return Once(account_id, key, fingerprint, wall + KEPT)


def _fingerprint(account_id: str, operation: str, values: Mapping[str, Any]) -> str:
    return hashlib.sha256(f"{account_id}\n{operation}\n{_canonical(values)}".encode()).hexdigest()


def _digits(value: object) -> str:
    if isinstance(value, Number):
        return value.digits
    raise TypeError(f"{type(value).__name__} has no canonical form")


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_digits).encode
