"""What the store keeps for customers that steer calls by their own application: keys, and call flows that wait.

What it is: row types, beside those of `store.py`. What it is not: the store's methods. Who uses it: the stores, the
workflows behind the 8x8 API.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import NamedTuple

from maskline.values import dataclass


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A bearer key: acts for its account, and for the subaccounts of that one. Kept as a keyed hash."""

    id: str
    account_id: str
    name: str
    """For people."""
    created_at: float
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class RequestedFlow:
    """A call flow that was acknowledged (`POST callflows`) and is not begun yet."""

    id: str
    """The call's id; 8x8 `sessionId`."""
    account_id: str
    """Whose numbers it uses and whose endpoints hear of it: a subaccount's id, or an account's."""
    request_id: str
    """8x8 `callFlowRequestId`."""
    body: str = field(repr=False)
    """The JSON that was accepted, as sent; sealed at rest."""
    client_request_id: str
    valid_until: float | None
    """Wall seconds; None: for as long as a request may wait at all."""
    requested_at: float
    leased_before: bool = False
    """Somebody took it before and never gave it back: it may have been dialled, so it is not dialled again."""
    unwanted: bool = False
    """Its end was asked for."""


def flow_subject(flow: RequestedFlow) -> str:
    """What is kept of an acknowledged flow under its Idempotency-Key, long after the flow itself is gone."""
    return f"{flow.id} {flow.request_id}"


def earlier_flow(flow: RequestedFlow, subject: str) -> RequestedFlow:
    """The flow that the same request asked for before."""
    flow_id, _, request_id = subject.partition(" ")
    return replace(flow, id=flow_id, request_id=request_id)


@dataclass(frozen=True, slots=True)
class PushConfig:
    """Where a (sub)account's recordings go, instead of the installation's own destination. All but the account is
    sealed at rest."""

    account_id: str
    protocol: str
    """`S3` or `SFTP`."""
    host: str
    """S3: the region. SFTP: name or address."""
    port: int
    username: str
    """S3: the id of the access key."""
    path: str
    """S3: the bucket, then the prefix. SFTP: the folder; with a slash in front from the root."""
    password: str = field(default="", repr=False)
    """S3: the secret access key."""
    private_key: str = field(default="", repr=False)
    """SFTP: an OpenSSH private key, instead of the password."""
    host_key: str = ""
    """SFTP: the server's key as it was at the first push, in the form of OpenSSH; empty before."""
    changed_at: float = 0.0


@dataclass(frozen=True, slots=True)
class ExportJob:
    """A table of calls that somebody asked for, and what became of it."""

    id: str
    account_id: str
    """The main account's."""
    subaccount_id: str | None
    """None: the calls of the whole account."""
    since: float
    until: float
    """Wall seconds of the calls' start; the latter is not included."""
    created_at: float
    expires_at: float
    """Wall second from which the job and its file are gone."""
    base_url: str = ""
    """Scheme and host that the link to the file begins with."""
    status: str = "queued"
    """One of `EXPORT_STATES`."""
    size: int = 0
    """Bytes of the file; 0: there is none."""


EXPORT_STATES = ("queued", "running", "succeeded", "failed", "cancelled", "empty")


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A call that is not over, and what it can be recovered from when its engine dies."""

    call_id: str
    engine_id: str
    account_id: str
    session_id: str | None
    kept_at: float
    """Wall seconds."""
    state: bytes = field(repr=False)
    """`engine.call_kept`; holds real numbers and keys: sealed at rest. Empty: it cannot be opened."""
    taken: int = 0
    """How often it was taken over."""
    form: int = 1
    """`engine.call_kept.VERSION` of who wrote it: only who knows this form can read it."""
    subaccount_id: str | None = None
    """Whose the dialled number is; may ask for its end."""
    end_asked: bool = False
    """Somebody has. Keeping the call does not change that."""


class Tenure(NamedTuple):
    """By what an engine believes to have a call."""

    engine_id: str
    taken: int


class Owner(NamedTuple):
    """A process that lives, or did."""

    id: str
    kind: str
    """The command that it is."""
    name: str
    """Of its machine, for people."""
    address: str
    """Where it listens, for people."""
    until: float = 0.0
    """Wall seconds, of the database on PostgreSQL."""
