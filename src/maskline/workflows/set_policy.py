"""Say how an account's or subaccount's sessions hold numbers, what they cost, by which id 8x8's API and webhooks know
it, and what of real numbers these show. Called by the CLI.

What it is not: reading the policy that holds (`find_policy.py`). It counts for sessions made from then on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from maskline.clock import Clock
from maskline.errors import InvalidParameter
from maskline.masking.policy import LONGEST_COOLOFF, AccountPolicy, read_modes
from maskline.masking.price import read_amount
from maskline.masking.redaction import Redaction
from maskline.storage.store import Account, Store
from maskline.workflows.create_account import read_external_id

_DURATION = re.compile(r"([0-9]{1,9})\s*([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class PolicyWish:
    """As typed by the operator; None: stays as it is."""

    pool: str | None = None
    """`shared`, `split`, `shared-then-split-then-pin` …"""
    cooloff_first_party: str | None = None
    """`90`, `90s`, `30m`, `12h`, `7d`."""
    cooloff_second_party: str | None = None
    session_fee: str | None = None
    """Decimal text, `0.01`."""
    external_id: str | None = None
    """Empty: none."""
    redaction: Redaction | None = None

    @property
    def is_about_sessions(self) -> bool:
        """Whether the policy changes."""
        wishes = (self.pool, self.cooloff_first_party, self.cooloff_second_party, self.session_fee)
        return any(wish is not None for wish in wishes)


async def set_policy(store: Store, clock: Clock, account_id: str, wish: PolicyWish) -> Account:
    """Apply and return the account. A subaccount that had no policy of its own starts from its main account's.
    Raises `NotFound`, `InvalidParameter` and `Conflict`."""
    account = await store.account(account_id)
    changed = replace(
        account,
        external_id=account.external_id if wish.external_id is None else read_external_id(wish.external_id),
        redaction=account.redaction if wish.redaction is None else wish.redaction,
    )
    if wish.is_about_sessions:
        policy = account.policy
        if policy is None and account.parent_id is not None:
            policy = (await store.account(account.parent_id)).policy
        changed = replace(changed, policy=_changed(policy or AccountPolicy(), wish))
    if changed == account:
        return account
    changed = replace(changed, modified_at=clock.wall())
    await store.update_account(changed, was=account)
    return changed


def _changed(policy: AccountPolicy, wish: PolicyWish) -> AccountPolicy:
    if wish.pool is not None:
        policy = replace(policy, modes=read_modes(wish.pool))
    if wish.cooloff_first_party is not None:
        seconds = read_cooloff(wish.cooloff_first_party, parameter="cooloff_first_party")
        policy = replace(policy, first_party_cooloff=seconds)
    if wish.cooloff_second_party is not None:
        seconds = read_cooloff(wish.cooloff_second_party, parameter="cooloff_second_party")
        policy = replace(policy, second_party_cooloff=seconds)
    if wish.session_fee is not None:
        policy = replace(policy, session_fee=read_amount(wish.session_fee, parameter="session_fee"))
    return policy


def read_cooloff(text: str, *, parameter: str) -> int:
    """Seconds from `90`, `90s`, `30m`, `12h` or `7d`; raises `InvalidParameter`."""
    found = _DURATION.fullmatch(text.strip().lower())
    seconds = int(found[1]) * _UNITS[found[2]] if found else -1
    if not 0 <= seconds <= LONGEST_COOLOFF:
        days = LONGEST_COOLOFF // 86_400
        raise InvalidParameter(
            f"Invalid parameter. {parameter} is not a duration such as 90s, 30m, 12h or 7d, at most {days}d",
            parameter=parameter,
        )
    return seconds
