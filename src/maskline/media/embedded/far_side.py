"""Where a leg's far side is: the leg's two sockets, whose packets they take, and how something is sent there.

What it is: the source check. A socket with a known far side is `connect`ed, so the kernel drops everything from
elsewhere before it costs us a wake-up, and sends need no address. What was queued before that is checked one by one. A
far side behind NAT is followed: the first source that sends becomes the far side, no second one ever does. What it is
not: a relay; `leg.py` builds on it and reads what it lets through.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable

from maskline.media import rtp
from maskline.media.embedded.report_port import ReportPort
from maskline.media.embedded.sockets import Address, UnusableAddress, literal, open_pair, unspecified
from maskline.media.port import FarMedia, LocalMedia

BUFFER = bytearray(4096)
VIEW = memoryview(BUFFER)
"""One buffer for all legs: a packet is read, rewritten and sent before the next is looked at."""
_QUEUED = 1024
"""More datagrams than a receive buffer can hold."""


class FarSide:
    """Created with its ports open and no far side; `aim` starts reading."""

    __slots__ = (
        "_host",
        "_listening",
        "_rtp",
        "_selector",
        "far",
        "foreign",
        "on_latch",
        "outlet",
        "port",
        "put",
        "refused",
        "rtcp",
        "source",
        "speakers",
        "unsent",
    )

    def __init__(self, selector: selectors.BaseSelector, host: str, port: int) -> None:
        self._selector = selector
        self._host = host
        self.port = port
        self._rtp, rtcp = open_pair(host, port)
        self.rtcp = ReportPort(rtcp)
        self.far: FarMedia | None = None
        self.source: Address | None = None
        """Whose RTP is accepted; None: nobody yet."""
        self.on_latch: Callable[[Address], None] | None = None
        """Told where a far side behind NAT was found."""
        self._listening = False
        self.outlet: Callable[[bytes | memoryview], int] | None = None
        """Sends to the far side; None while it wants nothing."""
        self.put: Callable[[bytes | memoryview], int] | None = None
        """`outlet` for the other party; None while somebody else speaks here."""
        self.speakers = 0
        """Clips and digits that have the word."""
        self.foreign = 0
        """Packets of other sources that reached us; most are dropped by the kernel and not counted."""
        self.refused = 0
        """Not RTP, or of a payload type the other far side never agreed to."""
        self.unsent = 0
        """Packets the kernel did not take."""

    @property
    def local(self) -> LocalMedia:
        return LocalMedia(self._host, self.port, self.port + 1)

    def aim(self, far: FarMedia) -> None:
        """Set or change the far side; raises `UnusableAddress`. The ports stay."""
        before, address = self.far, literal(far.address)
        moved = before is None or (literal(before.address), before.port, before.nat) != (address, far.port, far.nat)
        if moved:
            self._turn_to(address, far)
        self.far = far
        if not far.nat:
            self.rtcp.aim((address, far.rtcp_port))
        if not self._listening:
            self._listen()
        elif moved:
            self._selector.modify(self._rtp, selectors.EVENT_READ, self._reader())
        if moved and self.source is not None:
            self._sift()

    def _turn_to(self, address: str, far: FarMedia) -> None:
        if far.nat:
            if self.source is not None:
                self._reopen()
            self.source = None
            self.rtcp.look_for(None)
            self._set_outlet(None if unspecified(address, far.port) else self._put_unlatched)
        elif unspecified(address, far.port):
            self._set_outlet(None)  # the source check stays on whom we knew
        else:
            self._follow((address, far.port))

    def _follow(self, source: Address) -> None:
        try:
            self._rtp.connect(source)
        except OSError as error:
            raise UnusableAddress("The media address cannot be reached from here.") from error
        self.source = source
        self._set_outlet(self._rtp.send)

    def _set_outlet(self, outlet: Callable[[bytes | memoryview], int] | None) -> None:
        self.outlet = outlet
        self.put = None if self.speakers else outlet

    def _listen(self) -> None:
        self._listening = True
        self._selector.register(self.rtcp.socket, selectors.EVENT_READ, self.rtcp.on_rtcp)
        self._selector.register(self._rtp, selectors.EVENT_READ, self._reader())

    def _reopen(self) -> None:
        """New sockets on the same ports: a connected one cannot be made to listen to all again in Python."""
        listening = self._listening
        self._close_sockets()
        self._rtp, self.rtcp.socket = open_pair(self._host, self.port)
        if listening:
            self._listen()

    def _reader(self) -> Callable[[], None]:
        return self.on_rtp if self.source is not None else self.on_unlatched

    def close(self) -> None:
        self._close_sockets()
        self._set_outlet(None)

    def _close_sockets(self) -> None:
        if self._listening:
            self._selector.unregister(self._rtp)
            self._selector.unregister(self.rtcp.socket)
            self._listening = False
        self._rtp.close()
        self.rtcp.socket.close()

    # --- what comes -----------------------------------------------------------------------------------------------

    def on_rtp(self) -> None:
        """One datagram of a connected socket. One per wake-up: a second read mostly finds nothing, and the
        exception that says so costs as much as the next wake-up (measured, both with and without)."""
        try:
            size = self._rtp.recv_into(BUFFER)
        except OSError:
            return  # nothing there after all, or the far side's ICMP for something we sent
        self._take(size)

    def _take(self, size: int) -> None:
        """A datagram of the far side is in the buffer; what becomes of it is the leg's."""

    def on_unlatched(self) -> None:
        """One datagram for a leg behind NAT whose real address is not known yet: its sender is the far side."""
        try:
            size, source = self._rtp.recvfrom_into(BUFFER)
        except OSError:
            return
        if rtp.parse(BUFFER[:size]) is None:
            self.refused += 1
            return
        try:
            self.latch(source[:2])
        except UnusableAddress:
            self.refused += 1
            return
        if self.on_latch is not None:
            self.on_latch(source[:2])
        self._take(size)
        self._sift()

    def latch(self, source: Address) -> None:
        """Follow a far side behind NAT to where it sends from; raises `UnusableAddress`."""
        self._follow(source)
        self.rtcp.look_for(source[0])
        self._selector.modify(self._rtp, selectors.EVENT_READ, self.on_rtp)

    def latch_again(self, source: Address) -> None:
        """As `latch`, to where it was found by a worker before this one: nobody else is listened to first."""
        self.latch(source)
        self._sift()

    def _sift(self) -> None:
        """Take from the queue what came before the kernel checked sources: only the far side's is relayed."""
        for _ in range(_QUEUED):
            try:
                size, source = self._rtp.recvfrom_into(BUFFER)
            except OSError:
                return
            if source[:2] == self.source:
                self._take(size)
            else:
                self.foreign += 1

    # --- what goes ------------------------------------------------------------------------------------------------

    def _put_unlatched(self, data: bytes | memoryview) -> int:
        assert self.far is not None  # set together with this method
        return self._rtp.sendto(data, (literal(self.far.address), self.far.port))

    def say(self, data: bytes | memoryview) -> bool:
        """Send what we made ourselves. False: nothing went out."""
        outlet = self.outlet
        if outlet is None:
            return False
        try:
            outlet(data)
        except OSError:  # the ICMP error of an earlier packet, in place of sending this one
            try:
                outlet(data)
            except OSError:
                self.unsent += 1
                return False
        return True
