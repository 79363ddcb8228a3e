"""One leg of a relayed call: the path of a packet, its counters, and who speaks to its far side.

What it is: `on_rtp` (in `far_side.py`) and `_take` are run once per packet and hold everything that costs: read, count,
rewrite four header fields in place, send. What it is not: aware of calls, timers or control; `relay.py` builds legs and
joins them.

What crosses: payload type, marker, payload. SSRC is ours; sequence and timestamp are shifted by offsets of our own,
so a new stream of the far side continues ours; CSRC list, header extensions (RFC 8285 levels and identities) and
padding are left off. Rewriting is 3 % of a packet's CPU, counting 6 %, the kernel most of the rest (decision 0010).

What seldom happens costs the rest nothing: packets that somebody listens to for digits, and those that are accepted but
stay here, have a negative route, and leave the path where that of unknown payload types always did.
"""

from __future__ import annotations

import selectors
import struct
import time
from collections.abc import Callable

from maskline.masking.call_record import Quality
from maskline.media import rtp
from maskline.media.embedded.ear import Ear
from maskline.media.embedded.far_side import BUFFER, VIEW, FarSide
from maskline.media.embedded.outgoing import Outgoing, Position
from maskline.media.embedded.payloads import HEARD, KEPT, REFUSED, mark, routes_between
from maskline.media.port import FarMedia
from maskline.media.quality import ReceiverCounts
from maskline.sdp.session import Codec

_REWRITTEN = struct.Struct(">BHII")
"""From the second header byte on: payload type, sequence, timestamp, SSRC."""
_NO_STREAM = -1

_monotonic = time.monotonic
_unpack_header = rtp.HEADER.unpack_from
_pack_header = _REWRITTEN.pack_into

Tap = Callable[[int, float, memoryview], None]


