"""What the border hands to a resource, and what a resource hands back.

What it is: the values between `routes.py` and the resources (`sessions.py`, and whatever else is served under an
account). What it is not: the HTTP request; a resource asks for what it needs by name, so that how requests
are taken apart can change without it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from maskline.api.body import read_object
from maskline.api.dispatch import Request
from maskline.storage.store import Account
from maskline.workflows.scope import Scope


@dataclass(frozen=True, slots=True)
class Exchange:
    """One authenticated request on its way to an operation."""

    request: Request = field(repr=False)
    api_id: str
    account: Account = field(repr=False)
    """The account or subaccount of the path."""
    scope: Scope
    base_url: str
    """Scheme and host that absolute links begin with."""
    flat: bool = False
    """Whether the answer is to look as on the VTS pages (`vts.py`)."""

    @property
    def auth_id(self) -> str:
        """The account's id as it stands in the path."""
        return self.account.id

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def path(self) -> str:
        """Without scheme, host, query, doubled slashes and the last one."""
        return self.request.path

    @property
    def item(self) -> str:
        """What the path names inside the collection; empty for the collection itself."""
        return self.request.params.get("item", "")

    @property
    def query(self) -> bytes:
        """The query string, still encoded."""
        return self.request.query

    def header(self, name: str) -> str | None:
        return self.request.header(name.lower().encode())

    async def body(self) -> dict[str, Any]:
        """The JSON object that came along; raises as `read_object`."""
        return await read_object(self.request)


class Reply(NamedTuple):
    status: int
    body: Mapping[str, Any] | None
    """None: nothing, as a 204 demands."""
    headers: Mapping[str, str] = {}


Operation = Callable[[Exchange], Awaitable[Reply]]
"""Raises `MasklineError`."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A collection under `/v1/Account/{auth_id}` and its items. Operations are (name in metrics, function) by HTTP
    method."""

    path: str
    """`/Masking/Session`: begins with a slash and ends without one."""
    collection: Mapping[str, tuple[str, Operation]]
    item: Mapping[str, tuple[str, Operation]]
