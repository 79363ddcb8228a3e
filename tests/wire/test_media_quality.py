"""What both drivers say of how well a call was heard, next to rtpengine's own rating of the very same streams.

Seven calls run at once through both drivers for ten seconds; each test looks at one side of what was told. The
figures measured are in docs/decisions (the rating of loss).
"""

from __future__ import annotations

import asyncio
import shutil

import pytest

from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from tests.support.hypervisor import Taken
from tests.support.media_harness import EmbeddedHarness, Harness
from tests.support.rtpengine_process import RtpengineHarness
from tests.support.spoiled_calls import CLEAN, LATE, Plan, Told, Way, run

pytestmark = [
    pytest.mark.wire,
    pytest.mark.alone,
    pytest.mark.skipif(shutil.which("rtpengine") is None, reason="not installed (Debian: rtpengine-daemon)"),
]

A, B = LegName.A, LegName.B
SECONDS = 10.0
WAYS = {"clean": CLEAN, "1 %": Way(0.01), "5 %": Way(0.05), "20 %": Way(0.2), "late": LATE}
TURNED = dict(zip(WAYS, [*list(WAYS)[2:], *list(WAYS)[:2]], strict=True))
"""What the other direction of a call suffers, so that no two directions could be taken for each other."""
PLANS = [
    *(Plan(name, way, WAYS[TURNED[name]]) for name, way in WAYS.items()),
    Plan("nobody reports", WAYS["5 %"], WAYS["5 %"], frozenset()),
    Plan("callee reports", WAYS["5 %"], WAYS["5 %"], frozenset({B})),
]
DRIVERS = ("embedded", "rtpengine")
ATTEMPTS = 3
"""A CPU that is away for 100 ms bends jitter, and the daemon's mean of few reports: the first fair run is judged."""
Outcomes = dict[str, dict[str, Told]]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcomes, Taken]:
    taken = Taken()
    for _ in range(ATTEMPTS):
        folder = tmp_path_factory.mktemp("quality")
        harnesses: list[Harness] = [EmbeddedHarness(folder / "m", ports=60), RtpengineHarness(folder, ports=100)]
        with taken:
            outcomes = asyncio.run(_measure(harnesses))
        if not taken.now:
            break
    return outcomes, taken


@pytest.fixture
def told(measured: tuple[Outcomes, Taken]) -> Outcomes:
    return measured[0]


@pytest.fixture
def taken(measured: tuple[Outcomes, Taken]) -> Taken:
    return measured[1]


async def _measure(harnesses: list[Harness]) -> Outcomes:
    try:
        for harness in harnesses:
            await harness.start()
        outcomes = await asyncio.gather(*(run(harness, PLANS, SECONDS) for harness in harnesses))
    finally:
        for harness in harnesses:
            await harness.stop()
    return dict(zip(DRIVERS, outcomes, strict=True))


def heard(told: Outcomes, driver: str, name: str, leg: LegName) -> Quality:
    return told[driver][name].figures[leg]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("name", WAYS)
def test_the_mos_is_within_0_3_of_what_rtpengine_itself_makes_of_the_call(
    told: Outcomes, taken: Taken, driver: str, name: str
) -> None:
    theirs = told["rtpengine"][name].theirs
    for leg in LegName:
        mos = heard(told, driver, name, leg).mos
        with taken.judged(f"rated {mos} here and {theirs[leg]} there"):
            assert mos == pytest.approx(theirs[leg], abs=0.3), leg


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("name", WAYS)
def test_loss_and_jitter_are_those_of_the_network(told: Outcomes, taken: Taken, driver: str, name: str) -> None:
    for leg, way in ((A, WAYS[name]), (B, WAYS[TURNED[name]])):
        figures = heard(told, driver, name, leg)
        assert figures.packet_loss == pytest.approx(way.loss, abs=0.01)
        assert figures.packets_received == told[driver][name].sent[leg]
        assert figures.loss_known
        if way is LATE:  # two delays between none and 40 ms differ by 13.3 ms in the mean
            with taken.judged(f"nothing lost or late beyond the plan; jitter {figures.jitter_ms} ms"):
                assert 10.0 <= figures.jitter_ms <= 25.0


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("name", WAYS)
def test_what_the_far_sides_report_of_what_they_hear_is_told_too(
    told: Outcomes, taken: Taken, driver: str, name: str
) -> None:
    """What is lost between a party and the relay is missing at the other party as well."""
    for listener, speaker in ((B, A), (A, B)):
        figures, theirs = heard(told, driver, name, listener), heard(told, driver, name, speaker)
        assert figures.far_packet_loss == pytest.approx(theirs.packet_loss, abs=0.02)
        assert figures.round_trip_ms is not None
        assert figures.far_mos is not None
        with taken.judged(f"heard {figures}, and at the other side {theirs}"):
            assert figures.far_jitter_ms == pytest.approx(theirs.jitter_ms, abs=5.0)
            assert figures.far_mos == pytest.approx(theirs.mos, abs=0.15)
            assert 0.0 < figures.round_trip_ms < 200.0


def test_without_reports_the_embedded_relay_knows_what_it_received_and_nothing_else(told: Outcomes) -> None:
    for leg in LegName:
        figures = heard(told, "embedded", "nobody reports", leg)
        assert figures.packet_loss == pytest.approx(0.05, abs=0.001)
        assert figures.loss_known
        assert (figures.far_mos, figures.far_packet_loss, figures.round_trip_ms) == (None, None, None)


def test_without_reports_rtpengine_knows_the_packets_alone_and_the_figures_say_so(told: Outcomes) -> None:
    for leg in LegName:
        figures = heard(told, "rtpengine", "nobody reports", leg)
        assert figures.packets_received == told["rtpengine"]["nobody reports"].sent[leg]
        assert not figures.loss_known
        assert (figures.far_mos, figures.far_packet_loss, figures.round_trip_ms) == (None, None, None)


@pytest.mark.parametrize("driver", DRIVERS)
def test_reports_of_one_side_tell_how_the_other_was_heard_there(told: Outcomes, driver: str) -> None:
    caller, callee = (heard(told, driver, "callee reports", leg) for leg in LegName)
    assert caller.loss_known
    assert caller.packet_loss == pytest.approx(0.05, abs=0.01)
    assert callee.far_packet_loss == pytest.approx(0.05, abs=0.02)
    assert caller.far_mos is None
    assert callee.loss_known == (driver == "embedded")
