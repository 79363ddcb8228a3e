"""One leg of a relayed call: its sockets, its source check, its counters, and the path of a packet.

What it is: `on_rtp` is run once per packet and holds everything that costs: read, count, rewrite four header
fields in place, send. What it is not: aware of calls, timers or control; `relay.py` builds legs and joins them.

Source check. A socket with a known far side is `connect`ed, so the kernel drops everything from elsewhere before
it costs us a wake-up, and sends need no address. What was queued before that is checked one by one. A far side
behind NAT is followed: the first source that sends becomes the far side, no second one ever does.

What crosses: payload type, marker, payload. SSRC is ours; sequence and timestamp are shifted by offsets of our own,
so a new stream of the far side continues ours; CSRC list, header extensions (RFC 8285 levels and identities) and
padding are left off. Rewriting is 3 % of a packet's CPU, counting 6 %, the kernel most of the rest (decision 0010).
"""

from __future__ import annotations

import secrets
import selectors
import struct
import time
from collections.abc import Callable

from maskline.masking.call_record import Quality
from maskline.media import rtp
from maskline.media.embedded.payloads import REFUSED, routes_between
from maskline.media.embedded.report_port import ReportPort
from maskline.media.embedded.sockets import Address, UnusableAddress, literal, open_pair, unspecified
from maskline.media.port import FarMedia, LocalMedia
from maskline.media.quality import ReceiverCounts
from maskline.sdp.session import Codec

_BUFFER = bytearray(4096)
_VIEW = memoryview(_BUFFER)
"""One buffer for all legs: a packet is read, rewritten and sent before the next is looked at."""
_REWRITTEN = struct.Struct(">BHII")
"""From the second header byte on: payload type, sequence, timestamp, SSRC."""
_QUEUED = 1024
"""More datagrams than a receive buffer can hold."""

_monotonic = time.monotonic
_unpack_header = rtp.HEADER.unpack_from
_pack_header = _REWRITTEN.pack_into


