"""The figures of a call of which every twentieth packet is missing."""

from __future__ import annotations

import pytest

from tests.support.heard_field import Evening, Voices, together
from tests.support.pcap import Track

pytestmark = pytest.mark.wire
SECONDS, LOSS = 12.0, 0.05


@together
def test_a_call_with_five_percent_loss_is_told_as_such(evening: Evening) -> None:
    callee = evening.baresip(2)
    phone, script = evening.sipp_caller()
    evening.session(phone.line.number, callee.number)
    track = Track(seed=7)
    track.mouth.loss = LOSS
    capture = evening.folder / "lossy.pcap"
    script.invite().answered().play(capture, track.write(capture, say=Voices.of(1)[: int(SECONDS * 8000)])).hang_up()
    lost = track.mouth.lost_packets / (track.mouth.lost_packets + track.mouth.sent_packets)
    assert 0.03 < lost < 0.07
    evening.dial(phone)
    phone.finish()
    callee.wait_for("CALL_CLOSED")
    caller_leg, callee_leg = evening.record(phone.line.number).legs
    assert caller_leg.quality is not None
    assert caller_leg.quality.packet_loss == pytest.approx(lost, abs=0.015)
    # G.107 for G.711 with concealment: R = 93.2 - 95 * 5 / (5 + 23) = 76.2, which is 3.9.
    assert caller_leg.quality.mos == pytest.approx(3.9, abs=0.2)
    assert callee_leg.quality is not None
    assert callee_leg.quality.packet_loss < 0.01
    assert callee_leg.quality.mos >= 4.2
