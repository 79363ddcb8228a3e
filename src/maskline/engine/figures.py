"""What an engine can tell of itself in numbers.

What it is: one reading of counters and of what is held. What it is not: the names of metrics (`maskline/metrics.py`).
Who uses it: `runner.py`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from maskline.engine.core import EngineCore
from maskline.engine.intake import Intake
from maskline.net.streams import Streams
from maskline.net.udp_family import UdpFamilies


def engine_figures(core: EngineCore, intake: Intake, udp: UdpFamilies, streams: Streams) -> dict[str, Any]:
    held = core.agent.sizes()
    return {
        **asdict(core.counters),
        **{f"sip_{name}": value for name, value in asdict(core.agent.counters).items()},
        "calls_in_progress": len(core.calls),
        "sip_dialogs": held["usages"],
        "sip_transactions": held["client_transactions"] + held["server_transactions"],
        "bans": intake.guard.banned,
        "waiting": len(intake.admission.waiting),
        "kernel_drops": udp.kernel_drops(),
        "shut_drops": udp.shut_drops(),
        "send_drops": udp.dropped_sends,
        "connections": streams.figures(),
    }
