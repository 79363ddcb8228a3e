"""Say where a kind of webhook of a (sub)account goes. Called by the CLI.

Masking-session callbacks are not set here: their URL comes with each session.
"""

from __future__ import annotations

from maskline.errors import InvalidParameter
from maskline.storage.store import Endpoint, Store
from maskline.workflows.check_url import url_fault

KINDS = ("eight.session_summary", "wavecell.call_status")


async def set_webhook(
    store: Store, account_id: str, kind: str, url: str, *, authorization: str = "", external_id: str = ""
) -> Endpoint:
    """Create or replace; `account_id` is an account's or a subaccount's.

    Raises `InvalidParameter` (kind, url, authorization) and `NotFound`. Whether the address may be reached is
    judged when connecting, because a name can change its address.
    """
    if kind not in KINDS:
        raise InvalidParameter(f"Invalid parameter. kind allowed values are {' or '.join(KINDS)}", parameter="kind")
    if fault := url_fault(url):
        raise InvalidParameter(f"Invalid parameter. url {fault}", parameter="url")
    if not authorization.isprintable() or not authorization.isascii():
        raise InvalidParameter("Invalid parameter. authorization is not a header value", parameter="authorization")
    await store.account(account_id)
    endpoint = Endpoint(account_id, kind, url, authorization, external_id)
    await store.set_endpoint(endpoint)
    return endpoint


async def list_webhook_targets(store: Store, account_id: str) -> list[Endpoint]:
    await store.account(account_id)
    return await store.endpoints(account_id)


async def remove_webhook(store: Store, account_id: str, kind: str) -> None:
    await store.remove_endpoint(account_id, kind)
