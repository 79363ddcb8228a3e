"""Refuse parties that cannot be called: short codes, and the account's own virtual numbers.

Called by `create_session` and `update_session`.
"""

from __future__ import annotations

from collections.abc import Mapping

from maskline.errors import InvalidParameter
from maskline.masking.e164 import Number, check_telephone
from maskline.masking.session import Role
from maskline.storage.store import Store


async def refuse_wrong_parties(store: Store, account_id: str, parties: Mapping[Role, Number | None]) -> None:
    """A short code would leave as +911, the beginning of a number in another country. A call to our own number would
    come back to us; foreign ones are not told apart from real people. Raises `InvalidParameter`."""
    for role, party in parties.items():
        if party is None:
            continue
        virtual = await store.number(check_telephone(party, parameter=role.value))
        if virtual is not None and virtual.account_id == account_id:
            raise InvalidParameter(
                f"Invalid parameter. {role} is a virtual number of this account", parameter=role.value
            )
