"""Metrics: every Prometheus name declared once, and read from the parts' own counters when asked.

What it is: the list `METRICS` (name, kind, sentence, labels; docs/reference/metrics.md is generated from it) and
the collector behind `GET /metrics`. What it is not: counters; hot paths add to plain integers of their own, which
costs nothing more, and this module reads them at each scrape. Requests of the API are declared where they are
counted, in `api/metrics.py`. Who uses it: `app.py` connects the parts.

No label ever holds a number, an account or an address that a caller can choose: labels are closed lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import structlog
from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric. Counters are exported with `_total` behind the name."""

    name: str
    kind: Literal["counter", "gauge"]
    sentence: str
    labels: tuple[str, ...] = ()


METRICS: tuple[Declared, ...] = (
    Declared(
        "maskline_build_info",
        "gauge",
        "Always 1; the labels are the running version, and whether it is compiled.",
        ("version", "compiled"),
    ),
    Declared("maskline_loop_lag_seconds", "gauge", "By how much the event loop was late at the last look."),
    Declared("maskline_calls", "counter", "Calls from known trunks to numbers of ours."),
    Declared("maskline_calls_in_progress", "gauge", "Calls that have begun and not ended."),
    Declared("maskline_calls_finished", "counter", "Call records made, by how the call ended.", ("outcome",)),
    Declared("maskline_calls_recovered", "counter", "Calls that an engine had left, and that went on in this one."),
    Declared("maskline_calls_lost", "counter", "Calls of this engine that another one has taken over."),
    Declared("maskline_calls_unknown_number", "counter", "Calls to a number that is not ours, refused with 404."),
    Declared("maskline_calls_refused_draining", "counter", "Calls refused with 503 because the server is stopping."),
    Declared("maskline_calls_refused_trunk_full", "counter", "Calls refused with 503 because their trunk is full."),
    Declared(
        "maskline_calls_refused_limits",
        "counter",
        "Calls refused because of their account's limits, by cause.",
        ("cause",),
    ),
    Declared("maskline_account_alarms", "counter", "Accounts whose calls look like fraud, by alarm.", ("alarm",)),
    Declared("maskline_account_stops", "counter", "Accounts whose calls an alarm has stopped."),
    Declared("maskline_accounts_stopped", "gauge", "Accounts whose calls are stopped, as far as any has called."),
    Declared("maskline_calls_refused_overload", "counter", "Calls refused with 503 for lack of time or room."),
    Declared("maskline_calls_unrouted", "counter", "Calls refused because the store could not be asked."),
    Declared("maskline_calls_requested", "counter", "Calls that the server began because a session asked for it."),
    Declared("maskline_prompts_heard", "counter", "Prompts that were played to their end."),
    Declared("maskline_prompts_failed", "counter", "Prompts that could not be had or played; the facts say why."),
    Declared("maskline_recordings_started", "counter", "Recordings of calls that began."),
    Declared("maskline_recordings_cut", "counter", "Recordings that did not begin, or ended before their call."),
    Declared("maskline_recording_jobs", "counter", "Recordings made into files, or given up, by result.", ("result",)),
    Declared("maskline_recording_jobs_in_progress", "gauge", "Recordings that are being made into files."),
    Declared("maskline_media_failures", "counter", "Steps of calls that failed because the media driver was away."),
    Declared("maskline_media_available", "gauge", "1 while the media driver answers, else 0; absent with media off."),
    Declared("maskline_engine_faults", "counter", "Bugs met by the engine, each logged; it goes on."),
    Declared("maskline_sip_strangers", "counter", "Datagrams from addresses of no trunk, dropped unread."),
    Declared(
        "maskline_trunk_addresses",
        "gauge",
        "Addresses of trunks by state: up, avoided after a call failed there, or down by OPTIONS.",
        ("state",),
    ),
    Declared("maskline_sip_bans", "counter", "Addresses of no trunk that were banned for a while."),
    Declared("maskline_sip_capped", "counter", "Messages dropped because a trunk's address had sent too many."),
    Declared("maskline_calls_waiting", "gauge", "INVITEs that wait to be read."),
    Declared("maskline_calls_flooded", "counter", "INVITEs dropped because there were too many even to refuse them."),
    Declared("maskline_sip_wrong_passwords", "counter", "Requests of trunks refused with 403 for their digest."),
    Declared("maskline_sip_proved", "counter", "Requests of trunks whose digest held."),
    Declared("maskline_sip_datagrams", "counter", "Datagrams from trunks."),
    Declared("maskline_sip_unusable", "counter", "Those of them that led to nothing, by reason.", ("reason",)),
    Declared("maskline_sip_retransmissions", "counter", "Repeated by us (sent) or by trunks (absorbed).", ("way",)),
    Declared("maskline_sip_connections", "gauge", "TCP and TLS connections that stand.", ("transport",)),
    Declared("maskline_sip_connections_refused", "counter", "Connections to us closed unheard.", ("reason",)),
    Declared("maskline_sip_connections_closed", "counter", "Connections that stood and ended.", ("reason",)),
    Declared("maskline_sip_connections_failed", "counter", "Connections of ours that did not come about."),
    Declared("maskline_sip_timeouts", "counter", "Requests of ours that got no final response."),
    Declared("maskline_sip_unreachable", "counter", "ICMP errors for datagrams we sent."),
    Declared("maskline_sip_progress_dropped", "counter", "Provisional responses that are not passed on, such as 181."),
    Declared("maskline_sip_info_dropped", "counter", "INFO inside a call that told of no key."),
    Declared("maskline_sip_dialogs", "gauge", "Dialogs, from their INVITE on; two for each call that was dialled."),
    Declared("maskline_sip_transactions", "gauge", "SIP transactions held, for up to 32 s after their last response."),
    Declared(
        "maskline_sip_socket_drops",
        "counter",
        "Datagrams the kernel lost, by direction; `flood`: dropped while banned sources are shut out.",
        ("way",),
    ),
    Declared("maskline_recorder_queue", "gauge", "Commits of calls waiting to be written."),
    Declared("maskline_recorder_dropped", "counter", "Facts of calls that were lost; the log says why."),
    Declared(
        "maskline_pin_tries",
        "counter",
        "PINs entered: right, wrong, or locked (not looked at).",
        ("result",),
    ),
    Declared("maskline_pin_locks", "counter", "Times that too many wrong PINs locked a caller or a number.", ("of",)),
    Declared("maskline_sessions_expired", "counter", "Sessions ended because their time was over."),
    Declared("maskline_webhook_tries", "counter", "Tries of webhooks, by what became of them.", ("dialect", "result")),
    Declared("maskline_webhook_tries_in_progress", "gauge", "Tries of webhooks going on."),
    Declared("maskline_webhook_endpoints_disabled", "gauge", "Endpoints that get nothing: they failed, or are gone."),
    Declared("maskline_webhook_endpoints_given_up", "counter", "Times that this process disabled an endpoint."),
    Declared(
        "maskline_call_actions",
        "counter",
        "Questions to customers' applications, by result: answered, withdrawn since the caller left, or why not.",
        ("result",),
    ),
    Declared("maskline_call_actions_in_progress", "gauge", "Questions that wait for their answer."),
    Declared("maskline_call_actions_repeated", "counter", "Second tries of questions."),
    Declared("maskline_call_actions_invalid", "counter", "Answers that were no call flow, among those answered."),
    Declared("maskline_call_action_seconds", "counter", "Time that the answered questions took, together."),
    Declared("maskline_prompts", "counter", "Prompts the engine asked for: hit, made, stale or failed.", ("how",)),
    Declared("maskline_prompt_fetches", "counter", "Prompt files fetched and converted, by result.", ("result",)),
    Declared("maskline_prompt_speech", "counter", "Texts spoken, by result.", ("result",)),
    Declared("maskline_prompt_prefetch_dropped", "counter", "Prompts not fetched ahead because too many waited."),
    Declared("maskline_prompt_cache_bytes", "gauge", "Size of the converted prompts on disk."),
)
"""Every metric the parts export; those of HTTP requests are in `api/metrics.py`."""

