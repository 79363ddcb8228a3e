"""Metrics: declared once, read at each scrape, and a broken part leaves the others readable."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

import pytest
from prometheus_client import generate_latest

from maskline.api.metrics import HttpMetrics
from maskline.engine.counters import EngineCounters
from maskline.metrics import (
    METRICS,
    PartsCollector,
    Sample,
    build_registry,
    read_asks,
    read_engine,
    read_media,
    read_prompts,
    read_recorder,
    read_recordings,
    read_webhooks,
)
from maskline.net.streams import StreamFigures
from maskline.sip.core import Counters
from tests.support.logging import configured_logs


def scrape(collector: PartsCollector) -> str:
    return generate_latest(build_registry(collector)).decode()


def engine_figures(**changes: Any) -> dict[str, Any]:
    """As `EngineRunner.metrics()` puts them together."""
    sip = {f"sip_{name}": value for name, value in asdict(Counters(received=7, malformed=2)).items()}
    engine = asdict(EngineCounters(calls=5, finished=3, outcomes={"completed": 2, "busy": 1}))
    held = {"calls_in_progress": 2, "sip_dialogs": 4, "sip_transactions": 6, "bans": 1, "waiting": 8}
    connections = StreamFigures({"tcp": 3, "tls": 0}, {"stranger": 4}, {"peer": 5}, 6)
    return {
        **engine,
        **sip,
        **held,
        "kernel_drops": 0,
        "send_drops": 0,
        "shut_drops": 0,
        "connections": connections,
        **changes,
    }


class Figures:
    """What the recorder, the deliverer, the prompt store and a media driver show."""

    dropped = 1
    depth = 4
    tries = 3
    available = True
    asked = Counter({"hit": 8, "stale": 1})
    fetched = Counter({"ok": 2, "http_4xx": 1})
    spoken = Counter({"no_speech": 6})
    size = 96_044
    made, failed, busy = 12, 1, 2
    disabled, disabled_count = 2, 5

    @property
    def health(self):
        return self

    counts = Counter({("plivo", "delivered"): 9, ("eight", "failed"): 1})


class AskerFigures:
    results = Counter({"answered": 40, "http_5xx": 2})
    repeated, seconds, asking = 5, 1.25, 3


class AskFigures:
    invalid = 1


def test_names_are_unique_and_every_metric_has_a_sentence():
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.name.startswith("maskline_")
        assert metric.sentence.endswith(".")
        assert not metric.name.endswith("_total")


def test_every_part_is_read_at_each_scrape():
    collector = PartsCollector()
    collector.add("engine", lambda: read_engine(engine_figures()))
    collector.add("recorder", lambda: read_recorder(Figures()))
    collector.add("webhooks", lambda: read_webhooks(Figures()))
    collector.add("call actions", lambda: read_asks(AskerFigures(), AskFigures()))
    collector.add("media", lambda: read_media(Figures()))
    collector.add("prompts", lambda: read_prompts(Figures()))
    collector.add("recordings", lambda: read_recordings(Figures()))
    text = scrape(collector)
    for line in (
        "maskline_calls_total 5.0",
        "maskline_calls_in_progress 2.0",
        'maskline_calls_finished_total{outcome="busy"} 1.0',
        "maskline_sip_datagrams_total 7.0",
        'maskline_sip_unusable_total{reason="malformed"} 2.0',
        'maskline_sip_socket_drops_total{way="in"} 0.0',
        "maskline_recorder_queue 4.0",
        "maskline_recorder_dropped_total 1.0",
        'maskline_webhook_tries_total{dialect="plivo",result="delivered"} 9.0',
        "maskline_webhook_endpoints_disabled 2.0",
        "maskline_webhook_endpoints_given_up_total 5.0",
        "maskline_webhook_tries_in_progress 3.0",
        'maskline_call_actions_total{result="http_5xx"} 2.0',
        "maskline_call_actions_in_progress 3.0",
        "maskline_call_actions_repeated_total 5.0",
        "maskline_call_actions_invalid_total 1.0",
        "maskline_call_action_seconds_total 1.25",
        "maskline_media_available 1.0",
        'maskline_prompts_total{how="hit"} 8.0',
        'maskline_prompt_fetches_total{result="http_4xx"} 1.0',
        'maskline_prompt_speech_total{result="no_speech"} 6.0',
        "maskline_prompt_prefetch_dropped_total 1.0",
        "maskline_prompt_cache_bytes 96044.0",
        'maskline_recording_jobs_total{result="made"} 12.0',
        'maskline_recording_jobs_total{result="failed"} 1.0',
        "maskline_recording_jobs_in_progress 2.0",
        "process_resident_memory_bytes",
    ):
        assert line in text


def test_every_counter_of_engine_and_agent_is_exported():
    collected = {sample[0:2] for sample in read_engine(engine_figures())}
    # `finished` is the sum of the outcomes.
    plain = set(engine_figures()) - {"finished", "outcomes", "connections"}
    assert len(collected) == len(plain) + 2 + 5


def test_connections_are_told_by_transport_and_by_why_they_ended():
    samples = [sample for sample in read_engine(engine_figures()) if "connections" in sample[0]]
    assert samples == [
        ("maskline_sip_connections_failed", (), 6),
        ("maskline_sip_connections", ("tcp",), 3),
        ("maskline_sip_connections", ("tls",), 0),
        ("maskline_sip_connections_refused", ("stranger",), 4),
        ("maskline_sip_connections_closed", ("peer",), 5),
    ]


def test_a_figure_the_system_does_not_have_is_left_out():
    names = [name for name, labels, _ in read_engine(engine_figures(kernel_drops=None)) if labels == ("in",)]
    assert names == []


def test_without_a_media_driver_there_is_no_media_metric():
    assert list(read_media(None)) == []


def test_a_part_that_fails_leaves_the_others_readable():
    def broken() -> list[Sample]:
        raise RuntimeError("not running")

    collector = PartsCollector()
    collector.add("engine", broken)
    collector.add("recorder", lambda: read_recorder(Figures()))
    with configured_logs() as lines:
        text = scrape(collector)
        written = lines.getvalue()  # type: ignore[attr-defined]
    assert "maskline_recorder_queue 4.0" in text
    assert "maskline_calls_total" not in text
    assert "metrics_failed" in written


def test_a_metric_that_nobody_declared_is_a_fault_and_not_exported():
    collector = PartsCollector()
    collector.add("part", lambda: [("maskline_secret", (), 1.0), ("maskline_recorder_queue", (), 1.0)])
    text = scrape(collector)
    assert "maskline_secret" not in text
    assert "maskline_recorder_queue 1.0" in text


def test_a_part_added_again_replaces_the_first():
    collector = PartsCollector()
    collector.add("part", lambda: [("maskline_recorder_queue", (), 1.0)])
    collector.add("part", lambda: [("maskline_recorder_queue", (), 2.0)])
    assert "maskline_recorder_queue 2.0" in scrape(collector)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_labels_are_closed_lists(metric: Any):
    assert not {"number", "account", "caller", "callee", "host", "url"} & set(metric.labels)


def test_no_series_tells_when_another_was_made():
    registry = build_registry(PartsCollector())
    HttpMetrics(registry).count("plivo", "list", 200, 0.001)
    text = generate_latest(registry).decode()
    assert "maskline_http_requests_total{" in text
    assert "_created" not in text