class Leg:
    """Created with its ports open and no far side; `attach` starts reading, `join` starts relaying."""

    __slots__ = (
        "_codecs",
        "_host",
        "_listening",
        "_octets",
        "_peer",
        "_recodings",
        "_routes",
        "_rtp",
        "_selector",
        "_sequence_offset",
        "_source",
        "_timestamp_offset",
        "counts",
        "far",
        "foreign",
        "last_arrival",
        "port",
        "put",
        "refused",
        "relayed",
        "rtcp",
        "ssrc",
        "unsent",
    )

    def __init__(self, selector: selectors.BaseSelector, host: str, port: int, codecs: tuple[Codec, ...]) -> None:
        self._selector = selector
        self._host = host
        self.port = port
        self._rtp, rtcp = open_pair(host, port)
        self.rtcp = ReportPort(rtcp)
        self.ssrc = self.rtcp.reports.ssrc
        """Ours, on all RTP to this leg's far side."""
        self._codecs = codecs
        self.far: FarMedia | None = None
        self._source: Address | None = None
        """Whose RTP is accepted; None: nobody yet."""
        self._listening = False
        self._peer: Leg | None = None
        self._routes = [REFUSED] * 256
        self._recodings: dict[int, bytes] = {}
        self._sequence_offset = 0
        self._timestamp_offset = 0
        self._octets = 0
        self.put: Callable[[memoryview], int] | None = None
        """Sends to the far side; None while it wants nothing."""
        self.counts = ReceiverCounts()
        self.relayed = 0
        self.last_arrival = 0.0
        """Of RTP that was accepted, monotonic seconds."""
        self.foreign = 0
        """Packets of other sources that reached us; most are dropped by the kernel and not counted."""
        self.refused = 0
        """Not RTP, or of a payload type the other far side never agreed to."""
        self.unsent = 0
        """Packets the kernel did not take."""

    # --- set-up -------------------------------------------------------------------------------------------------

    @property
    def local(self) -> LocalMedia:
        return LocalMedia(self._host, self.port, self.port + 1)

    def offer(self, codecs: tuple[Codec, ...]) -> None:
        """What our SDP to this leg says from now on."""
        self._codecs = codecs
        self._rebuild_routes()

    def attach(self, far: FarMedia) -> None:
        """Set or change the far side; raises `UnusableAddress`. The ports stay."""
        before, address = self.far, literal(far.address)
        moved = before is None or (literal(before.address), before.port, before.nat) != (address, far.port, far.nat)
        if moved:
            self._aim(address, far)
        self.far = far
        if not far.nat:
            self.rtcp.aim((address, far.rtcp_port))
        if far.codecs and self.counts.received == 0:
            self.counts = ReceiverCounts(far.codecs[0].clock_rate)
        if not self._listening:
            self._listening = True
            self._selector.register(self.rtcp.socket, selectors.EVENT_READ, self.rtcp.on_rtcp)
            self._selector.register(self._rtp, selectors.EVENT_READ, self._reader())
        elif moved:
            self._selector.modify(self._rtp, selectors.EVENT_READ, self._reader())
        if moved and self._source is not None:
            self._sift()
        if self._peer is not None:
            self._peer._rebuild_routes()

    def _aim(self, address: str, far: FarMedia) -> None:
        if far.nat:
            if self._source is not None:
                self._reopen()
            self._source = None
            self.rtcp.look_for(None)
            self.put = None if unspecified(address, far.port) else self._put_unlatched
        elif unspecified(address, far.port):
            self.put = None  # the source check stays on whom we knew
        else:
            self._follow((address, far.port))

    def _follow(self, source: Address) -> None:
        try:
            self._rtp.connect(source)
        except OSError as error:
            raise UnusableAddress("The media address cannot be reached from here.") from error
        self._source = source
        self.put = self._rtp.send

    def _reopen(self) -> None:
        """New sockets on the same ports: a connected one cannot be made to listen to all again in Python."""
        listening = self._listening
        self._close_sockets()
        self._rtp, self.rtcp.socket = open_pair(self._host, self.port)
        self._listening = listening
        if listening:
            self._selector.register(self.rtcp.socket, selectors.EVENT_READ, self.rtcp.on_rtcp)
            self._selector.register(self._rtp, selectors.EVENT_READ, self._reader())

    def _reader(self) -> Callable[[], None]:
        return self.on_rtp if self._source is not None else self.on_unlatched

    def join(self, peer: Leg) -> None:
        """Relay what this leg's far side sends to `peer`'s; the caller joins the other way too."""
        self._peer = peer
        self._rebuild_routes()

    def _rebuild_routes(self) -> None:
        peer = self._peer
        if peer is not None and peer.far is not None:
            self._routes, self._recodings = routes_between(self._codecs, peer.far.codecs)

    def close(self) -> None:
        self._close_sockets()
        self._peer = None
        self.put = None

    def _close_sockets(self) -> None:
        if self._listening:
            self._selector.unregister(self._rtp)
            self._selector.unregister(self.rtcp.socket)
            self._listening = False
        self._rtp.close()
        self.rtcp.socket.close()

    # --- the path of a packet -----------------------------------------------------------------------------------

    def on_rtp(self) -> None:
        """One datagram of a connected socket. One per wake-up: a second read mostly finds nothing, and the
        exception that says so costs as much as the next wake-up (measured, both with and without)."""
        try:
            size = self._rtp.recv_into(_BUFFER)
        except OSError:
            return  # nothing there after all, or the far side's ICMP for something we sent
        self._relay(size)

    def _relay(self, size: int) -> None:
        peer = self._peer
        if peer is None:
            return
        if size < 12 or _BUFFER[0] != rtp.PLAIN:
            size = self._strip(size)
            if not size:
                self.refused += 1
                return
        _, second, sequence, timestamp, ssrc = _unpack_header(_BUFFER)
        route = self._routes[second]
        if route < 0:
            self.refused += 1
            return
        now = _monotonic()
        counts = self.counts
        if ssrc != counts.ssrc:
            self._continue_stream(sequence, timestamp, now)
        self.last_arrival = now
        if not counts.count(ssrc, sequence, timestamp, now):
            return
        put = peer.put
        if put is None:
            return
        _pack_header(
            _BUFFER,
            1,
            route,
            (sequence + self._sequence_offset) & 0xFFFF,
            (timestamp + self._timestamp_offset) & 0xFFFFFFFF,
            peer.ssrc,
        )
        if self._recodings and second in self._recodings:
            _VIEW[12:size] = _BUFFER[12:size].translate(self._recodings[second])
        try:
            put(_VIEW[:size])
        except OSError:
            if not peer.put_again(size):
                return
        self.relayed += 1
        self._octets += size - 12

    def _strip(self, size: int) -> int:
        """Make the packet in the buffer a plain one; its new size, 0 when it is not RTP."""
        packet = rtp.parse(_BUFFER[:size])
        if packet is None:
            return 0
        plain = rtp.build(packet)
        _VIEW[: len(plain)] = plain
        return len(plain)

    def _continue_stream(self, sequence: int, timestamp: int, now: float) -> None:
        """A new stream of the far side: shift it so that ours goes on (the first: from a random place)."""
        if self.counts.ssrc < 0:
            wanted_sequence, wanted_timestamp = secrets.randbits(16), secrets.randbits(32)
        else:
            wanted_sequence = self.counts.extended_max + self._sequence_offset + 1
            wanted_timestamp = self._outgoing_timestamp(now)
        self._sequence_offset = (wanted_sequence - sequence) & 0xFFFF
        self._timestamp_offset = (wanted_timestamp - timestamp) & 0xFFFFFFFF

    def _outgoing_timestamp(self, now: float) -> int:
        elapsed = int((now - self.last_arrival) * self.counts.clock_rate)
        return (self.counts.last_timestamp + self._timestamp_offset + elapsed) & 0xFFFFFFFF

    def put_again(self, size: int) -> bool:
        """The kernel reported the ICMP error of an earlier packet instead of sending this one."""
        put = self.put
        if put is None:
            return False
        try:
            put(_VIEW[:size])
        except OSError:
            self.unsent += 1
            return False
        return True

    # --- before the far side is known to the kernel ---------------------------------------------------------------

    def on_unlatched(self) -> None:
        """One datagram for a leg behind NAT whose real address is not known yet: its sender is the far side."""
        try:
            size, source = self._rtp.recvfrom_into(_BUFFER)
        except OSError:
            return
        if rtp.parse(_BUFFER[:size]) is None:
            self.refused += 1
            return
        try:
            self._follow(source[:2])
        except UnusableAddress:
            self.refused += 1
            return
        self.rtcp.look_for(source[0])
        self._selector.modify(self._rtp, selectors.EVENT_READ, self.on_rtp)
        self._relay(size)
        self._sift()

    def _sift(self) -> None:
        """Take from the queue what came before the kernel checked sources: only the far side's is relayed."""
        for _ in range(_QUEUED):
            try:
                size, source = self._rtp.recvfrom_into(_BUFFER)
            except OSError:
                return
            if source[:2] == self._source:
                self._relay(size)
            else:
                self.foreign += 1

    def _put_unlatched(self, data: memoryview) -> int:
        assert self.far is not None  # set together with this method
        return self._rtp.sendto(data, (literal(self.far.address), self.far.port))

    # --- RTCP and figures -----------------------------------------------------------------------------------------

    def report(self, now: float, wall: float, *, goodbye: bool = False) -> None:
        """Send our report to the far side, unless it wants nothing."""
        peer = self._peer
        if peer is not None and self.put is not None:
            timestamp = peer._outgoing_timestamp(now)
            self.rtcp.send(
                self.counts,
                now,
                wall,
                sent=peer.relayed,
                octets=peer._octets,
                rtp_timestamp=timestamp,
                goodbye=goodbye,
            )

    @property
    def last_sign(self) -> float:
        """When the far side was last heard, by RTP or RTCP, monotonic seconds."""
        return max(self.last_arrival, self.rtcp.last_report)

    def quality(self) -> Quality | None:
        return self.counts.quality(relayed=self.relayed, far=self.rtcp.reports.far)