Sample = tuple[str, tuple[str, ...], float]
"""Metric name, label values in declared order, value."""
Reader = Callable[[], Iterable[Sample]]
"""Reads one part's counters; quick, without IO."""


class PartsCollector(Collector):
    """What Prometheus asks at each scrape; a part that is not there, or fails, leaves its metrics out."""

    def __init__(self, declared: Iterable[Declared] = METRICS) -> None:
        self._declared = {metric.name: metric for metric in declared}
        self._readers: dict[str, Reader] = {}

    def add(self, part: str, reader: Reader) -> None:
        """Read `part` from now on; adding it again replaces the reader."""
        self._readers[part] = reader

    def describe(self) -> Iterator[Metric]:
        """All families without values: registering must not depend on the parts running."""
        yield from (_family(metric) for metric in self._declared.values())

    def collect(self) -> Iterator[Metric]:
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for part, reader in self._readers.items():
            for name, labels, value in self._read(part, reader):
                metric = self._declared[name]
                family = families.get(name)
                if family is None:
                    family = families[name] = _family(metric)
                family.add_metric(labels, value)
        yield from families.values()

    def _read(self, part: str, reader: Reader) -> list[Sample]:
        try:
            return [sample for sample in reader() if sample[0] in self._declared]
        except Exception as error:  # noqa: BLE001  one part's fault must not blind the operator to all others
            structlog.get_logger(__name__).warning("metrics_failed", part=part, exc_info=error)
            return []


