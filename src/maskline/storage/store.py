# budget: the whole protocol in one place is what every store is held to
"""The store protocol: what the product keeps, by intent, in domain values.

What it is: the one interface that SQLite, PostgreSQL and memory fulfil, held to one contract suite
(tests/contract/test_store.py), and the small row types that belong to it. What it is not: SQL (`queries.sql`)
or sealing (`crypto.py`). Who uses it: workflows, the deliverer, `app.py`; never the API, CLI views or engine
directly.

Every look-up takes the account it is made for; a foreign id is `NotFound` (reliability.md §5, risk 1).
All times are wall seconds (UTC). Every method raises `StoreUnavailable` when the database cannot be used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol

from maskline.masking.call_record import CallParties, CallRecord
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import CallNotStarted, Fact
from maskline.masking.limits import Limits
from maskline.masking.match import Entries
from maskline.masking.pin import Counted, PinLimits, PinTry
from maskline.masking.policy import AccountPolicy
from maskline.masking.price import Price
from maskline.masking.recording import Recording, RecordingEnd, RecordingResult
from maskline.masking.redaction import Redaction
from maskline.masking.session import Interaction, NewSession, RequestedCall, Session, SessionChange
from maskline.masking.trunk import Trunk
from maskline.storage.filters import RecordingFilter, SessionFilter
from maskline.storage.flow_store import FlowRequestStore
from maskline.storage.kept import LiveCall, Tenure
from maskline.storage.kept_store import ExportStore, KeyStore, PushConfigStore
from maskline.storage.live_store import LiveCallStore
from maskline.storage.topics import Told
from maskline.storage.usage_store import UsageStore
from maskline.storage.webhook_store import Attempt, WebhookStore
from maskline.values import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    id: str
    """`MA` + 18 for accounts, `SA` + 18 for subaccounts (plivo-vts.md §1.1): auth id and path id in one."""
    name: str
    parent_id: str | None
    """The account a subaccount belongs to; None for accounts."""
    auth_tokens: tuple[str, ...] = field(repr=False)
    """All that are valid, newest first; one at least. Sealed at rest; needed in clear to sign callbacks
    (plivo-vts.md §7.5)."""
    created_at: float
    enabled: bool = True
    """False: its credentials are refused; its sessions and calls go on."""
    policy: AccountPolicy | None = None
    """None: the main account's, or the default one."""
    modified_at: float = 0.0
    external_id: str = ""
    """8x8's `subAccountId`; only one of a main account and its subaccounts has it. Empty: it goes by its auth id in
    paths and by its name in bodies."""
    redaction: Redaction = Redaction.FULL
    """What webhooks of 8x8 and Wavecell show of real parties' numbers."""
    limits: Limits | None = None
    """Of a main account, for its subaccounts too; None: it may do anything."""
    stopped: str = ""
    """Why its calls are refused: an alarm's name, or `operator`; empty: they are not."""
    countries: tuple[str, ...] = ()
    """Those that an operator was told of as new."""

    @property
    def auth_token(self) -> str:
        return self.auth_tokens[0]

    @property
    def shown_id(self) -> str:
        """What bodies of 8x8 and Wavecell call it where its endpoint says nothing else."""
        return self.external_id or self.name

    @property
    def owner_id(self) -> str:
        """The main account: itself, or its parent."""
        return self.parent_id or self.id


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one kind of webhook of a (sub)account goes: `workflows/set_webhook.KINDS`."""

    account_id: str
    """The subaccount's id, or the account's when it applies to calls without a subaccount."""
    kind: str
    url: str = field(repr=False)
    authorization: str = field(default="", repr=False)
    """Sent verbatim as Authorization header; sealed at rest."""
    external_id: str = ""
    """8x8/Wavecell `subAccountId` shown in bodies; empty: the (sub)account's own, or its name."""
    enabled: bool = True
    """False: nothing is sent there."""
    options: Mapping[str, str] = field(default_factory=dict)
    """How bodies are written, where the vendor's pages leave a choice: `workflows/set_webhook.OPTIONS`."""
    secret: str = field(default="", repr=False)
    """Standard Webhooks secret; empty: not signed. Sealed at rest."""
    created_at: float = 0.0
    """Wall seconds."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One webhook to deliver: body fixed for all tries, signature made fresh at each (reliability.md §1)."""

    id: str
    """UUID; stable over retries."""
    account_id: str
    subaccount_id: str | None
    subject: str
    """The call's or session's id; rows of one subject and url are tried in `sequence` order, one at a time."""
    sequence: int
    dialect: str
    """`plivo`, `eight` or `wavecell`: picks headers, signature and retry schedule."""
    event: str
    method: str
    url: str = field(repr=False)
    content_type: str
    body: bytes = field(repr=False)
    """Holds real numbers: sealed at rest."""
    authorization: str = field(default="", repr=False)
    created_at: float = 0.0
    attempts: int = 0
    due_at: float = 0.0
    state: str = "due"
    """due, leased, done, failed, held (its endpoint is disabled), or waiting: behind an unfinished row of the same
    subject and url."""
    last_status: int | None = None
    last_error: str = ""
    secret: str = field(default="", repr=False)
    """Standard Webhooks secret of the endpoint; sealed at rest like the body."""
    replayed: int = 0
    """Tries before the last replay; `attempts` counts those since that ended."""
    leases: int = 0
    """How often it was taken since one ended, this time included; more than once where those who had it died."""


