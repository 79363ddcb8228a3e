"""What the border hands to a resource, and what a resource hands back.

What it is: the values between `routes.py` and the resources (`callflows.py` and whatever else is served below a
subaccount). What it is not: the HTTP request; a resource asks for what it needs by name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from maskline.api.body import BYTE_ORDER_MARK, read_body
from maskline.api.dispatch import Request
from maskline.api.eight.errors import ErrorShape
from maskline.errors import InvalidParameter
from maskline.storage.store import Account
from maskline.webhooks.formats.strict_json import NotJson, read_strict
from maskline.workflows.scope import Scope


@dataclass(frozen=True, slots=True)
class Exchange:
    """One authenticated request on its way to an operation."""

    request: Request = field(repr=False)
    request_id: str
    """UUID: `callFlowRequestId` or `errorId`."""
    account: Account = field(repr=False)
    """The account or subaccount of the path."""
    scope: Scope
    base_url: str
    """Scheme and host that absolute links begin with."""

    @property
    def path_id(self) -> str:
        """`subAccountId` in answers, not our own id of it: what the path may name it by."""
        return self.account.external_id or self.account.id

    @property
    def query(self) -> bytes:
        """The query string, still encoded."""
        return self.request.query

    def part(self, name: str) -> str:
        """What stood in the place of `{name}` in the path, percent signs decoded."""
        return self.request.params[name]

    def header(self, name: str) -> str | None:
        return self.request.header(name.lower().encode())

    async def text(self) -> bytes:
        """The body as sent; raises as `read_body`."""
        return await read_body(self.request)

    async def body(self) -> dict[str, Any]:
        """The JSON object that came along, whatever its content type says; an empty body is an empty object. A key
        that is there twice is refused, as in call flows. Raises as `read_body`, and `InvalidParameter`."""
        text = (await self.text()).removeprefix(BYTE_ORDER_MARK)
        if not text.strip():
            return {}
        try:
            value = read_strict(text)
        except NotJson as fault:
            raise _invalid(f"is not valid JSON: {fault}") from None
        if not isinstance(value, dict):
            raise _invalid("is not a JSON object")
        return value


def _invalid(what: str) -> InvalidParameter:
    return InvalidParameter(f"Invalid request. The body {what}", parameter="body")


class Reply(NamedTuple):
    status: int
    body: Mapping[str, Any] | None
    """None: nothing, as a 204 demands."""
    headers: Mapping[str, str] = {}


Operation = Callable[[Exchange], Awaitable[Reply]]
"""Raises `MasklineError`; `errors.Refused` for what has a number of the vendor's."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What is at one path below `/api/v1/subaccounts/{id}`."""

    path: str
    """`/webhooks/{type}`: begins with a slash and ends without one; `{name}` stands for one segment."""
    shape: ErrorShape
    """Of all its errors."""
    operations: Mapping[str, tuple[str, Operation]]
    """(Name in metrics, function) by HTTP method."""
