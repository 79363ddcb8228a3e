"""What `GET /healthz` says about the parts of the process.

Who uses it: `app.py` of the product supplies the answer, `api/app.py` serves it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PartHealth:
    ok: bool
    detail: str = ""
    """One sentence without numbers or secrets."""
    essential: bool = True
    """Whether the process can serve at all without it."""


Health = Callable[[], Awaitable[Mapping[str, PartHealth]]]
"""Parts by name; quick, since load balancers ask every second."""


async def no_parts() -> Mapping[str, PartHealth]:
    return {}
