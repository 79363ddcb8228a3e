import asyncio
import socket
import struct
import time
from collections.abc import Callable

import pytest
import uvloop

from maskline.net import udp
from maskline.net.udp import UdpSocket


class Ears:
    """Remembers what a socket reports; `heard` wakes with each batch."""

    def __init__(self) -> None:
        self.datagrams: list[tuple[bytes, str, int]] = []
        self.unreachable: list[tuple[str, int, bytes]] = []
        self.batches = 0
        self.heard = asyncio.Event()
        self.socket = UdpSocket(self.on_datagram, self.on_batch, self.on_unreachable)

    def on_datagram(self, data: bytes, host: str, port: int) -> None:
        self.datagrams.append((data, host, port))

    def on_batch(self) -> None:
        self.batches += 1
        self.heard.set()

    def on_unreachable(self, host: str, port: int, quoted: bytes) -> None:
        self.unreachable.append((host, port, quoted))
        self.heard.set()

    async def until(self, enough: int, of: list) -> None:
        async with asyncio.timeout(30):
            while len(of) < enough:
                self.heard.clear()
                await self.heard.wait()


async def test_many_datagrams_make_few_batches() -> None:
    here, there = Ears(), Ears()
    address = here.socket.bind("127.0.0.1", 0)
    source = there.socket.bind("127.0.0.1", 0)
    for number in range(100):
        there.socket.send(b"%d" % number, *address)
    await here.until(100, here.datagrams)
    assert [data for data, _, _ in here.datagrams] == [b"%d" % number for number in range(100)]
    assert {(host, port) for _, host, port in here.datagrams} == {source}
    assert here.batches < 100
    here.socket.close()
    there.socket.close()


