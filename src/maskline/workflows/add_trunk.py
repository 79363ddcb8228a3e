"""Connect a carrier. Called by the CLI and the demo.

What it is: a checked trunk and its row. What it is not: a connection; the engine learns of the trunk
within a second (`workflows/route_call.py` reads trunks again).
"""

from __future__ import annotations

from maskline.clock import Clock
from maskline.ids import Ids
from maskline.masking.trunk import Trunk
from maskline.storage.store import Store
from maskline.workflows.check_trunk import TrunkWish, trunk_of

__all__ = ["TrunkWish", "add_trunk"]


async def add_trunk(store: Store, clock: Clock, ids: Ids, wish: TrunkWish) -> Trunk:
    """Keep and return the trunk.

    Raises what `trunk_of` raises, `NotFound` for an unknown account, `Conflict` when the name is taken.
    """
    trunk = trunk_of(wish, ids.uuid())
    if trunk.account_id is not None:
        await store.account(trunk.account_id)
    await store.add_trunk(trunk, clock.wall())
    return trunk
