"""Give an account one more auth token, so that the old one can be exchanged without a gap. Called by the CLI.

From then on API requests with any of its tokens are taken, and its webhooks are signed with all of them
(`webhooks/sign.py`), until the old one is revoked (`revoke_token.py`).
"""

from __future__ import annotations

from dataclasses import replace

from maskline.clock import Clock
from maskline.errors import Conflict
from maskline.ids import Ids
from maskline.storage.store import Account, Store
from maskline.workflows.find_account import find_account

MOST_TOKENS = 5
"""Each lengthens the signature headers of every webhook by 45 bytes."""


async def add_token(store: Store, clock: Clock, ids: Ids, account_id: str) -> Account:
    """The account or subaccount with its new token first. Raises `NotFound`, and `Conflict` when it has as many
    as it may, or when somebody changed it meanwhile."""
    account = await find_account(store, account_id)
    if len(account.auth_tokens) >= MOST_TOKENS:
        raise Conflict(f"This account has {MOST_TOKENS} auth tokens already. Revoke one first.")
    changed = replace(account, auth_tokens=(ids.secret(), *account.auth_tokens), modified_at=clock.wall())
    await store.update_account(changed, was=account)
    return changed
