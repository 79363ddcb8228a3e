"""How many sockets the process may have.

What it is: the soft limit raised to the hard one, as far as one server needs it. What it is not: the hard limit, which
is the operator's (`LimitNOFILE` in a unit file). Who uses it: `app.py`, at its start.

Many systems start programs with 1,024: one application that hangs would take as many for its questions alone, and the
HTTP listener could accept nobody.
"""

from __future__ import annotations

import resource

WANTED = 65_536


def raise_limit(wanted: int = WANTED) -> int:
    """The limit that holds now; never lowered."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most
