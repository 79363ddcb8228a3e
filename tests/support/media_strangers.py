"""Who tries to get into a call from elsewhere: a flood of what would be believed if its source were.

What it is: strangers on the caller's own host (another port) and on another address (the same ports), who know SSRC,
sequence and timestamp of the true parties and send audio, digits, reports and BYE to all ports of a call, all the
time. What it is not: an attacker who forges source addresses; against that there is SRTP alone. What they say
begins with `MARK`, so that one packet of theirs is told wherever it is heard.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from maskline.media.rtp import Report, ReportBlock, RtpPacket, build, build_goodbye, build_report
from tests.support.rtp_party import Party
from tests.support.waiting import until

MARK = b"STRANGER"
DIGIT = 9
_EVERY = 0.003
ROUNDS = 40
"""Packets each way in a conversation under the flood."""
_OTHER_ADDRESS = "127.0.0.2"


class Strangers:
    """`victims` are told by their own state: where they send to is where the flood goes."""

    def __init__(self, victims: Iterable[Party]) -> None:
        self.victims = list(victims)
        self.sent = 0
        self._sockets = [self._open("127.0.0.1", 0)]
        for party in self.victims:
            self._sockets += [self._open(_OTHER_ADDRESS, party.port), self._open(_OTHER_ADDRESS, party.port + 1)]

    @staticmethod
    def _open(address: str, port: int) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            opened.bind((address, port))
        except OSError:
            opened.close()
            raise
        opened.setblocking(False)
        return opened

    def use(self, moved_away: Party) -> None:
        """One who was in the call before a re-INVITE is a stranger to it now."""
        self._sockets.append(moved_away.rtp.dup())

    def flood(self) -> None:
        """Everything once, from everywhere to everywhere."""
        for party in self.victims:
            for opened in self._sockets:
                for packet in self._audio(party):
                    self._send(opened, packet, party.to)
                for packet in self._reports(party):
                    self._send(opened, packet, party.rtcp_to)
                    self._send(opened, packet, party.to)

    def _send(self, opened: socket.socket, data: bytes, target: tuple[str, int]) -> None:
        with contextlib.suppress(ConnectionRefusedError, BlockingIOError):  # the media process is away
            opened.sendto(data, target)
            self.sent += 1

    @staticmethod
    def _audio(party: Party) -> list[bytes]:
        sequence, timestamp = party.sequence & 0xFFFF, party.timestamp & 0xFFFFFFFF
        digit = struct.pack("!BBH", DIGIT, 0x8A, 960)
        return [
            build(RtpPacket(0, sequence, timestamp, party.ssrc, MARK * 20)),
            build(RtpPacket(101, sequence, timestamp, party.ssrc, digit)),
            build(RtpPacket(0, 1, 1, 0x666, MARK * 20)),
        ]

    @staticmethod
    def _reports(party: Party) -> list[bytes]:
        lost = ReportBlock(max(party.counts.ssrc, 0), 255, 5000, party.counts.extended_max, 80_000)
        report = build_report(Report(party.ssrc, None, (lost,)), b"stranger@elsewhere")
        return [report, report + build_goodbye(party.ssrc)]

    def heard_anything(self) -> bool:
        """Whether the relay ever sent them a packet."""
        for opened in self._sockets:
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                opened.recv(2048)
                return True
        return False

    def close(self) -> None:
        for opened in self._sockets:
            opened.close()


@contextlib.asynccontextmanager
async def flooded(*victims: Party) -> AsyncIterator[Strangers]:
    """While the block runs, as fast as strangers may be without taking the machine."""
    strangers = Strangers(victims)

    async def run() -> None:
        while True:
            strangers.flood()
            await asyncio.sleep(_EVERY)  # the pace of the flood itself

    task = asyncio.create_task(run())
    try:
        yield strangers
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        strangers.close()


def is_foreign(packet: RtpPacket) -> bool:
    pressed = packet.payload_type == 101 and packet.payload[:1] == bytes((DIGIT,))
    return pressed or MARK in packet.payload or b"stranger" in packet.payload or packet.ssrc == 0x666


async def flood_a_while(strangers: Strangers) -> None:
    before = strangers.sent
    await until(lambda: strangers.sent > before + 300)


@dataclass
class Ears:
    """All that both sides heard, and how many packets of it were strangers'."""

    packets: list[RtpPacket] = field(default_factory=list)

    @property
    def foreign(self) -> int:
        return sum(map(is_foreign, self.packets))

    async def talk(self, alice: Party, bob: Party, rounds: int = ROUNDS) -> None:
        """Each packet is awaited at the other end: one that were shut out, or replaced, would be missed."""
        for index in range(rounds):
            for speaker, listener in ((alice, bob), (bob, alice)):
                said = speaker.send(bytes([index]) * 160)
                while True:
                    heard = await listener.receive()
                    self.packets.append(heard)
                    if heard.payload == said.payload:
                        break
                    # What was on its way when the conversation began: a clip's last frames.
                    assert not is_foreign(heard)
            await asyncio.sleep(0.001)