SessionOutbox = Callable[[Session], Sequence[OutboxRow]]
"""Webhooks that tell of a session as it comes to be; called inside its transaction, maybe twice."""


@dataclass(frozen=True, slots=True)
class Once:
    """Makes a write happen once, however often it is asked for: kept with the write, in its transaction."""

    account_id: str
    key: str
    """The client's Idempotency-Key, or one made of the request; kept as a hash."""
    fingerprint: str
    """Of the whole request: the same key with another request is a mistake (`IdempotencyMismatch`)."""
    until: float
    """Wall seconds from which the key is forgotten."""
    live_only: bool = False
    """A repeat of a create whose session is over makes a new one (de-duplication without a key)."""


EXISTS_ALREADY = "This number exists already."
EXTERNAL_ID_TAKEN = "Another of this account and its subaccounts has this external id."
IS_RETIRED = "This number exists already and is retired; bring it back with: maskline number set NUMBER --state active"
IS_PARTY = (
    "This number is a party of a session that is live or in its cool-off; a virtual number is nobody's telephone."
)
IS_FALLBACK = "This number is the fallback of a virtual number; a virtual number is nobody's telephone."
"""Sentences of `add_number` and of writing accounts."""
NO_ACCOUNT = "There is no such account."
NO_TRUNK = "There is no trunk of this name."
NO_CALL = "There is no such call in this account."
NO_EXPORT = "There is no such export in this account."
NO_PUSH_CONFIG = "Recordings of this account are not pushed by a configuration of its own."
NO_KEY = "There is no such key in this account."
NO_RECORDING = "There is no such recording in this account."
NOT_FINISHED = "This recording is not finished yet."
NOTHING_TO_RETRY = "Only a recording that failed, and whose audio was kept, can be tried again."
"""Sentences about recordings."""
PURGED_AT_ONCE = 4
"""Keys of `Once` that are over and go with each one that is added."""
OUTSIDE_CALLS = 50
"""Calls of a session that are searched for its last outside party."""
PENDING_STATES = frozenset({"waiting", "due", "leased"})
"""States of an outbox row that still has a try before it."""
OUTBOX_STATES = ("due", "waiting", "leased", "done", "failed", "held")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one leased outbox row."""

    row_id: str
    state: str
    """done, failed, held, or due (again at `due_at`)."""
    due_at: float
    status: int | None = None
    """HTTP status of the answer; kept as `last_status`."""
    error: str = ""
    """Kept as `last_error`; names no number and no URL query."""
    tried: bool = True
    """False: leased but given back without a try (its receiver's lane was full); the lease counts back down and
    `last_status`, `last_error` stay."""
    attempt: Attempt | None = None
    """The try, to be kept with its result."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One call's share of a group commit. Applied once: a share whose first fact is stored already is skipped,
    so a commit whose answer was lost may be repeated."""

    facts: tuple[Fact, ...]
    account_id: str | None
    """None: the call was to a number of nobody here; facts only."""
    outbox: tuple[OutboxRow, ...] = ()
    record: CallRecord | None = None
    session_id: str | None = None
    interaction: Interaction | None = None
    """Set with the record of a call inside a session: totals and `last_interaction_at` move in the same
    transaction."""
    calls_in_progress_delta: int = 0
    """+1 when the call was routed into its session, -1 with its record."""
    recording: Recording | None = None
    """Set when a recording began, or could not."""
    recording_end: RecordingEnd | None = None
    """Set with the record of a call that was recorded."""
    live: LiveCall | None = None
    """What the call can be recovered from, instead of what was kept before; goes with the record."""
    held: Tenure | None = None
    """By what the engine believes to have it; None: nothing of it was kept yet."""

    @property
    def call_id(self) -> str:
        """Of a share that is not empty."""
        if self.facts:
            return self.facts[0].subject
        return self.live.call_id if self.live is not None else self.record.id if self.record is not None else ""


class RecordingStore(Protocol):
    """The part about recordings."""

    async def recording(self, account_id: str, recording_id: str) -> Recording:
        """Raises `NotFound`."""
        ...

    async def recording_of_link(self, recording_id: str) -> Recording:
        """By its id alone: the caller has proved by a signed link that it may. Raises `NotFound`."""
        ...

    async def recordings(
        self, account_id: str, wanted: RecordingFilter, *, limit: int, offset: int = 0
    ) -> tuple[list[Recording], int]:
        """Newest first, and the total count of the filter."""
        ...

    async def recover_recordings(self, due_at: float, *, now: float = 0.0, owner: str = "") -> int:
        """What is recording for no call that lives, or is being processed by no process that lives, was left by one
        that was killed; and what `owner` processes, by its former self. It is stopped, the recordings as partial, and
        due at `due_at`. Returns how many those were."""
        ...

    async def lease_recording(self, owner: str, *, now: float, until: float) -> Recording | None:
        """Claim one that is stopped and due, or whose lease is over; attempts count up."""
        ...

    async def next_recording_due(self) -> float | None:
        """When the next try or the end of a lease is; None when there is nothing to do. Never suspends on SQLite."""
        ...

    async def finish_recording(
        self, owner: str, result: RecordingResult, *, facts: Sequence[Fact] = (), outbox: Sequence[OutboxRow] = ()
    ) -> bool:
        """Write back a leased one with its facts and webhooks, all at once; False, and nothing is written, when the
        lease is another's by now."""
        ...

    async def drop_spool(self, recording_id: str) -> None:
        """Its spool's files are removed."""
        ...

    async def recordings_to_clean(self, limit: int) -> list[Recording]:
        """Completed or deleted ones whose spool may still be there."""
        ...

    async def old_recordings(self, before: float, limit: int) -> list[Recording]:
        """Those that started before a wall second and still have something to delete: a file, or a failure's spool."""
        ...

    async def delete_recording(self, account_id: str, recording_id: str) -> Recording:
        """Mark it deleted; returns it as it was, for the removal of its file. Raises `NotFound` (also when it is
        deleted already) and `Conflict` (it is not finished yet)."""
        ...

    async def retry_recording(self, account_id: str, recording_id: str, now: float) -> None:
        """A failed one with a spool is due again. Raises `NotFound` and `Conflict` (any other)."""
        ...


class Store(
    RecordingStore, KeyStore, PushConfigStore, ExportStore, FlowRequestStore, WebhookStore, LiveCallStore, UsageStore,
    Protocol,
):  # fmt: skip
    async def open(self) -> None: ...
    async def close(self) -> None: ...
    def on_told(self, hear: Callable[[Told], None]) -> None:
        """`hear` what any process that shares the database has committed (`topics`): a hint, told on PostgreSQL."""
        ...

    # -- accounts and their things ---------------------------------------------------------------------------
    async def add_account(self, account: Account, *, once: Once | None = None) -> Account:
        """Account, or subaccount when it has a parent; returns the stored one (an earlier one when `once` was met
        before). Raises `Conflict` (id or external id exists), `NotFound` (no such parent), `IdempotencyMismatch`."""
        ...

    async def account(self, account_id: str) -> Account:
        """Account or subaccount by auth id; raises `NotFound`."""
        ...

    async def account_of_external_id(self, owner_id: str, external_id: str) -> Account:
        """A main account or one of its subaccounts, by 8x8's name for it; raises `NotFound`."""
        ...

    async def accounts(self, parent_id: str | None = None) -> list[Account]:
        """Main accounts, or the subaccounts of one; without removed ones."""
        ...

    async def update_account(
        self, account: Account, *, was: Account | None = None, once: Once | None = None, facts: Sequence[Fact] = (),
        outbox: Sequence[OutboxRow] = (),
    ) -> bool:  # fmt: skip
        """Replace all but id, parent and birth, and add `facts`, numbered here, and `outbox`; False when `once` (judged
        at `modified_at`) was met before. Raises `NotFound`, `IdempotencyMismatch`, and `Conflict` when another has the
        external id, or it is not as it `was`: of two changes, neither may bring back what the other took away."""
        ...

    async def remove_subaccount(self, account_id: str, now: float, *, outbox: Sequence[OutboxRow] = ()) -> None:
        """Its credentials are unknown from now on; its keys, endpoints and push configuration are deleted, its numbers
        go to the end of its account's pool, and its live sessions run to their end, with `outbox`, at once. What it
        recorded goes where its account's recordings go. Raises `NotFound` (also for a main account)."""
        ...

    async def add_number(self, number: VirtualNumber, now: float, *, outbox: Sequence[OutboxRow] = ()) -> None:
        """Appended to the pool of its subaccount, or of its account when it has none, with `outbox`, at once. Raises
        `Conflict` when the number exists, whoever has it and in whatever state, and when it is somebody's telephone: a
        party of a session that is live or in cool-off, or a number's fallback. Raises `NotFound` when the (sub)account
        does not exist."""
        ...

    async def numbers(self, account_id: str) -> list[VirtualNumber]:
        """All of an account (its subaccounts' too) or of one subaccount, in order of their adding; retired ones too."""
        ...

    async def number_countries(self, account_id: str) -> frozenset[str | None]:
        """Of all numbers of an account, its subaccounts' too. Never suspends on SQLite."""
        ...

    async def update_number(
        self, number: VirtualNumber, now: float, *, once: Once | None = None, outbox: Sequence[OutboxRow] = ()
    ) -> bool:
        """Replace everything but its account, and add `outbox`; False when `once` was met before and nothing was
        changed. Another subaccount: it goes to the end of that pool; its live sessions stay. Raises `NotFound` (number
        or subaccount) and `IdempotencyMismatch`."""
        ...

    async def number(self, number: Number) -> VirtualNumber | None:
        """Look up a dialled number; never suspends on SQLite (the engine asks on each call)."""
        ...

    async def add_trunk(self, trunk: Trunk, now: float) -> None:
        """Raises `Conflict` when the name or id exists."""
        ...

    async def update_trunk(self, trunk: Trunk) -> None:
        """Replace all but its id, name and place. Raises `NotFound`."""
        ...

    async def trunks(self) -> list[Trunk]:
        """In order of their adding."""
        ...

    async def remove_trunk(self, name: str) -> None:
        """Raises `NotFound`."""
        ...

    async def set_endpoint(self, endpoint: Endpoint) -> None:
        """Create or replace. Raises `NotFound` when the (sub)account does not exist."""
        ...

    async def endpoints(self, account_id: str) -> list[Endpoint]:
        """All endpoints of an account or subaccount; never suspends on SQLite."""
        ...

    async def remove_endpoint(self, account_id: str, kind: str) -> None:
        """Raises `NotFound`."""
        ...

    async def set_price(self, price: Price) -> None:
        """Create, or replace the row of the same trunk, direction and prefix."""
        ...

    async def prices(self) -> list[Price]:
        """All rows, by trunk, direction, prefix; never suspends on SQLite."""
        ...

    async def remove_price(self, price_id: str) -> None:
        """Raises `NotFound`."""
        ...

    async def configuration_version(self) -> int:
        """Moves whenever an account, key, number, trunk, price or endpoint was written, by any process: what was read
        before is then to be read again. Never suspends on SQLite; costs a few microseconds."""
        ...

    # -- sessions ---------------------------------------------------------------------------------------------
    async def create_session(
        self, new: NewSession, *, once: Once | None = None, outbox: SessionOutbox | None = None
    ) -> Session:
        """Allocate by `masking.pool.allocate` and insert session, claims, the SessionCreated fact, `once` and what
        `outbox` makes of the session in one transaction; when `once` was met before, return that session as it is now.
        Raises `PoolExhausted`, `InvalidParameter` and `MissingParameter` (as `allocate`), `NotFound` (account, or a
        subaccount that is not the account's), `Conflict` (id exists) and `IdempotencyMismatch`. The claim (key hash,
        virtual number) is unique in the database over live-or-quarantined claims: two racing creates cannot both
        win."""
        ...

    async def session(self, account_id: str, session_id: str) -> Session:
        """Raises `NotFound`."""
        ...

    async def sessions(
        self, account_id: str, wanted: SessionFilter, *, limit: int, offset: int, wall: float
    ) -> tuple[list[Session], int]:
        """Newest first, and the total count of the filter."""
        ...

    async def update_session(
        self, account_id: str, session_id: str, change: SessionChange, *,
        outbox: Sequence[OutboxRow] = (), once: Once | None = None,
    ) -> Session:  # fmt: skip
        """Apply the change, move its claims' end, take and release the claims of a party that changed, and add the
        SessionUpdated fact and `outbox`, all at once; when `once` was met before, return the session as it is.
        Raises `NotFound`, `IdempotencyMismatch`, `InvalidParameter` when a new party holds its virtual number in
        another session, and `SessionEnded` when it is not live at `change.now`: its claims may be another
        session's by then."""
        ...

    async def end_session(
        self, account_id: str, session_id: str, *, now: float, by_request: bool, outbox: Sequence[OutboxRow]
    ) -> Session:
        """Mark ended, release or quarantine its claims, add the SessionExpired fact and `outbox`, all at once.
        A request moves `expires_at` to `now`. Raises `NotFound`, and `SessionEnded` when it had ended already, or by
        request when its time is over."""
        ...

    async def replace_numbers(self, account_id: str, session_id: str, *, now: float, outbox: SessionOutbox) -> Session:
        """Give a live session other numbers for those that are not active any more (`masking.pool.reallocate`), add
        the VirtualNumberReplaced fact and what `outbox` makes of the new session; one whose numbers are all active is
        returned as it is. `outbox` is called inside the transaction, from any thread and perhaps twice. Raises
        `NotFound`, `SessionEnded` and `PoolExhausted`."""
        ...

    async def sessions_on(self, number: Number, *, now: float, limit: int) -> list[Session]:
        """Live sessions that hold a claim on a number, the last to end first. Their `interactions` are not
        loaded."""
        ...

    async def sessions_due(self, wall: float, limit: int) -> list[Session]:
        """Live sessions whose time is over, oldest first; the caller ends each. One that was damaged is ended here,
        since nobody else could."""
        ...

    async def session_for_call(self, caller: Number, virtual_number: Number) -> Session | None:
        """The session that holds the pair (caller, virtual number) or held it last (`pool.FORGET_AFTER`): ask
        `is_live`. Its `interactions` are not loaded. Never suspends on SQLite."""
        ...

    async def session_for_pin(self, pin: str, virtual_number: Number) -> Session | None:
        """The same by PIN."""
        ...

    async def open_session(self, virtual_number: Number) -> Session | None:
        """The same for a call that brings nothing: the single-party session that anyone reaches on this number."""
        ...

    async def pin_session(self, virtual_number: Number, now: float) -> Session | None:
        """The live session with a PIN on this number that ends last: whose prompt asks for the PIN. Never suspends
        on SQLite."""
        ...

    async def entries(self, virtual_number: Number) -> Entries:
        """What lets callers in on this number whom their own number does not. The length of PINs never shrinks: they
        are kept as hashes, and all that one gone too long costs is the pause after a shorter one. Never suspends on
        SQLite."""
        ...

    async def count_pin(self, one: PinTry, limits: PinLimits, now: float) -> Counted:
        """Count a try ahead of its outcome (`masking.pin.count`), all at once."""
        ...

    async def accept_pin(self, one: PinTry, limits: PinLimits, now: float) -> None:
        """The try that was counted was right (`masking.pin.take_back`)."""
        ...

    async def last_outside_party(self, session: Session) -> Number | None:
        """Who called (or was called) on the missing side of a single-party session last, and did not withhold the
        number. Never suspends on SQLite."""
        ...

    async def forget(self, before: float, now: float, limit: int) -> int:
        """Delete sessions that ended before a wall second, with their facts, interactions, calls and claims that are
        free; then facts, with the call, of calls that belong to no session; then finished outbox rows, and tallies of
        wrong PINs and keys of `Once` that are over now. Looks at no more than `limit` rows' subjects in one transaction
        and returns how many those were: call again while it equals `limit`."""
        ...

    async def reset_calls_in_progress(self) -> int:
        """At the start of an engine: each session has as many as live, whoever carries them. Returns how many had
        another count: calls of a process that died before it kept anything of them."""
        ...

    # -- calls -------------------------------------------------------------------------------------------------
    async def lease_requested_calls(self, owner: str, *, now: float, until: float, limit: int) -> list[RequestedCall]:
        """Claim requested calls (`create_session` keeps them) that nobody has claimed, or whose lease is over, oldest
        first. Leased until they are older than `REQUEST_AGE`, they are started once at most, whoever dies on the way:
        the call's first commit (`CallRequested`) removes the request."""
        ...

    async def drop_requested_call(
        self, owner: str, session_id: str, fact: CallNotStarted, outbox: Sequence[OutboxRow]
    ) -> bool:
        """Remove a request that is ours, and add the fact and `outbox`, all at once; False, and nothing is done, when
        the lease is not ours."""
        ...

    async def commit_calls(self, calls: Sequence[RecordedCall]) -> list[str]:
        """One transaction for all of it; durable when it returns. Returns the ids of calls that another engine has
        taken over, or that are over: of those nothing was written."""
        ...

    async def call(self, account_id: str, call_id: str) -> CallRecord:
        """Raises `NotFound`."""
        ...

    async def calls(self, account_id: str, *, session_id: str | None = None, limit: int = 20) -> list[CallRecord]:
        """Newest first."""
        ...

    async def facts(self, subject: str) -> list[Fact]:
        """Of one call or session, by sequence."""
        ...

    async def facts_since(self, cursor: int, limit: int) -> list[tuple[int, Fact]]:
        """Facts in order of commit after a cursor; what `call tail` follows."""
        ...

    async def replay_since(self, cursor: int, limit: int) -> list[tuple[int, Fact, CallParties | None]]:
        """As `facts_since`; the end of a call comes with whom its record, if kept, names. `pool verify` follows it."""
        ...

    # -- outbox ------------------------------------------------------------------------------------------------
    async def lease_outbox(self, owner: str, *, now: float, until: float, limit: int) -> list[OutboxRow]:
        """Claim due rows: due_at ≤ now, or leased with a lease that is over; a leased row's `due_at` is the end of
        its lease. Half are those due longest, half the newest: behind a backlog for one receiver nobody else's wait for
        all of it. Never two rows of one (subject, url) at once: the others are `waiting`, and when one is finished the
        lowest sequence of them becomes due."""
        ...

    async def finish_outbox(self, owner: str, deliveries: Sequence[Delivery], *, now: float) -> list[bool]:
        """Write back leased rows, all in one transaction (one disk write for many webhooks), each by
        compare-and-set on its lease and with its attempt; in order, False where another owner has the row by now."""
        ...

    async def outbox(self, account_id: str | None, *, state: str | None = None, limit: int = 50) -> list[OutboxRow]:
        """Newest first; of all accounts when `account_id` is None. One whose content was damaged has none, and a
        `last_error` that says so."""
        ...

    async def announce(self, outbox: Sequence[OutboxRow]) -> None:
        """Add webhooks that tell of nothing that is written; raises `Conflict` when an id exists."""
        ...

    async def outbox_state(self, row_id: str) -> str | None:
        """None: there is no such webhook, or not any more. Never suspends on SQLite."""
        ...

    async def replay_outbox(self, row_id: str, now: float) -> None:
        """Due at once, with all its tries before it when it was finished; a row that is leased or waiting is sent
        anyway and left alone. Raises `NotFound`."""
        ...

    async def next_outbox_due(self) -> float | None:
        """When the next try or the end of a lease is; None when nothing is pending."""
        ...

    async def counts(self) -> dict[str, Any]:
        """Rows by table and outbox rows by state; for metrics, `doctor` and tests."""
        ...