def build_registry(collector: PartsCollector) -> CollectorRegistry:
    """A registry of this process: the parts, and Python's and the process's own figures."""
    # A time of creation for each counter and histogram of each route doubles the answer, and no one asks for it.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # as the library declares it
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


# What each part counts, in its own words, as samples. Parts are named by what is read of them, since this module is
# below them all; tests/unit/test_metrics.py feeds real ones.


class RecorderFigures(Protocol):
    dropped: int

    @property
    def depth(self) -> int: ...


class WebhookFigures(Protocol):
    counts: Counter[tuple[str, str]]

    @property
    def tries(self) -> int: ...
    @property
    def health(self) -> HealthFigures: ...


class HealthFigures(Protocol):
    disabled_count: int

    @property
    def disabled(self) -> int: ...


class AskerFigures(Protocol):
    results: Counter[str]
    repeated: int
    seconds: float

    @property
    def asking(self) -> int: ...


class AskFigures(Protocol):
    invalid: int


class PinFigures(Protocol):
    tries: Counter[str]
    locks: Counter[str]


class UsageFigures(Protocol):
    refused: Any
    """Counts by cause."""
    stopped: set[str]


class GuardFigures(Protocol):
    alarms: Any
    """Counts by alarm."""
    stops: int


class RecordingFigures(Protocol):
    made: int
    failed: int

    @property
    def busy(self) -> int: ...


class MediaFigures(Protocol):
    @property
    def available(self) -> bool: ...


class PromptFigures(Protocol):
    asked: Counter[str]
    fetched: Counter[str]
    spoken: Counter[str]
    dropped: int

    @property
    def size(self) -> int: ...


_ENGINE = {
    "calls": ("maskline_calls", ()),
    "calls_in_progress": ("maskline_calls_in_progress", ()),
    "sip_dialogs": ("maskline_sip_dialogs", ()),
    "sip_transactions": ("maskline_sip_transactions", ()),
    "recovered": ("maskline_calls_recovered", ()),
    "lost": ("maskline_calls_lost", ()),
    "unknown_numbers": ("maskline_calls_unknown_number", ()),
    "drained": ("maskline_calls_refused_draining", ()),
    "overloaded": ("maskline_calls_refused_overload", ()),
    "trunk_full": ("maskline_calls_refused_trunk_full", ()),
    "routes_failed": ("maskline_calls_unrouted", ()),
    "media_failed": ("maskline_media_failures", ()),
    "requested_calls": ("maskline_calls_requested", ()),
    "prompts_heard": ("maskline_prompts_heard", ()),
    "prompts_failed": ("maskline_prompts_failed", ()),
    "recordings_started": ("maskline_recordings_started", ()),
    "recordings_cut": ("maskline_recordings_cut", ()),
    "dropped_info": ("maskline_sip_info_dropped", ()),
    "faults": ("maskline_engine_faults", ()),
    "strangers": ("maskline_sip_strangers", ()),
    "unreachable": ("maskline_sip_unreachable", ()),
    "dropped_progress": ("maskline_sip_progress_dropped", ()),
    "sip_received": ("maskline_sip_datagrams", ()),
    "sip_keepalives": ("maskline_sip_unusable", ("keepalive",)),
    "sip_malformed": ("maskline_sip_unusable", ("malformed",)),
    "sip_stray": ("maskline_sip_unusable", ("stray",)),
    "sip_refused": ("maskline_sip_unusable", ("refused",)),
    "sip_unproven": ("maskline_sip_unusable", ("unproven",)),
    "acks_absorbed": ("maskline_sip_unusable", ("ack",)),
    "bans": ("maskline_sip_bans", ()),
    "capped": ("maskline_sip_capped", ()),
    "waiting": ("maskline_calls_waiting", ()),
    "flooded": ("maskline_calls_flooded", ()),
    "wrong_passwords": ("maskline_sip_wrong_passwords", ()),
    "sip_proved": ("maskline_sip_proved", ()),
    "sip_retransmits_sent": ("maskline_sip_retransmissions", ("sent",)),
    "sip_retransmits_absorbed": ("maskline_sip_retransmissions", ("absorbed",)),
    "sip_timeouts": ("maskline_sip_timeouts", ()),
    "kernel_drops": ("maskline_sip_socket_drops", ("in",)),
    "send_drops": ("maskline_sip_socket_drops", ("out",)),
    "shut_drops": ("maskline_sip_socket_drops", ("flood",)),
}


