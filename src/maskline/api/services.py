"""What every dialect is built from.

What it is: the parts and settings handed down by `build_http_app`. What it is not: a place for behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from maskline.api.auth import Authenticator
from maskline.api.limits import RequestLimiter
from maskline.api.metrics import HttpMetrics
from maskline.clock import Clock
from maskline.ids import Ids
from maskline.masking.session import SessionOptions
from maskline.media.speech.voice import NoSpeech, SpeechEngine
from maskline.net.guard import AddressGuard
from maskline.storage.store import Store
from maskline.workflows.account_events import AccountEvents
from maskline.workflows.build_outbox import NO_LINKS, param_update_outbox
from maskline.workflows.exports import ExportPlan
from maskline.workflows.hooks import CallHook, Notify, SessionHook, nobody_asks, nobody_carries, nobody_waits
from maskline.workflows.process_recordings import RecordingPlan
from maskline.workflows.recording_links import RecordingLinks
from maskline.workflows.update_session import UpdateOutbox


@dataclass(frozen=True, slots=True)
class OperatorAccess:
    key: str = field(default="", repr=False)
    """Bearer key of whoever runs this server; empty: nobody has it."""
    events: AccountEvents | None = None
    """By which webhooks tell of accounts' stops."""


@dataclass(frozen=True, slots=True)
class ApiServices:
    store: Store
    """Only ever passed on to workflows."""
    clock: Clock
    ids: Ids
    authenticate: Authenticator
    limiter: RequestLimiter
    metrics: HttpMetrics
    session_defaults: SessionOptions
    public_url: str
    """Scheme and host that absolute links begin with; empty: as each request came in."""
    create_window: float = 0.0
    """Seconds in which the same create without an Idempotency-Key counts as sent again; 0: never."""
    vts_hosts: frozenset[str] = frozenset()
    """Host names, in lower case, under which `/v1` answers in the flavour of the VTS pages."""
    update_outbox: UpdateOutbox = param_update_outbox
    """Webhooks of an update."""
    committed: Notify = nobody_waits
    """Called when there are new webhooks to deliver."""
    created: SessionHook = nobody_asks
    """Called with each session that a request makes."""
    ended: SessionHook = nobody_asks
    """Called with each session that a request ends."""
    recordings: RecordingPlan = field(default_factory=RecordingPlan)
    links: RecordingLinks = NO_LINKS
    speech: SpeechEngine = field(default_factory=NoSpeech)
    """Whose voices call flows may name."""
    eight_strict: bool = False
    """Whether call flows are held to the stricter of the vendor's two descriptions (`FlowRules.strict`)."""
    requested: Notify = nobody_waits
    """Called when there is a new call flow to begin."""
    exports: ExportPlan = field(default_factory=ExportPlan)
    export_requested: Notify = nobody_waits
    """Called when there is a new table of calls to make."""
    guard: AddressGuard = field(default_factory=AddressGuard)
    """Which addresses customers may name as receivers."""
    operator: OperatorAccess = field(default_factory=OperatorAccess)
    end_asked: CallHook = nobody_carries
    """Called with the id of each call whose end a request asks for."""