@pytest.mark.skipif(not udp._LINUX, reason="error queues are a Linux thing")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_port_nobody_listens_on_is_reported_by_its_address_and_what_was_sent(host: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind((host, 0))
        dead = unused.getsockname()[:2]
    ears = Ears()
    ears.socket.bind(host, 0)
    ears.socket.send(b"anybody?", *dead)
    await ears.until(1, ears.unreachable)
    assert ears.unreachable[0] == (*dead, b"anybody?")
    ears.socket.close()


@pytest.mark.parametrize(
    ("level", "kind", "origin", "icmp", "code", "nobody"),
    [
        (socket.IPPROTO_IP, 11, 2, 3, 3, True),  # port
        (socket.IPPROTO_IP, 11, 2, 3, 1, True),  # host
        (socket.IPPROTO_IP, 11, 2, 3, 4, False),  # has to be cut
        (socket.IPPROTO_IP, 11, 2, 11, 0, False),  # TTL
        (socket.IPPROTO_IP, 11, 1, 3, 3, False),  # no ICMP
        (socket.IPPROTO_IPV6, 25, 3, 1, 4, True),  # port
        (socket.IPPROTO_IPV6, 25, 3, 2, 0, False),  # too big
        (socket.IPPROTO_IPV6, 11, 3, 1, 4, False),  # another report
    ],
)
def test_what_icmp_may_say_besides_is_no_end(
    level: int, kind: int, origin: int, icmp: int, code: int, nobody: bool
) -> None:
    """RFC 3261 §18.4; each of them ended the request, and a call over a narrow path with it."""
    report = struct.pack("@IBBBBII", 111, origin, icmp, code, 0, 1280, 0)
    assert udp.is_unreachable([(level, kind, report)]) is nobody
    assert not udp.is_unreachable([(level, kind, report[:4])]) and not udp.is_unreachable([])


async def test_the_buffer_is_deeper_than_the_kernels_default_and_drops_are_readable() -> None:
    ears = Ears()
    ears.socket.bind("127.0.0.1", 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        assert ears.socket.receive_buffer >= plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    assert ears.socket.kernel_drops() == 0
    ears.socket.close()
    assert ears.socket.kernel_drops() == 0 and ears.socket.receive_buffer == 0


async def test_drops_of_a_full_buffer_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "_SO_RCVBUFFORCE", socket.SO_RCVBUF)
    monkeypatch.setattr(udp, "RECEIVE_BUFFER", 4096)
    ears = Ears()
    address = ears.socket.bind("127.0.0.1", 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(50):
            sender.sendto(b"x" * 1000, address)
    assert ears.socket.kernel_drops() > 0
    ears.socket.close()


@pytest.mark.skipif(not udp._LINUX, reason="sockets are filtered on Linux")
async def test_what_the_filter_drops_is_counted_apart_from_a_full_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "_SO_RCVBUFFORCE", socket.SO_RCVBUF)
    monkeypatch.setattr(udp, "RECEIVE_BUFFER", 4096)
    ears = Ears()
    assert ears.socket.shut_out(["127.0.0.5"])  # nothing to shut them out of
    address = ears.socket.bind("127.0.0.1", 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.5", 0))
        for _ in range(50):
            sender.sendto(b"x" * 1000, address)
        full = ears.socket.kernel_drops()
        assert full > 0 and ears.socket.shut_drops() == 0
        for hosts in (["127.0.0.5"], ["127.0.0.5", "127.0.0.6"], []):
            assert ears.socket.shut_out(hosts) and ears.socket.shut_out(hosts)
            for _ in range(5 if hosts else 0):
                sender.sendto(b"x", address)
        assert (ears.socket.kernel_drops(), ears.socket.shut_drops()) == (full, 10)
    monkeypatch.setattr(udp.udp_filter, "_SO_ATTACH_FILTER", -1)
    assert not ears.socket.shut_out(["127.0.0.7"])
    ears.socket.close()


@pytest.mark.skipif(not udp._LINUX, reason="the kernel stamps datagrams on Linux")
@pytest.mark.parametrize(("waiting", "behind"), [(udp.BATCH + 1, True), (udp.BATCH - 1, False)])
async def test_a_full_batch_tells_how_long_its_first_datagram_waited(waiting: int, behind: bool) -> None:
    later: list[float] = []
    reader = UdpSocket(lambda *_: None, lambda: later.append(reader.behind), lambda *_: None, lambda: time.time() + 3)
    address = reader.bind("127.0.0.1", 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(waiting):
            sender.sendto(b"x", address)
    reader.read()
    assert (3.0 <= later[0] < 5.0) if behind else later == [0.0]
    reader.read()
    assert later[-1] == 0.0
    assert reader._age([(1, 99, b"")]) == 0.0
    reader.close()


class Stubborn:
    """A socket whose kernel buffer is full for the first `refusals` sends."""

    def __init__(self, real: socket.socket, errors: list[OSError]) -> None:
        self._real = real
        self._errors = errors

    def sendto(self, data: bytes, address: tuple[str, int]) -> int:
        if self._errors:
            raise self._errors.pop(0)
        return self._real.sendto(data, address)

    def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
        return getattr(self._real, name)


async def test_what_the_kernel_does_not_take_is_sent_later_and_in_order() -> None:
    here, there = Ears(), Ears()
    address = here.socket.bind("127.0.0.1", 0)
    there.socket.bind("127.0.0.1", 0)
    there.socket._socket = Stubborn(there.socket._socket, [BlockingIOError(11, "full"), BlockingIOError(11, "full")])  # type: ignore[arg-type, assignment]
    there.socket.send(b"first", *address)
    there.socket.send(b"second", *address)
    await here.until(2, here.datagrams)
    assert [data for data, _, _ in here.datagrams] == [b"first", b"second"]
    here.socket.close()
    there.socket.close()


async def test_an_earlier_datagrams_icmp_error_does_not_lose_this_one() -> None:
    here, there = Ears(), Ears()
    address = here.socket.bind("127.0.0.1", 0)
    there.socket.bind("127.0.0.1", 0)
    there.socket._socket = Stubborn(there.socket._socket, [ConnectionRefusedError(111, "refused")])  # type: ignore[arg-type, assignment]
    there.socket.send(b"hello", *address)
    await here.until(1, here.datagrams)
    assert there.socket.dropped_sends == 0
    there.socket._socket = Stubborn(there.socket._socket, [OSError(90, "too long")])  # type: ignore[arg-type, assignment]
    there.socket.send(b"hello", *address)
    assert there.socket.dropped_sends == 1
    here.socket.close()
    there.socket.close()


async def test_a_closed_socket_sends_and_reads_nothing() -> None:
    ears = Ears()
    ears.socket.bind("127.0.0.1", 0)
    ears.socket.close()
    ears.socket.close()
    ears.socket.send(b"late", "127.0.0.1", 9)
    ears.socket.read()
    ears.socket._write()
    assert ears.batches == 0


async def test_a_socket_closed_by_its_reader_stops_at_once() -> None:
    ears, sender = Ears(), Ears()
    closing = UdpSocket(lambda *_: closing.close(), ears.on_batch, ears.on_unreachable)
    address = closing.bind("127.0.0.1", 0)
    sender.socket.bind("127.0.0.1", 0)
    sender.socket.send(b"one", *address)
    await asyncio.sleep(0.05)
    assert ears.batches == 0
    sender.socket.close()


async def test_a_taken_port_is_an_error_and_leaks_no_socket() -> None:
    first, second = Ears(), Ears()
    _, port = first.socket.bind("127.0.0.1", 0)
    with pytest.raises(OSError):
        second.socket.bind("127.0.0.1", port)
    assert second.socket.receive_buffer == 0
    first.socket.close()


async def test_ipv6_is_served_alike() -> None:
    here, there = Ears(), Ears()
    try:
        address = here.socket.bind("::1", 0)
    except OSError:
        pytest.skip("no IPv6 on this machine")
    there.socket.bind("::1", 0)
    there.socket.send(b"six", *address)
    await here.until(1, here.datagrams)
    assert here.datagrams[0][0] == b"six" and here.socket.kernel_drops() == 0
    here.socket.close()
    there.socket.close()


@pytest.mark.skipif(not udp._LINUX, reason="error queues are a Linux thing")
@pytest.mark.parametrize("read_by_sending", [False, True])
@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_socket_hears_on_after_icmp_errors(
    new_loop: Callable[[], asyncio.AbstractEventLoop], read_by_sending: bool
) -> None:
    """libuv stops watching a descriptor with an error; `serve` runs on uvloop. The report of an error can also be
    taken by the next `sendto`, so that reading finds neither data nor error."""

    async def scene() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
            unused.bind(("127.0.0.1", 0))
            dead = unused.getsockname()
        here, there = Ears(), Ears()
        address = here.socket.bind("127.0.0.1", 0)
        far = there.socket.bind("127.0.0.1", 0)
        for number in range(3):
            here.socket.send(b"anybody?", *dead)
            if read_by_sending:
                here.socket.send(b"you?", *far)
            await here.until(number + 1, here.unreachable)
            there.socket.send(b"%d" % number, *address)
            await here.until(number + 1, here.datagrams)
        here.socket.close()
        there.socket.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(scene())
