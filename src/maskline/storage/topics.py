"""Of what a store tells the other processes that share its database, with the commit of it.

What it is: the words. What it is not: a promise: what is told while nobody listens is lost, so whoever follows a topic
looks for himself from time to time. Only PostgreSQL tells; in the one process on a file all are told by whom they work
for. Who uses it: the SQL units, `chores.py`.
"""

from __future__ import annotations

from typing import NamedTuple

CONFIGURATION = "configuration"
"""With its new version: an account, key, number, trunk, price or endpoint was written."""
OUTBOX = "outbox"
"""A webhook may be due."""
SESSION = "session"
"""With its id: it was ended, and its calls are to be."""
CALL = "call"
"""With its id: it is to end."""
REQUESTED = "requested"
"""A call or call flow was asked for."""
FACTS = "facts"
"""There are new ones to follow."""
OWNERS = "owners"
"""An engine has left its calls to the others."""


class Told(NamedTuple):
    topic: str
    about: str
    """An id or a number, or empty."""


def read_topic(text: str) -> Told:
    topic, _, about = text.partition(" ")
    return Told(topic, about)
