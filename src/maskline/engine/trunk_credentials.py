"""Who we are to a trunk, and who it has to be to us, as the SIP agent wants to know it.

What it is: a trunk's `username`, `password` and `realm` bound to the far end they may be shown to. What it is not:
digest (`sip/digest*.py`). Who uses it: `identity.py` for calls we send, `core.py` for those that come.
"""

from __future__ import annotations

from maskline.masking.trunk import Trunk
from maskline.sip.digest import Credentials
from maskline.sip.flow import DEFAULT_PORTS, Flow


def credentials_for(trunk: Trunk, flow: Flow) -> Credentials | None:
    """For a call that we send to `flow`; None: the trunk has no password, or a 3xx named another port than it has."""
    if not trunk.password or flow.port != (trunk.port or flow.port):
        return None
    return Credentials(trunk.username, trunk.password, trunk.realm, (flow,))


def credentials_of(trunk: Trunk, flow: Flow) -> Credentials | None:
    """For a call that came from `flow`; None: the trunk has no password. Who called us from another port than it
    listens at, as over a connection, may be sent to at that one too."""
    if not trunk.password:
        return None
    port = trunk.port or DEFAULT_PORTS[flow.transport]
    places = (flow,) if flow.port == port else (flow, flow._replace(port=port))
    return Credentials(trunk.username, trunk.password, trunk.realm, places)