def read_engine(figures: Mapping[str, Any]) -> Iterator[Sample]:
    """`EngineRunner.metrics()`; a figure that is None (no such count on this system) is left out."""
    for name, (metric, labels) in _ENGINE.items():
        if figures[name] is not None:
            yield metric, labels, figures[name]
    connections = figures["connections"]
    yield "maskline_sip_connections_failed", (), connections.failed
    for name, counts in (
        ("maskline_sip_connections", connections.open_now),
        ("maskline_sip_connections_refused", connections.refused),
        ("maskline_sip_connections_closed", connections.closed),
    ):
        for label, count in counts.items():
            yield name, (label,), count
    for outcome, count in figures["outcomes"].items():
        yield "maskline_calls_finished", (str(outcome),), count


def read_recorder(recorder: RecorderFigures) -> Iterator[Sample]:
    yield "maskline_recorder_queue", (), recorder.depth
    yield "maskline_recorder_dropped", (), recorder.dropped


def read_webhooks(deliverer: WebhookFigures) -> Iterator[Sample]:
    yield "maskline_webhook_tries_in_progress", (), deliverer.tries
    yield "maskline_webhook_endpoints_disabled", (), deliverer.health.disabled
    yield "maskline_webhook_endpoints_given_up", (), deliverer.health.disabled_count
    for (dialect, result), count in deliverer.counts.items():
        yield "maskline_webhook_tries", (dialect, result), count


def read_asks(asker: AskerFigures, asks: AskFigures) -> Iterator[Sample]:
    for result, count in asker.results.items():
        yield "maskline_call_actions", (result,), count
    yield "maskline_call_actions_in_progress", (), asker.asking
    yield "maskline_call_actions_repeated", (), asker.repeated
    yield "maskline_call_actions_invalid", (), asks.invalid
    yield "maskline_call_action_seconds", (), asker.seconds


def read_pins(pins: PinFigures) -> Iterator[Sample]:
    for result in ("right", "wrong", "locked"):
        yield "maskline_pin_tries", (result,), pins.tries[result]
    for subject in ("caller", "number"):
        yield "maskline_pin_locks", (subject,), pins.locks[subject]


_LIMIT_CAUSES = ("account_full", "account_spent", "account_stopped", "country_barred", "destination_barred")
_ALARMS = ("new_country", "night_peak", "short_calls", "day_spent")


def read_limits(usage: UsageFigures, guard: GuardFigures) -> Iterator[Sample]:
    # Causes and alarms are their own words (`StrEnum`), so that a word finds its count.
    for cause in _LIMIT_CAUSES:
        yield "maskline_calls_refused_limits", (cause,), usage.refused.get(cause, 0)
    for alarm in _ALARMS:
        yield "maskline_account_alarms", (alarm,), guard.alarms.get(alarm, 0)
    yield "maskline_account_stops", (), guard.stops
    yield "maskline_accounts_stopped", (), len(usage.stopped)


def read_recordings(recordings: RecordingFigures) -> Iterator[Sample]:
    yield "maskline_recording_jobs", ("made",), recordings.made
    yield "maskline_recording_jobs", ("failed",), recordings.failed
    yield "maskline_recording_jobs_in_progress", (), recordings.busy


def read_media(media: MediaFigures | None) -> Iterator[Sample]:
    if media is not None:
        yield "maskline_media_available", (), float(media.available)


def read_prompts(prompts: PromptFigures) -> Iterator[Sample]:
    counters = (
        ("maskline_prompts", prompts.asked),
        ("maskline_prompt_fetches", prompts.fetched),
        ("maskline_prompt_speech", prompts.spoken),
    )
    for name, counter in counters:
        for label, count in counter.items():
            yield name, (label,), count
    yield "maskline_prompt_prefetch_dropped", (), prompts.dropped
    yield "maskline_prompt_cache_bytes", (), prompts.size


def _family(metric: Declared) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return kind(metric.name, metric.sentence, labels=metric.labels)
