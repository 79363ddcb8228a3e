"""Say where a kind of webhook of a (sub)account goes, and how it is written. Called by the 8x8 API and the CLI.

Masking-session callbacks are not set here: their URL comes with each session.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from maskline.errors import InvalidParameter, NotFound
from maskline.net.guard import AddressGuard
from maskline.storage.store import Endpoint, Store
from maskline.webhooks.formats import (
    eight,
    eight_action,
    eight_number,
    eight_recording,
    eight_status,
    native,
    wavecell,
    wavecell_handle,
)
from maskline.webhooks.formats.shape import Generation
from maskline.webhooks.sign import is_secret, rotated
from maskline.workflows.check_url import endpoint_fault

_GENERATIONS = tuple(one.value for one in Generation)
_EVENT_DATA = ("map", "string")
OPTIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    eight_action.KIND: {"generation": _GENERATIONS, "event_data": _EVENT_DATA},
    eight_status.KIND: {"generation": _GENERATIONS, "event_data": _EVENT_DATA, "updates": ("off", "on")},
    eight.KIND: {"generation": _GENERATIONS},
    eight_recording.KIND: {},
    eight_number.KIND: {},
    wavecell.KIND: {"case": ("title", "upper"), "direction": ("word", "int")},
    wavecell_handle.KIND: {},
    native.KIND: {"updates": ("off", "on")},
}
"""What a kind's endpoint may be told, and the values of each: where the vendor's pages of several years differ
(`webhooks/formats/shape.py` reads them)."""
KINDS = tuple(OPTIONS)
LONGEST_HEADER = 4_096
"""Of a value for the Authorization header, in characters: a token of the largest identity services fits."""
NO_ENDPOINT = "No webhook of this kind is set there (maskline webhook set)."
_SECRET_FAULT = (
    "Invalid parameter. secret should be whsec_ and the base64 of 24 to 64 random bytes (Standard Webhooks)"
)  # fmt: skip


async def set_webhook(
    store: Store, account_id: str, kind: str, url: str, *, authorization: str = "", external_id: str = "",
    enabled: bool = True, options: Mapping[str, str] | None = None, secret: str = "", now: float = 0.0,
    guard: AddressGuard | None = None,
) -> Endpoint:  # fmt: skip
    """Create or replace; `account_id` is an account's or a subaccount's, `now` wall seconds.

    Raises `InvalidParameter` (kind, url, authorization, options, secret) and `NotFound`. Whether a name may be reached
    is judged when connecting, because its address can change; an address that `guard` refuses is not taken.
    """
    if kind not in KINDS:
        raise InvalidParameter(f"Invalid parameter. kind allowed values are {' or '.join(KINDS)}", parameter="kind")
    if fault := endpoint_fault(url, guard):
        raise InvalidParameter(f"Invalid parameter. url {fault}", parameter="url")
    if fault := header_fault(authorization):
        raise InvalidParameter(f"Invalid parameter. authorization {fault}", parameter="authorization")
    _check_options(kind, options or {})
    if secret and not is_secret(secret):
        raise InvalidParameter(_SECRET_FAULT, parameter="secret")
    await store.account(account_id)
    endpoint = Endpoint(
        account_id, kind, url, authorization, external_id, enabled, dict(options or {}), secret, now
    )  # fmt: skip
    await store.set_endpoint(endpoint)
    return endpoint


async def secret_for(store: Store, account_id: str, kind: str, made: str) -> str:
    """What bodies of an endpoint are signed with that is set without a secret: our own kind's always are, as they were
    or by `made`; a vendor's only when somebody says so, since its customers' receivers do not know it. Raises
    `NotFound`."""
    if kind != native.KIND:
        return ""
    old = next((one for one in await list_webhook_targets(store, account_id) if one.kind == kind), None)
    return old.secret if old is not None and old.secret else made


async def put_webhook(
    store: Store, account_id: str, kind: str, url: str, *, authorization: str, enabled: bool, now: float,
    guard: AddressGuard | None = None,
) -> Endpoint:  # fmt: skip
    """As `set_webhook`, from who knows of nothing else: what an operator said of it beside that stays."""
    old = next((one for one in await store.endpoints(account_id) if one.kind == kind), None)
    if old is None:
        return await set_webhook(
            store, account_id, kind, url, authorization=authorization, enabled=enabled, now=now, guard=guard
        )
    return await set_webhook(
        store, account_id, kind, url, authorization=authorization, enabled=enabled, external_id=old.external_id,
        options=old.options, secret=old.secret, now=old.created_at, guard=guard,
    )  # fmt: skip


async def rotate_secret(store: Store, account_id: str, kind: str, new: str) -> Endpoint:
    """From now on bodies are signed with `new` and with the secret before it, until `end_rotation`. An endpoint without
    a secret has `new` alone. Raises `InvalidParameter` (new) and `NotFound`."""
    endpoint = await _endpoint(store, account_id, kind)
    if not is_secret(new) or " " in new:
        raise InvalidParameter(_SECRET_FAULT, parameter="secret")
    changed = replace(endpoint, secret=rotated(endpoint.secret, new) if endpoint.secret else new)
    await store.set_endpoint(changed)
    return changed


async def end_rotation(store: Store, account_id: str, kind: str) -> Endpoint:
    """Only the newest secret signs from now on. Raises `NotFound`."""
    endpoint = await _endpoint(store, account_id, kind)
    changed = replace(endpoint, secret=endpoint.secret.partition(" ")[0])
    await store.set_endpoint(changed)
    return changed


async def _endpoint(store: Store, account_id: str, kind: str) -> Endpoint:
    found = next((one for one in await list_webhook_targets(store, account_id) if one.kind == kind), None)
    if found is None:
        raise NotFound(NO_ENDPOINT)
    return found


def header_fault(authorization: str) -> str:
    """What is wrong with a value for the Authorization header, to be put behind a parameter's name; empty: nothing."""
    if len(authorization) > LONGEST_HEADER:
        return f"should have at most {LONGEST_HEADER} characters"
    return "" if authorization.isprintable() and authorization.isascii() else "should be printable ASCII in one line"


def _check_options(kind: str, options: Mapping[str, str]) -> None:
    allowed = OPTIONS[kind]
    for name, value in options.items():
        if name not in allowed:
            known = " or ".join(allowed) or "none"
            raise InvalidParameter(f"Invalid parameter. options of {kind} are {known}", parameter="options")
        if value not in allowed[name]:
            values = " or ".join(allowed[name])
            raise InvalidParameter(f"Invalid parameter. {name} allowed values are {values}", parameter="options")


async def list_webhook_targets(store: Store, account_id: str) -> list[Endpoint]:
    await store.account(account_id)
    return await store.endpoints(account_id)


async def remove_webhook(store: Store, account_id: str, kind: str) -> None:
    await store.remove_endpoint(account_id, kind)
