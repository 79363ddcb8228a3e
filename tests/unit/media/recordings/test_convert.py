"""From packets to a stereo file: where every sample lies in time, whatever the network and the parties did."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from maskline.media.recordings import convert as module
from maskline.media.recordings import track
from maskline.media.recordings.convert import ConversionError, Converted, convert
from maskline.media.rtp import RtpPacket, build
from maskline.media.spool import Spooled, SpooledCodecs, SpooledEnd, SpooledPacket
from maskline.sdp.session import Codec
from tests.support.spoken_rtp import DELAY, RATE, Party, Samples, lag, match, voice

START = 1_800_000_000.0
BOTH = (Codec(0, "PCMU"), Codec(8, "PCMA"), Codec(101, "telephone-event"))
Frames = Iterable[tuple[float, bytes]]


def records(left: Frames, right: Frames = ()) -> Iterator[Spooled]:
    """As the spool gives them: the codecs, then packets in order of arrival."""
    for leg in (0, 1):
        yield SpooledCodecs(START, leg, BOTH)
    tagged = [sorted((at, leg, data) for at, data in frames) for leg, frames in enumerate((left, right))]
    for at, leg, data in heapq.merge(*tagged):
        yield SpooledPacket(at, leg, data)


class Recorder:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self, spooled: Iterable[Spooled], seconds: float | None, file_format: str = "wav", start: float | None = START
    ) -> tuple[Converted, Samples, Samples]:
        path = self.folder / f"call.{file_format}"
        ended = None if seconds is None else START + seconds
        result = convert(spooled, path, file_format, started_at=start, ended_at=ended)
        samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
        assert rate == RATE
        assert len(samples) == round(result.duration * RATE)
        return result, samples[:, 0], samples[:, 1]


@pytest.fixture
def record(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)


class TestPlacement:
    @pytest.mark.row("8x8:9/undocumented")
    def test_both_parties_lie_where_they_spoke_and_the_file_is_as_long_as_the_call(self, record: Recorder) -> None:
        first, second = voice(3.0, 1), voice(2.0, 2)
        late = Party(second, started=START + 0.5, payload_type=8, ssrc=2)
        result, left, right = record(records(Party(first).frames(), late.frames()), 4.0)
        assert len(left) == len(right) == 4 * RATE
        assert match(left, first) > 0.99
        assert match(right[RATE // 2 :], second) > 0.99
        assert not left[round(3.1 * RATE) :].any()
        assert result.packets == (150, 100)
        assert not result.closed
        assert result.undecoded == ()

    def test_loss_hold_codec_change_and_a_new_stream_leave_everything_in_its_place(self, record: Recorder) -> None:
        said = voice(16.0, 3)
        said[5 * RATE : 8 * RATE] = 0
        party = Party(said)

        def frames() -> Iterator[tuple[float, bytes]]:
            yield from party.frames(0, 5, loss=0.05, jitter=0.01)
            # Hold: nothing is sent for three seconds, and the timestamps stand still.
            yield from party.frames(8, 10, loss=0.05, jitter=0.01)
            party.payload_type = 8
            yield from party.frames(10, 13, loss=0.05, jitter=0.01)
            party.ssrc, party.timestamp, party.sequence = 0xBEEF, 12_345, 1
            yield from party.frames(13, 16, loss=0.05, jitter=0.01)

        other = voice(16.0, 4)
        result, left, right = record(records(frames(), Party(other, ssrc=5).frames(loss=0.05)), 16.0)
        assert match(left, said) >= 0.95
        assert match(right, other) >= 0.95
        assert not left[round(5.1 * RATE) : round(7.9 * RATE)].any()
        for second in (1.0, 8.5, 11.0, 14.0):
            assert lag(left, said, second) == pytest.approx(DELAY, abs=0.005)
        assert result.quality[0] is not None
        assert result.quality[0].packet_loss == pytest.approx(0.05, abs=0.03)

    def test_lost_packets_are_silence_of_their_length(self, record: Recorder) -> None:
        said = voice(1.0, 5)
        frames = list(Party(said).frames())
        _, left, _ = record(records(frames[:20] + frames[30:]), 1.2)
        gap = left[round((0.4 + DELAY) * RATE) : round((0.6 + DELAY) * RATE)]
        assert len(gap) == 1600
        assert not gap.any()
        assert match(left[round((0.6 + DELAY) * RATE) :], said[round(0.6 * RATE) :], 0.0) > 0.99

    def test_jitter_and_reordering_make_no_gap(self, record: Recorder) -> None:
        said = voice(4.0, 6)
        _, left, _ = record(records(Party(said).frames(jitter=0.09)), 4.2)
        assert match(left, said, slack=0.005) > 0.96

    def test_a_burst_after_a_stall_of_the_network_lies_where_it_was_said(self, record: Recorder) -> None:
        said = voice(6.0, 7)
        stalled = [(max(at, START + 3.6) if at > START + 3.0 else at, data) for at, data in Party(said).frames()]
        _, left, _ = record(records(stalled), 6.2)
        assert match(left, said) > 0.99

    def test_a_first_packet_that_comes_late_does_not_shift_the_rest(self, record: Recorder) -> None:
        said = voice(2.0, 8)
        frames = list(Party(said).frames())
        frames[0] = (frames[0][0] + 0.15, frames[0][1])
        _, left, _ = record(records(frames), 2.2)
        assert lag(left, said, 0.5) == pytest.approx(DELAY, abs=0.001)

    @pytest.mark.parametrize("clock", [1.0003, 0.9997])
    def test_a_wrong_clock_of_a_party_is_followed_at_a_distance(self, record: Recorder, clock: float) -> None:
        said = voice(240.0, 9)
        _, left, _ = record(records(Party(said, clock=clock).frames()), 241.0)
        # At second 230 of the party's clock it is 69 ms off, the recording less than half of that: SLACK is 30 ms.
        for second in (10.0, 120.0, 230.0):
            assert lag(left, said, second) == pytest.approx(DELAY + second / clock - second, abs=0.033)

    def test_delays_that_waver_by_milliseconds_cost_no_sample(self, record: Recorder) -> None:
        said = voice(12.0, 9)
        frames = [(at + 0.008 * (int(at - START) % 6 > 2), data) for at, data in Party(said).frames()]
        _, left, _ = record(records(frames), 12.1)
        assert match(left, said) > 0.99

    def test_timestamps_that_jump_ahead_are_anchored_anew_at_once(self, record: Recorder) -> None:
        said = voice(4.0, 10)
        party = Party(said)
        frames = list(party.frames(0, 2))
        party.timestamp += 10 * RATE
        frames += party.frames(2, 4)
        _, left, _ = record(records(frames), 4.1)
        assert match(left, said) > 0.99

    def test_a_sender_that_changes_its_stream_all_the_time_is_heard_all_the_same(self, record: Recorder) -> None:
        said = voice(2.0, 11)
        party = Party(said)
        frames: list[tuple[float, bytes]] = []
        for index in range(20):
            party.ssrc, party.timestamp = index, index * 77_777
            frames += party.frames(index / 10, (index + 1) / 10)
        _, left, _ = record(records(frames), 2.1)
        assert match(left, said) > 0.98

    def test_more_than_the_buffer_holds_is_written_as_it_comes(self, record: Recorder) -> None:
        said = voice(40.0, 12)
        _, left, _ = record(records(Party(said).frames(), Party(said[: 5 * RATE]).frames()), 41.0)
        assert match(left, said) > 0.99

    def test_a_long_silence_of_both_is_as_long_in_the_file(self, record: Recorder) -> None:
        said = voice(62.0, 13)
        said[RATE : 61 * RATE] = 0
        party = Party(said)
        frames = list(party.frames(0, 1))
        party.timestamp += 60 * RATE
        frames += party.frames(61, 62)
        _, left, right = record(records(frames), 62.1)
        assert match(left, said) > 0.99
        assert not right.any()

    def test_a_packet_of_before_the_start_or_of_a_wrong_clock_is_left_out(self, record: Recorder) -> None:
        frames = list(Party(voice(1.0, 14)).frames())
        odd = [(START - 1.0, frames[0][1]), (START + 90_000_000.0, frames[1][1])]
        result, _, _ = record(records(odd + frames[2:]), None)
        assert result.duration == pytest.approx(1.0, abs=0.1)
        assert result.packets == (48, 0)

    def test_an_oversized_packet_grows_the_buffer(self, record: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_MARGIN", 20.0)
        said = voice(19.0, 15)
        _, left, _ = record(records(Party(said).frames()), 19.1)
        assert match(left, said) > 0.99

    def test_one_sample_between_two_packets_is_bridged(self, record: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(track, "SLACK", 0.0)
        level = np.full(4 * RATE, 8000, np.int16)
        frames = list(Party(level, clock=0.9997).frames())
        _, left, _ = record(records(frames), 4.0)
        spoken = left[round(0.1 * RATE) : round(3.9 * RATE)]
        assert spoken.min() > 7000


class TestContent:
    def test_events_comfort_noise_and_what_is_no_rtp_are_silent(self, record: Recorder) -> None:
        frames = [
            (START + 0.1, build(RtpPacket(101, 1, 160, 9, b"\x05\x0a\x01\x40"))),
            (START + 0.2, build(RtpPacket(13, 2, 320, 9, b"\x40"))),
            (START + 0.3, b"\x00" * 20),
        ]
        result, left, _ = record(records(frames), 0.5)
        assert not left.any()
        assert result.packets == (0, 0)
        assert result.undecoded == ()

    def test_a_codec_that_is_not_decoded_is_named(self, record: Recorder) -> None:
        said = voice(1.0, 16)
        other = [SpooledPacket(START + 0.1, 1, build(RtpPacket(9, 1, 160, 9, bytes(160))))]
        result, _, right = record([*records(Party(said).frames()), *other], 1.1)
        assert result.undecoded == ("9",)
        assert not right.any()

    def test_a_call_of_nothing_that_can_be_decoded_is_refused(self, record: Recorder) -> None:
        spooled = [
            SpooledCodecs(START, 0, (Codec(9, "G722"),)),
            SpooledPacket(START + 0.1, 0, build(RtpPacket(9, 1, 160, 9, bytes(160)))),
        ]
        with pytest.raises(ConversionError, match="G722"):
            record(spooled, 1.0)

    def test_payload_types_mean_what_the_last_sdp_said(self, record: Recorder) -> None:
        said = voice(2.0, 17)
        party = Party(said, payload_type=8)
        frames = [SpooledPacket(at, 0, data[:1] + bytes((data[1] + 90,)) + data[2:]) for at, data in party.frames()]
        mapped = SpooledCodecs(START, 0, (Codec(98, "PCMA"),))
        _, left, _ = record([mapped, *frames], 2.1)
        assert match(left, said) > 0.99

    def test_a_call_in_which_nobody_spoke_is_silence(self, record: Recorder) -> None:
        result, left, right = record([], 2.0)
        assert not left.any() and not right.any()
        assert result.quality == (None, None)

    def test_without_a_known_start_and_end_the_records_tell(self, record: Recorder) -> None:
        spooled = [*records(Party(voice(1.0, 18)).frames()), SpooledEnd(START + 1.5)]
        result, left, _ = record(spooled, None, start=None)
        assert result.started_at == START
        assert len(left) == round(1.5 * RATE)
        assert result.closed

    def test_an_end_before_the_start_gives_an_empty_file(self, record: Recorder) -> None:
        result, _, _ = record([], -5.0)
        assert result.duration == 0.0


class TestFile:
    def test_mp3_is_as_long_and_says_the_same(self, record: Recorder) -> None:
        said, other = voice(5.0, 19), voice(5.0, 20)
        _, left, right = record(records(Party(said).frames(), Party(other, ssrc=3).frames()), 5.2, "mp3")
        assert len(left) == round(5.2 * RATE)
        assert match(left, said) > 0.97
        assert match(right, other) > 0.97

    def test_a_folder_that_is_not_there_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(ConversionError):
            convert([], tmp_path / "none" / "call.wav", "wav", started_at=START, ended_at=START + 1)
