"""The spool of a recorded call: written packet by packet, read after any end of its writer."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from maskline.media.spool import (
    SpooledCodecs,
    SpooledEnd,
    SpooledPacket,
    SpoolError,
    SpoolWriter,
    read_pcap,
    read_spool,
    spool_parts,
)
from maskline.sdp.session import Codec

MU, A = (Codec(0, "PCMU"), Codec(101, "telephone-event", fmtp="0-16")), (Codec(8, "PCMA"),)
WALL = 1_800_000_000.0
PACKET = b"\x80\x00\x00\x01" + bytes(8) + b"audio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "call.spool"


def writer(path: Path, clock: float = 100.0, wall: float = WALL) -> SpoolWriter:
    return SpoolWriter(path, "recording-1", (MU, A), clock=clock, wall=wall)


class TestWriting:
    def test_what_is_appended_is_read_back_with_the_time_of_day(self, path: Path) -> None:
        spool = writer(path)
        buffer = bytearray(PACKET)
        spool.append(0, 100.02, memoryview(buffer))
        buffer[:] = bytes(len(buffer))
        spool.append(1, 100.03, b"\x80other")
        spool.change_codecs(1, 101.0, MU)
        assert spool.close(102.0)
        assert list(read_spool(path)) == [
            SpooledCodecs(WALL, 0, MU),
            SpooledCodecs(WALL, 1, A),
            SpooledPacket(pytest.approx(WALL + 0.02), 0, PACKET),
            SpooledPacket(pytest.approx(WALL + 0.03), 1, b"\x80other"),
            SpooledCodecs(pytest.approx(WALL + 1), 1, MU),
            SpooledEnd(pytest.approx(WALL + 2)),
        ]
        assert spool.size == path.stat().st_size

    def test_file_and_folder_are_the_owners_alone(self, path: Path) -> None:
        writer(path).close(100.0)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700

    def test_nothing_is_written_before_the_flush_and_all_of_it_after(self, path: Path) -> None:
        spool = writer(path)
        opened = path.stat().st_size
        spool.append(0, 100.0, PACKET)
        assert path.stat().st_size == opened
        assert spool.flush()
        assert path.stat().st_size == opened + 12 + len(PACKET)
        spool.close(100.0)

    def test_a_buffer_nobody_flushes_is_written_before_it_grows_without_end(self, path: Path) -> None:
        spool = writer(path)
        for _ in range(300):
            spool.append(0, 100.0, bytes(1000))
        assert spool.size > 250_000
        spool.close(100.0)

    def test_a_closed_spool_closes_again_without_harm(self, path: Path) -> None:
        spool = writer(path)
        assert spool.close(100.0)
        size = path.stat().st_size
        spool.append(0, 101.0, PACKET)
        assert not spool.flush()
        assert not spool.close(102.0)
        assert path.stat().st_size == size

    def test_a_write_error_stops_the_recording_and_raises_nothing(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spool = writer(path)
        monkeypatch.setattr(os, "write", _full_after(40))
        for _ in range(4):
            spool.append(0, 100.0, PACKET)
        assert not spool.flush()
        assert spool.failed == "No space left on device"
        monkeypatch.undo()
        spool.append(0, 100.0, PACKET)
        assert not spool.flush()
        assert not spool.close(101.0)
        packets = [one for one in read_spool(path) if isinstance(one, SpooledPacket)]
        assert len(packets) == 1

    def test_a_folder_that_cannot_be_made_is_said_without_its_path(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(SpoolError) as raised:
            writer(tmp_path / "file" / "call.spool")
        assert "file/call" not in str(raised.value)

    def test_too_many_parts_are_refused(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("maskline.media.spool._PARTS", 2)
        writer(path).close(100.0)
        with pytest.raises(SpoolError, match="too many parts"):
            writer(path)


def _full_after(allowed: int):  # type: ignore[no-untyped-def]
    """`os.write` to a disk that has room for `allowed` more bytes."""
    room, write = allowed, os.write

    def limited(descriptor: int, data: memoryview) -> int:
        nonlocal room
        if not room:
            raise OSError(28, "No space left on device")
        taken = min(room, len(data))
        room -= taken
        return write(descriptor, data[:taken])

    return limited


class TestReadingAfterACrash:
    def test_every_torn_end_gives_the_whole_records_before_it(self, path: Path) -> None:
        spool = writer(path)
        for index in range(3):
            spool.append(0, 100.0 + index, PACKET)
        spool.flush()
        whole = path.read_bytes()
        record = 12 + len(PACKET)
        for cut in range(len(whole)):
            path.write_bytes(whole[:cut])
            packets = [one for one in read_spool(path) if isinstance(one, SpooledPacket)]
            assert len(packets) == max(0, 3 - -(-(len(whole) - cut) // record))
        spool.close(103.0)

    def test_zeros_at_the_end_are_left_out(self, path: Path) -> None:
        spool = writer(path)
        spool.append(0, 100.0, PACKET)
        spool.flush()
        with path.open("ab") as file:
            file.write(bytes(4096))
        assert isinstance(list(read_spool(path))[-1], SpooledPacket)
        spool.close(100.0)

    def test_a_new_worker_goes_on_in_a_part_of_its_own(self, path: Path) -> None:
        first = writer(path)
        first.append(0, 101.0, PACKET)
        first.flush()
        second = writer(path, clock=7.0, wall=WALL + 5)
        second.append(1, 8.0, PACKET)
        second.close(9.0)
        assert [part.name for part in spool_parts(path)] == ["call.spool", "call.spool.2"]
        assert second.path == path.with_name("call.spool.2")
        times = [(one.leg, one.arrival) for one in read_spool(path) if isinstance(one, SpooledPacket)]
        assert times == [(0, pytest.approx(WALL + 1)), (1, pytest.approx(WALL + 6))]
        first.close(101.0)

    def test_a_spool_that_is_not_there_has_no_records(self, path: Path) -> None:
        assert list(read_spool(path)) == []

    def test_another_file_is_refused(self, path: Path) -> None:
        path.parent.mkdir()
        path.write_bytes(b"RIFF....WAVEfmt ")
        with pytest.raises(SpoolError):
            list(read_spool(path))


def datagram(port: int, data: bytes, *, version: int = 4, protocol: int = 17) -> bytes:
    udp = struct.pack(">HHHH", 4000, port, 8 + len(data), 0) + data
    if version == 4:
        return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, protocol, 0, bytes(4), bytes(4)) + udp
    return struct.pack(">IHBB16s16s", version << 28, len(udp), protocol, 64, bytes(16), bytes(16)) + udp


def capture(*packets: bytes, order: str = "<", magic: int = 0xA1B2C3D4, link: int = 1, part: int = 500_000) -> bytes:
    data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65_535, link)
    ethernet = bytes(14) if link == 1 else b""
    for packet in packets:
        frame = ethernet + packet
        data += struct.pack(order + "IIII", 1_800_000_000, part, len(frame), len(frame)) + frame
    return data


class TestPcap:
    LEGS = {30_000: 0, 30_002: 1}

    @pytest.fixture
    def pcap(self, tmp_path: Path) -> Path:
        return tmp_path / "call.pcap"

    @pytest.mark.parametrize(
        "form",
        [
            {"order": "<"},
            {"order": ">"},
            {"link": 101},
            {"link": 12},
            {"magic": 0xA1B23C4D, "part": 500_000_000},
            {"magic": 0xA1B23C4D, "part": 500_000_000, "order": ">"},
        ],
    )
    def test_packets_are_read_by_the_port_they_came_to(self, pcap: Path, form: dict[str, object]) -> None:
        pcap.write_bytes(capture(datagram(30_000, PACKET), datagram(30_002, PACKET, version=6), **form))  # type: ignore[arg-type]
        assert list(read_pcap(pcap, self.LEGS)) == [
            SpooledPacket(WALL + 0.5, 0, PACKET),
            SpooledPacket(WALL + 0.5, 1, PACKET),
        ]

    @pytest.mark.parametrize(
        "packet",
        [
            b"",
            datagram(30_000, PACKET)[:25],
            datagram(30_001, PACKET),
            datagram(30_000, b"\x80"),
            datagram(30_000, b"\x81\xc8" + bytes(30)),
            datagram(30_000, PACKET, protocol=6),
            datagram(30_000, PACKET, version=6, protocol=6),
            datagram(30_000, PACKET, version=5),
        ],
    )
    def test_what_is_not_rtp_to_a_leg_is_left_out(self, pcap: Path, packet: bytes) -> None:
        pcap.write_bytes(capture(packet, datagram(30_000, PACKET)))
        assert len(list(read_pcap(pcap, self.LEGS))) == 1

    def test_every_torn_end_gives_the_whole_packets_before_it(self, pcap: Path) -> None:
        whole = capture(datagram(30_000, PACKET), datagram(30_000, PACKET))
        record = (len(whole) - 24) // 2
        for cut in (24, 30, 24 + record, 24 + record + 20, len(whole)):
            pcap.write_bytes(whole[:cut])
            assert len(list(read_pcap(pcap, self.LEGS))) == (cut - 24) // record

    def test_an_empty_file_has_no_packets(self, pcap: Path) -> None:
        pcap.touch()
        assert list(read_pcap(pcap, self.LEGS)) == []

    def test_a_record_of_impossible_length_ends_the_file(self, pcap: Path) -> None:
        pcap.write_bytes(capture() + struct.pack("<IIII", 1, 2, 1 << 30, 1 << 30) + bytes(100))
        assert list(read_pcap(pcap, self.LEGS)) == []

    @pytest.mark.parametrize("data", [b"\x80" * 24, b"short", capture(link=127)])
    def test_another_file_is_refused(self, pcap: Path, data: bytes) -> None:
        pcap.write_bytes(data)
        with pytest.raises(SpoolError):
            list(read_pcap(pcap, self.LEGS))