class Leg(FarSide):
    """Created with its ports open and no far side; `attach` starts reading, `join` starts relaying."""

    __slots__ = (
        "_alone",
        "_beneath",
        "_octets",
        "_offered",
        "_peer",
        "_recodings",
        "_routes",
        "_sequence_offset",
        "_stream",
        "_timestamp_offset",
        "codecs",
        "counts",
        "digits_cross",
        "ear",
        "last_arrival",
        "out",
        "relayed",
        "side",
        "ssrc",
        "tap",
    )

    def __init__(
        self, selector: selectors.BaseSelector, host: str, port: int, codecs: tuple[Codec, ...], *, now: float = 0.0
    ) -> None:
        super().__init__(selector, host, port)
        self.ssrc = self.rtcp.reports.ssrc
        """Ours, on all RTP to this leg's far side."""
        self.out = Outgoing(self.ssrc, now)
        self.codecs = codecs
        """In our SDP to this leg: what its far side may send."""
        self._peer: Leg | None = None
        self._routes = [REFUSED] * 256
        self._beneath: dict[int, int] = {}
        """By the same byte: the route of what is HEARD first."""
        self._recodings: dict[int, bytes] = {}
        self._stream = _NO_STREAM
        """SSRC that the offsets belong to."""
        self._sequence_offset = 0
        self._timestamp_offset = 0
        self._octets = 0
        self.ear: Ear | None = None
        """Who listens to this leg for digits."""
        self.digits_cross = True
        self.tap: Tap | None = None
        """Keeps every accepted packet: `side`, arrival, datagram."""
        self.side = 0
        self.counts = ReceiverCounts()
        self._alone = ReceiverCounts()
        self._offered: frozenset[int] = frozenset()
        """Payload types of `codecs`."""
        self.relayed = 0
        self.last_arrival = 0.0
        """Of RTP that was accepted, monotonic seconds."""

    # --- set-up -------------------------------------------------------------------------------------------------

    def offer(self, codecs: tuple[Codec, ...]) -> None:
        """What our SDP to this leg says from now on."""
        self.codecs = codecs
        self.rebuild_routes()

    def attach(self, far: FarMedia) -> None:
        """Set or change the far side; raises `UnusableAddress`. The ports stay."""
        self.aim(far)
        if far.codecs and self.counts.received == 0:
            self.counts = ReceiverCounts(far.codecs[0].clock_rate)
            self._alone = ReceiverCounts(far.codecs[0].clock_rate)
        self.rebuild_routes()
        if self._peer is not None:
            self._peer.rebuild_routes()

    def join(self, peer: Leg) -> None:
        """Relay what this leg's far side sends to `peer`'s; the caller joins the other way too."""
        self._peer = peer
        self.rebuild_routes()

    def part(self) -> None:
        """Relay no more, this way; the caller parts the other way too."""
        if self._peer is not None:
            self._leave_stream(self._peer)
            self._peer = None

    def resume(self, position: Position, now: float) -> None:
        """Speak on in the stream of a worker that died."""
        self.out.resume(position, now)
        self.ssrc = self.rtcp.reports.ssrc = position.ssrc

    def rebuild_routes(self) -> None:
        """After a change of codecs, far side, ear or `digits_cross`."""
        peer, ear = self._peer, self.ear
        self._offered = frozenset(codec.payload_type for codec in self.codecs)
        if ear is not None:
            ear.tune(self.codecs, () if self.far is None else self.far.codecs)
        if peer is None or peer.far is None:
            return
        self._routes, self._recodings = routes_between(self.codecs, peer.far.codecs, digits=self.digits_cross)
        heard = () if ear is None else ear.payload_types
        self._beneath = {byte: self._routes[byte] for kind in heard for byte in (kind, mark(kind))}
        for byte in self._beneath:
            self._routes[byte] = HEARD

    def close(self) -> None:
        super().close()
        self._peer = self.ear = self.tap = self.on_latch = None

    # --- the path of a packet -----------------------------------------------------------------------------------

    def _take(self, size: int) -> None:
        peer = self._peer
        if peer is None:
            self._take_alone(size)
            return
        if size < 12 or BUFFER[0] != rtp.PLAIN:
            size = self._strip(size)
            if not size:
                self.refused += 1
                return
        _, second, sequence, timestamp, ssrc = _unpack_header(BUFFER)
        route = self._routes[second]
        if route < 0:
            route = self._look_aside(route, size)
            if route < 0:
                return
        now = _monotonic()
        counts = self.counts
        if ssrc != self._stream:
            self._continue_stream(peer, ssrc, sequence, timestamp, now)
        self.last_arrival = now
        if not counts.count(ssrc, sequence, timestamp, now):
            return
        tap = self.tap
        if tap is not None:
            tap(self.side, now, VIEW[:size])
        put = peer.put
        if put is None:
            return
        _pack_header(
            BUFFER,
            1,
            route,
            (sequence + self._sequence_offset) & 0xFFFF,
            (timestamp + self._timestamp_offset) & 0xFFFFFFFF,
            peer.ssrc,
        )
        if self._recodings and second in self._recodings:
            VIEW[12:size] = BUFFER[12:size].translate(self._recodings[second])
        try:
            put(VIEW[:size])
        except OSError:
            if not peer.put_again(size):
                return
        self.relayed += 1
        self._octets += size - 12

    def _strip(self, size: int) -> int:
        """Make the packet in the buffer a plain one; its new size, 0 when it is not RTP."""
        packet = rtp.parse(BUFFER[:size])
        if packet is None:
            return 0
        plain = rtp.build(packet)
        VIEW[: len(plain)] = plain
        return len(plain)

    def put_again(self, size: int) -> bool:
        """The kernel reported the ICMP error of an earlier packet instead of sending this one."""
        put = self.put
        if put is None:
            return False
        try:
            put(VIEW[:size])
        except OSError:
            self.unsent += 1
            return False
        return True

    # --- packets that leave the path ------------------------------------------------------------------------------

    def _look_aside(self, route: int, size: int) -> int:
        """A packet with a negative route is in the buffer; the route it has after all, negative if none."""
        if route == HEARD:
            route = self._beneath[BUFFER[1]]
            self._hear(size)
        if route == KEPT:
            self._keep(size)
        elif route < 0:
            self.refused += 1
        return route

    def _take_alone(self, size: int) -> None:
        """Without a bridge: for the ear, and for figures that count only if there never is one."""
        if size < 12 or BUFFER[0] != rtp.PLAIN:
            size = self._strip(size)
            if not size:
                return
        _, second, sequence, timestamp, ssrc = _unpack_header(BUFFER)
        if second & 0x7F in self._offered:
            self._alone.count(ssrc, sequence, timestamp, _monotonic())
        self._hear(size)

    def _hear(self, size: int) -> None:
        ear = self.ear
        if ear is not None:
            _, second, _, timestamp, ssrc = _unpack_header(BUFFER)
            ear.hear(second & 0x7F, ssrc, timestamp, bytes(VIEW[12:size]), _monotonic())

    def _keep(self, size: int) -> None:
        """Accepted and not passed on: the other side shall not take its number for a lost packet."""
        peer = self._peer
        assert peer is not None  # without one there are no routes
        _, _, sequence, timestamp, ssrc = _unpack_header(BUFFER)
        now = _monotonic()
        if ssrc != self._stream:
            self._continue_stream(peer, ssrc, sequence, timestamp, now)
        self.last_arrival = now
        before = self.counts.extended_max
        if self.counts.count(ssrc, sequence, timestamp, now):
            if self.counts.extended_max != before or self.counts.received == 1:
                self._sequence_offset -= 1
            if self.tap is not None:
                self.tap(self.side, now, VIEW[:size])

    # --- who speaks to a far side -----------------------------------------------------------------------------------

    def _continue_stream(self, peer: Leg, ssrc: int, sequence: int, timestamp: int, now: float) -> None:
        """A new stream of this far side, or its turn again: shift it so that what the peer's far side gets goes on."""
        self._leave_stream(peer)
        next_sequence, next_timestamp = peer.out.place(now)
        self._sequence_offset = (next_sequence - sequence) & 0xFFFF
        self._timestamp_offset = (next_timestamp - timestamp) & 0xFFFFFFFF
        peer.out.rate = self.counts.clock_rate
        self._stream = ssrc

    def _leave_stream(self, peer: Leg) -> None:
        """Write down where the stream of this far side stands at the peer's, and give it up."""
        self._write_down(peer)
        self._stream = _NO_STREAM

    def _write_down(self, peer: Leg) -> None:
        counts = self.counts
        if self._stream == _NO_STREAM or counts.ssrc != self._stream or peer.speakers:
            return
        peer.out.left(
            counts.extended_max + self._sequence_offset,
            counts.last_timestamp + self._timestamp_offset,
            self.last_arrival,
        )

    def position(self) -> Position:
        """Where the stream to this leg's far side stands."""
        if self._peer is not None:
            self._peer._write_down(self)
        return self.out.position()

    def take_floor(self) -> None:
        """A clip or a digit speaks to this far side; the other party is not heard here meanwhile."""
        if not self.speakers and self._peer is not None:
            self._peer._leave_stream(self)
        self.speakers += 1
        self.put = None

    def leave_floor(self) -> None:
        self.speakers -= 1
        if not self.speakers:
            if self._peer is not None:
                self._peer._stream = _NO_STREAM
            self.put = self.outlet

    # --- RTCP and figures -----------------------------------------------------------------------------------------

    def report(self, now: float, wall: float, *, goodbye: bool = False) -> None:
        """Send our report to the far side, unless it wants nothing."""
        peer = self._peer
        if peer is not None and self.outlet is not None:
            at = self.position()
            self.rtcp.send(
                self.counts,
                now,
                wall,
                sent=peer.relayed + self.out.packets,
                octets=peer._octets + self.out.octets,
                rtp_timestamp=(at.timestamp + int((now - at.at) * self.out.rate)) & 0xFFFFFFFF,
                goodbye=goodbye,
            )

    @property
    def last_sign(self) -> float:
        """When the far side was last heard, by RTP or RTCP, monotonic seconds."""
        return max(self.last_arrival, self.rtcp.last_report)

    def quality(self) -> Quality | None:
        """Of the conversation; of a leg that talked to nobody, of all it sent while it heard prompts."""
        counts = self.counts if self.counts.received else self._alone
        return counts.quality(relayed=self.relayed, far=self.rtcp.reports.far)
