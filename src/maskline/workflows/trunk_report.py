"""What a running server knows of its trunks at this moment, told to the command line.

What it is: a small file in the data directory, written when something changed, and its reading. What it is not: a log
or a metric (`/metrics` counts addresses and names none: it is open to whoever reaches the API, and a carrier's address
is not for everybody). Who uses it: `app.py` writes, `cli/trunk.py` reads; the lock of `serve` says whether somebody
writes.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from maskline.clock import Clock
from maskline.masking.trunk import Trunk
from maskline.masking.trunk_state import AddressState, TrunkState

FILE, LOCK = "trunks.json", "serve.lock"


@dataclass(frozen=True, slots=True)
class LiveAddress:
    """As a server told it."""

    address: str
    """`udp:192.0.2.1:5060`."""
    state: str
    """`up`, `avoided`, `down`, or `unchecked`: nobody asks it by OPTIONS, or it has not answered yet."""
    since: float | None
    """Wall seconds; None where nothing has changed since it was first seen."""
    status: int | None
    """Of the last answer to OPTIONS; None: there was none."""


Live = dict[str, tuple[LiveAddress, ...]]
"""By trunk id. A trunk whose name has no address has none here."""


class TrunkReport:
    def __init__(self, folder: Path, state: TrunkState, clock: Clock) -> None:
        self._path = folder / FILE
        self._state = state
        self._clock = clock
        self._written: object = None

    def look(self, trunks: Iterable[Trunk]) -> None:
        """Write what is known, if it is something new. Call it about once a second; raises nothing: a full disk is told
        by those who have something to lose."""
        now = self._clock.now()
        known = {trunk.id: self._state.addresses(trunk, now) for trunk in trunks}
        if known == self._written:
            return
        text = json.dumps({trunk_id: [self._row(one) for one in found] for trunk_id, found in known.items()})
        fresh = self._path.with_suffix(".new")
        try:
            fresh.write_text(text)
            fresh.chmod(0o600)
            fresh.replace(self._path)
        except OSError:
            return
        self._written = known

    def _row(self, one: AddressState) -> dict[str, Any]:
        since = None if one.since is None else round(self._clock.wall(one.since))
        flow = one.target
        host = f"[{flow.host}]" if ":" in flow.host else flow.host
        return asdict(LiveAddress(f"{flow.transport}:{host}:{flow.port}", one.state, since, one.status))

    def close(self) -> None:
        self._path.unlink(missing_ok=True)


def read_live(folder: Path) -> Live | None:
    """What the server of this data directory knows; None: none is running, or it is about to begin."""
    if not is_served(folder):
        return None
    try:
        found = json.loads((folder / FILE).read_text())
    except (OSError, ValueError):
        return None
    return {trunk_id: tuple([LiveAddress(**row) for row in rows]) for trunk_id, rows in found.items()}


def is_served(folder: Path) -> bool:
    """Whether a server holds this data directory."""
    try:
        lock = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False
