"""On which of several daemons a call is.

What it is: the choice for a new call, a second one when the first turns out to be dead, and the search for a call that
an earlier process has opened. What it is not: whether a daemon lives (`supervision.py`). Who uses it: `driver.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from maskline.errors import MediaUnavailable
from maskline.masking.facts import LegName
from maskline.media.port import LocalMedia
from maskline.media.rtpengine import signalling
from maskline.media.rtpengine.call_state import CallState
from maskline.media.rtpengine.client import NgNode, NgRefused


def by_preference(nodes: Iterable[NgNode], call_id: str) -> list[NgNode]:
    """Rendezvous hashing, the best first: a node that goes takes only its own calls' places along. Raises
    `MediaUnavailable` when none is up."""
    found = [node for node in nodes if node.up]
    if not found:
        raise MediaUnavailable
    found.sort(key=lambda node: hashlib.blake2b(f"{node.name} {call_id}".encode()).digest(), reverse=True)
    return found


async def holder(nodes: Iterable[NgNode], call_id: str) -> NgNode:
    """Who has the call. Not always the first: it may have been opened while that was away. Raises `MediaUnavailable`
    when nobody has it."""
    lost: Exception = MediaUnavailable()
    for node in by_preference(nodes, call_id):
        try:
            await node.request("query", {"call-id": call_id})
        except NgRefused as error:
            lost = error
        except MediaUnavailable:
            continue  # it has just gone; the next may have it
        else:
            return node
    raise MediaUnavailable("The media of this call is gone.") from lost


async def open_leg(call: CallState, leg: LegName, nodes: Iterable[NgNode]) -> LocalMedia:
    """A daemon that has died since it was asked last costs its first calls a second try, and not the call."""
    open_it = signalling.open_a if leg is LegName.A else signalling.open_b
    try:
        return await open_it(call)
    except MediaUnavailable:
        if call.local or call.node.up:
            raise
    call.node = by_preference(nodes, call.id)[0]
    return await open_it(call)
