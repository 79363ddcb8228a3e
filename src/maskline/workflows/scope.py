"""On whose behalf a workflow runs.

What it is: the tenant every look-up is limited to. What it is not: authentication (`api/auth.py` makes a
scope from credentials; the CLI makes one from its arguments). Who uses it: the session and call workflows.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskline.errors import NotFound, NotOffered
from maskline.masking.session import Session
from maskline.storage.store import Account


@dataclass(frozen=True, slots=True)
class Scope:
    """A main account, or one of its subaccounts: then only what belongs to the subaccount exists."""

    account_id: str
    """Always the main account's id."""
    subaccount_id: str | None = None

    @classmethod
    def of(cls, account: Account) -> Scope:
        return cls(account.owner_id, account.id if account.parent_id else None)

    def main_account(self, what: str) -> str:
        """The account's id, for what only a main account may do: `what` ends the sentence of the `NotOffered` that a
        subaccount gets."""
        if self.subaccount_id is not None:
            raise NotOffered(f"Only the main account may {what}.")
        return self.account_id

    def check(self, session: Session) -> Session:
        """Return `session`, or raise `NotFound` when a subaccount asks for another one's."""
        if self.subaccount_id is not None and session.subaccount_id != self.subaccount_id:
            raise NotFound
        return session
