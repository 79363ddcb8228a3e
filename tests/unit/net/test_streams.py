import asyncio
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import uvloop

from maskline.net import stream_connection, streams
from maskline.net.streams import NO_TLS, StreamEvents, StreamLimits, Streams, StreamSettings
from maskline.net.tls import Tls, TlsFiles
from maskline.net.udp_family import UdpFamilies, bind_both
from maskline.sip.flow import Flow
from maskline.sip.framer import PING, PONG
from tests.support.certificates import Authority
from tests.support.waiting import until

MESSAGE = b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 2\r\n\r\nab"


class Station:
    """Streams on a loopback address that remember what they are told."""

    def __init__(self, limits: StreamLimits | None = None, tls: Tls | None = None, transport: str = "tcp") -> None:
        self.messages: list[tuple[bytes, Flow]] = []
        self.failed: list[tuple[Flow, str]] = []
        self.closed: list[Flow] = []
        self.strangers: list[str] = []
        self.batches = 0
        self.admitted = {"127.0.0.1", "127.0.0.2", "::1"}
        self.names: set[str] = set()
        self.alias: tuple[Flow, ...] = ()
        self.streams = Streams(
            StreamEvents(
                lambda data, flow: self.messages.append((data, flow)),
                self._batch,
                lambda flow, reason: self.failed.append((flow, reason)),
                self.closed.append,
                lambda flow: flow.host in self.admitted or flow.name in self.names,
                self.strangers.append,
                lambda host, names: names[-1],
                lambda flow: self.alias,
                lambda host: bool(self.names),
            ),
            StreamSettings(limits or StreamLimits(), tls),
        )
        self._changed = asyncio.Event()
        self.transport = transport
        self.address = self.streams.bind("127.0.0.1", 0, transport)
        self.streams.start()

    def _batch(self) -> None:
        self.batches += 1

    def flow(self, name: str = "") -> Flow:
        return Flow(self.transport, *self.address, name)

    async def until(self, condition: Callable[[], object]) -> None:
        await until(condition, pause=0.002)


@pytest.fixture
async def made() -> AsyncIterator[Callable[..., Station]]:
    stations: list[Station] = []

    def make(*values: object, **options: object) -> Station:
        stations.append(Station(*values, **options))  # type: ignore[arg-type]
        return stations[-1]

    yield make
    for station in stations:
        station.streams.close()
    await asyncio.sleep(0)


Made = Callable[..., Station]


async def plain(station: Station) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*station.address)


async def gone(reader: asyncio.StreamReader) -> bytes:
    """What comes until the other side closes."""
    async with asyncio.timeout(30):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


async def is_refused(station: Station) -> bool:
    """Whether a connection gets nothing but its end, which may come before it is seen to stand."""
    try:
        reader, writer = await plain(station)
    except ConnectionError:
        return True
    said = await gone(reader)
    writer.close()
    return said == b""


async def test_both_directions_take_one_connection(made: Made) -> None:
    here, there = made(), made()
    here.streams.send(MESSAGE, there.flow())
    here.streams.send(MESSAGE, there.flow())
    await there.until(lambda: len(there.messages) == 2)
    data, back = there.messages[0]
    assert data == MESSAGE and there.messages[1] == (MESSAGE, back)
    there.streams.send(MESSAGE, back)
    await here.until(lambda: here.messages)
    assert here.messages == [(MESSAGE, there.flow())]
    assert here.streams.counters.connected == 1 and there.streams.counters.accepted == 1
    assert here.streams.figures().open_now == {"tcp": 1, "tls": 0} and here.batches


async def test_our_connections_come_from_the_address_we_listen_on(made: Made) -> None:
    here, there = made(), made()
    here.streams.speak_from("127.0.0.2")
    here.streams.send(MESSAGE, there.flow())
    await there.until(lambda: there.messages)
    assert there.messages[0][1].host == "127.0.0.2"
    here.streams.speak_from("0.0.0.0")
    here.streams.send(MESSAGE, there.flow("again"))
    await there.until(lambda: len(there.messages) == 2)


async def test_where_nobody_listens_the_flow_fails(made: Made) -> None:
    here = made()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = Flow("tcp", *unused.getsockname())
        here.streams.send(MESSAGE, dead)
        await here.until(lambda: here.failed)
    assert here.failed[0][0] == dead and "refused" in here.failed[0][1].lower()
    assert here.streams.figures().failed == 1 and here.streams.figures().open_now["tcp"] == 0


async def test_a_host_that_does_not_answer_is_given_up(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    here = made(StreamLimits(connect_seconds=0.05))
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = []
        for _ in range(4):  # its queue takes no more, so the kernel leaves our SYN unanswered
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        here.streams.send(MESSAGE, Flow("tcp", *full.getsockname()))
        await here.until(lambda: here.failed)
        for filler in fillers:
            filler.close()
    assert here.failed[0][1] == "timed out"


async def test_a_peer_that_closes_is_reported_and_found_again(made: Made) -> None:
    here, there = made(), made()
    here.streams.send(MESSAGE, there.flow())
    await there.until(lambda: there.messages)
    there.streams._table[there.messages[0][1]].end("test")
    await here.until(lambda: here.closed)
    assert here.closed == [there.flow()]
    assert here.streams.figures().closed == {"peer": 1}
    here.streams.send(MESSAGE, there.flow())
    await there.until(lambda: len(there.messages) == 2)


async def test_a_reset_is_an_error(made: Made) -> None:
    station = made()
    _, writer = await plain(station)
    writer.write(MESSAGE)
    await station.until(lambda: station.messages)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    await station.until(lambda: station.closed)
    assert station.streams.figures().closed in ({"error": 1}, {"peer": 1})


async def test_a_message_may_come_in_pieces_and_two_in_one(made: Made) -> None:
    station = made()
    reader, writer = await plain(station)
    for piece in (MESSAGE[:7], MESSAGE[7:] + MESSAGE[:20], MESSAGE[20:] + PING):
        writer.write(piece)
        await asyncio.sleep(0.01)
    assert await reader.readexactly(2) == PONG
    assert [data for data, _ in station.messages] == [MESSAGE, MESSAGE]
    writer.close()


async def test_strangers_are_closed_unheard(made: Made) -> None:
    station = made()
    station.admitted.clear()
    assert await is_refused(station)
    assert station.strangers == ["127.0.0.1"] and station.messages == []
    assert station.streams.figures().refused == {"stranger": 1}


@pytest.mark.parametrize(
    ("limits", "reason"), [(StreamLimits(connections=2), "full"), (StreamLimits(per_source=2), "source")]
)
async def test_connections_are_capped(made: Made, limits: StreamLimits, reason: str) -> None:
    station = made(limits)
    pairs = [await plain(station) for _ in range(2)]
    await station.until(lambda: station.streams.figures().open_now["tcp"] == 2)
    assert await is_refused(station)
    assert station.streams.figures().refused == {reason: 1}
    for _, one in pairs:
        one.close()
    await station.until(lambda: len(station.closed) == 2)
    _, writer = await plain(station)
    writer.write(MESSAGE)
    await station.until(lambda: station.messages)
    writer.close()


async def test_who_says_nothing_or_too_slowly_has_to_go(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_SWEEP_SECONDS", 0.02)
    station = made(StreamLimits(message_seconds=0.1))
    silent, silent_writer = await plain(station)
    slow, slow_writer = await plain(station)
    _, well_writer = await plain(station)
    slow_writer.write(MESSAGE)
    well_writer.write(MESSAGE)
    for byte in MESSAGE[:6]:
        slow_writer.write(bytes([byte]))
        await asyncio.sleep(0.01)
    assert await gone(silent) == b"" and await gone(slow) == b""
    assert station.streams.figures().closed == {"slow": 2}
    well_writer.write(MESSAGE)
    await station.until(lambda: len(station.messages) == 3)
    for writer in (silent_writer, slow_writer, well_writer):
        writer.close()


async def server(answer: bytes) -> tuple[asyncio.Server, Flow, bytearray]:
    """A peer that takes connections, keeps what comes, and says `answer` to each ping behind it."""
    heard = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            heard.extend(data)
            if answer and data.endswith(PING):
                writer.write(answer)
        writer.close()

    made = await asyncio.start_server(serve, "127.0.0.1", 0)
    return made, Flow("tcp", *made.sockets[0].getsockname()[:2]), heard


@pytest.mark.parametrize("answer", [PONG, b"", MESSAGE])
async def test_a_connection_of_ours_is_kept_alive_whether_the_peer_knows_of_it_or_not(
    made: Made, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    monkeypatch.setattr(streams, "_SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(stream_connection, "PING_SECONDS", 0.03)
    station = made()
    peer, flow, heard = await server(answer)
    async with peer:
        station.streams.send(MESSAGE, flow)
        await station.until(lambda: heard.count(PING) >= 3 + heard.count(MESSAGE))
        assert station.streams.figures().closed == {}
        assert bytes(heard).startswith(MESSAGE + PING)
        station.streams.close()


async def test_one_that_answered_before_and_does_not_any_more_is_gone(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(stream_connection, "PING_SECONDS", 0.03)
    monkeypatch.setattr(stream_connection, "PONG_SECONDS", 0.2)
    answers = [PONG, b""]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            if data.endswith(PING) and MESSAGE not in data and answers:
                writer.write(answers.pop(0))
        writer.close()

    station = made()
    peer = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with peer:
        flow = Flow("tcp", *peer.sockets[0].getsockname()[:2])
        station.streams.send(MESSAGE, flow)
        await station.until(lambda: station.closed)
        assert station.streams.figures().closed == {"unanswered": 1}
        assert station.closed == [flow]


async def test_keep_alive_alone_keeps_no_connection(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(stream_connection, "PING_SECONDS", 0.03)
    station = made(StreamLimits(idle_seconds=0.2))
    peer, flow, heard = await server(PONG)
    async with peer:
        station.streams.send(MESSAGE, flow)
        await station.until(lambda: station.closed)
        assert station.streams.figures().closed == {"idle": 1} and PING in heard


async def test_a_connection_of_a_peer_is_its_own_to_keep(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(stream_connection, "PING_SECONDS", 0.01)
    station = made(StreamLimits(idle_seconds=0.2))
    reader, writer = await plain(station)
    writer.write(MESSAGE)
    assert await gone(reader) == b""
    assert station.streams.figures().closed == {"idle": 1}
    writer.close()


async def test_a_peer_that_keeps_its_connection_alive_has_it(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a telephone behind a NAT does, which nobody could call otherwise."""
    monkeypatch.setattr(streams, "_SWEEP_SECONDS", 0.01)
    station = made(StreamLimits(idle_seconds=2.0))
    reader, writer = await plain(station)
    writer.write(MESSAGE)
    await station.until(lambda: station.messages)
    connection = next(iter(station.streams._table.values()))
    connection.active_at -= 1.99
    writer.write(PING)
    assert await reader.readexactly(len(PONG)) == PONG
    assert station.streams.now() - connection.active_at < 1.9
    assert connection.overdue(station.streams.now()) == ""
    writer.close()


async def test_a_peer_that_says_nothing_but_that_is_closed(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_SWEEP_SECONDS", 0.01)
    station = made(StreamLimits(message_seconds=0.2))
    reader, writer = await plain(station)

    async def ping() -> None:
        while not writer.is_closing():
            writer.write(PING)
            await asyncio.sleep(0.02)

    pinging = asyncio.ensure_future(ping())
    await gone(reader)
    assert station.streams.figures().closed == {"slow": 1}
    pinging.cancel()
    writer.close()


async def test_an_idle_connection_is_closed(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_SWEEP_SECONDS", 0.02)
    station = made(StreamLimits(idle_seconds=0.05))
    reader, writer = await plain(station)
    writer.write(MESSAGE)
    assert await gone(reader) == b""
    assert station.streams.figures().closed == {"idle": 1}
    writer.close()
    await station.until(lambda: station.streams._sweep is None)


async def test_what_cannot_be_sip_is_answered_and_closed(made: Made) -> None:
    station = made()
    reader, writer = await plain(station)
    writer.write(b"INVITE sip:x SIP/2.0\r\nContent-Length: much\r\n\r\nrest" + MESSAGE)
    assert await gone(reader) == b""
    assert [data for data, _ in station.messages] == [b"INVITE sip:x SIP/2.0\r\nContent-Length: much\r\n\r\n"]
    assert station.streams.figures().closed == {"malformed": 1}
    writer.close()


async def test_a_peer_that_does_not_read_is_cut_off(made: Made) -> None:
    station = made(StreamLimits(write_buffer=10_000))
    _, writer = await plain(station)
    writer.write(MESSAGE)
    await station.until(lambda: station.messages)
    flow = station.messages[0][1]
    writer.transport.pause_reading()
    for _ in range(1000):
        station.streams.send(b"x" * 10_000, flow)
        if "unread" in station.streams._table[flow].why:
            break
    station.streams.send(b"x", flow)
    await station.until(lambda: station.closed)
    assert station.streams.figures().closed == {"unread": 1}
    writer.close()


async def test_what_waits_for_a_connection_is_bounded(made: Made) -> None:
    here, there = made(StreamLimits(write_buffer=3 * len(MESSAGE))), made()
    for _ in range(10):
        here.streams.send(MESSAGE, there.flow())
    await there.until(lambda: len(there.messages) == 3)
    here.streams.send(MESSAGE, there.flow())
    await there.until(lambda: len(there.messages) == 4)


async def test_an_alias_takes_the_connection_of_the_peer(made: Made) -> None:
    station = made()
    trunk = Flow("tcp", "127.0.0.1", 5999)
    station.alias = (trunk,)
    reader, writer = await plain(station)
    await station.until(lambda: station.streams.figures().open_now["tcp"])
    station.streams.send(MESSAGE, trunk)
    assert await reader.readexactly(len(MESSAGE)) == MESSAGE
    writer.close()
    await station.until(lambda: len(station.closed) == 2)
    assert trunk in station.closed and not station.streams._aliases


async def test_an_alias_goes_on_by_another_connection_of_the_peer(made: Made) -> None:
    station = made()
    trunk = Flow("tcp", "127.0.0.1", 5999)
    _, stranger = await plain(station)
    await station.until(lambda: station.streams.figures().open_now["tcp"] == 1)
    station.alias = (trunk,)
    lasting, kept = await plain(station)
    await station.until(lambda: station.streams.figures().open_now["tcp"] == 2)
    _, short = await plain(station)
    await station.until(lambda: station.streams.figures().open_now["tcp"] == 3)
    short.close()
    await station.until(lambda: trunk in station.closed)
    station.streams.send(MESSAGE, trunk)
    assert await lasting.readexactly(len(MESSAGE)) == MESSAGE
    station.alias = ()
    kept.close()
    await station.until(lambda: station.closed.count(trunk) == 2)
    assert not station.streams._aliases, "the one left is nobody's who asked"
    stranger.close()


async def test_after_the_end_nothing_is_done_or_said(made: Made) -> None:
    station = made()
    _, writer = await plain(station)
    await station.until(lambda: station.streams.figures().open_now["tcp"])
    station.streams.close()
    station.streams.send(MESSAGE, station.flow())
    assert station.streams.now() == 0.0
    writer.close()
    await asyncio.sleep(0.02)
    assert station.closed == [] and station.failed == []
    station.streams._sweep_all()
    station.streams._resume(socket.socket(), "tcp")


async def test_a_port_that_is_taken_raises(made: Made) -> None:
    station = made()
    with pytest.raises(OSError, match="in use"):
        station.streams.bind(*station.address, "tcp")


async def test_without_descriptors_it_waits_and_goes_on(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_PAUSE_SECONDS", 0.02)
    station = made()
    tries = []

    class Exhausted:
        """The listener, without descriptors at first."""

        def __init__(self, sock: socket.socket) -> None:
            self._sock = sock

        def accept(self) -> tuple[socket.socket, tuple[str, int]]:
            tries.append(1)
            if len(tries) < 3:
                raise OSError(24, "Too many open files")
            return self._sock.accept()

        def fileno(self) -> int:
            return self._sock.fileno()

    sock, transport = station.streams._listeners[0]
    station.streams._pause(Exhausted(sock), transport)  # type: ignore[arg-type]
    _, writer = await plain(station)
    writer.write(MESSAGE)
    await station.until(lambda: station.messages)
    assert len(tries) >= 3
    writer.close()


async def test_a_fault_at_the_door_is_logged_and_does_not_keep_the_loop_busy(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_PAUSE_SECONDS", 0.02)
    station = made()
    logged: list[dict[str, object]] = []
    paused: list[socket.socket] = []
    pause = station.streams._pause
    monkeypatch.setattr(station.streams, "_pause", lambda *door: (paused.append(door[0]), pause(*door)))
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
    station.admitted = None  # type: ignore[assignment]
    assert await is_refused(station)
    assert len(paused) == len(logged) == 1
    station.admitted = {"127.0.0.1"}
    _, writer = await plain(station)
    writer.write(MESSAGE)
    await station.until(lambda: station.messages)
    writer.close()


async def test_both_families_listen_on_one_port_and_call_from_their_own_addresses(made: Made) -> None:
    station = made()
    one = streams.Streams(station.streams._events, NO_TLS)
    udp = UdpFamilies(lambda *_: None, lambda: None, lambda *_: None, time.time)
    host, port = bind_both(udp, one, ("127.0.0.1", "::1"), 0)
    try:
        one.start()
        station.admitted = {"127.0.0.1", "::1"}
        for there in ("127.0.0.1", "::1"):
            _, writer = await asyncio.open_connection(there, port)
            writer.write(MESSAGE)
            await station.until(lambda: station.messages)
            (_, flow) = station.messages.pop()
            assert flow.host == there
            writer.close()
        assert (one._local[False], one._local[True]) == (("127.0.0.1", 0), ("::1", 0))
        with pytest.raises(OSError, match="in use"):
            bind_both(UdpFamilies(lambda *_: None, lambda: None, lambda *_: None, time.time),
                              streams.Streams(station.streams._events, NO_TLS), (host,), port)  # fmt: skip
    finally:
        udp.close()
        one.close()


# ---- TLS


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def secured(authority: Authority, name: str, *, mutual: bool = False) -> Tls:
    own = authority.issue(f"{name}.pem", [name, f"second.{name}"])
    return Tls(TlsFiles(own, None, authority.path, authority.path if mutual else None))


async def test_tls_asks_for_the_name_of_the_flow(made: Made, authority: Authority) -> None:
    here = made(None, secured(authority, "here.example"), "tls")
    there = made(None, secured(authority, "there.example"), "tls")
    here.streams.send(MESSAGE, there.flow("there.example"))
    await there.until(lambda: there.messages)
    assert there.messages[0][1].name == ""
    here.streams.send(MESSAGE, there.flow("other.example"))
    here.streams.send(MESSAGE, there.flow())
    here.streams.send(MESSAGE, there.flow(".impossible"))
    await here.until(lambda: len(here.failed) == 3)
    reasons = {flow.name: reason for flow, reason in here.failed}
    assert reasons["other.example"].startswith("certificate: Hostname mismatch")
    assert reasons[""].startswith("certificate: IP address mismatch")
    assert ".impossible" in reasons
    assert [data for data, _ in there.messages] == [MESSAGE]


async def test_an_authority_nobody_trusts_convinces_nobody(made: Made, authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    here = made(None, secured(authority, "here.example"), "tls")
    there = made(None, Tls(TlsFiles(other.issue("there.pem", ["there.example"]))), "tls")
    here.streams.send(MESSAGE, there.flow("there.example"))
    await here.until(lambda: here.failed)
    assert here.failed[0][1].startswith("certificate: ")
    await there.until(lambda: there.streams.figures().refused == {"handshake": 1})
    assert not there.streams._sources


async def test_mutual_tls_names_the_peer(made: Made, authority: Authority) -> None:
    here = made(None, secured(authority, "here.example"), "tls")
    there = made(None, secured(authority, "there.example", mutual=True), "tls")
    here.streams.send(MESSAGE, there.flow("there.example"))
    await there.until(lambda: there.messages)
    assert there.messages[0][1].name == "second.here.example"
    there.streams.send(MESSAGE, there.messages[0][1])
    await here.until(lambda: here.messages)


async def test_a_name_that_is_known_is_enough_at_an_unknown_address(made: Made, authority: Authority) -> None:
    there = made(None, secured(authority, "there.example", mutual=True), "tls")
    there.admitted, there.names = set(), {"second.here.example"}
    here = made(None, secured(authority, "here.example"), "tls")
    here.streams.send(MESSAGE, there.flow("there.example"))
    await there.until(lambda: there.messages)
    assert there.messages[0][1].name == "second.here.example"
    assert there.strangers == []


async def test_another_name_at_an_unknown_address_is_a_strangers(made: Made, authority: Authority) -> None:
    there = made(None, secured(authority, "there.example", mutual=True), "tls")
    there.admitted, there.names = set(), {"known.example"}
    here = made(None, secured(authority, "here.example"), "tls")
    here.streams.send(MESSAGE, there.flow("there.example"))
    await there.until(lambda: there.strangers)
    assert there.streams.figures().refused == {"stranger": 1}
    await there.until(lambda: not there.streams._sources)
    assert there.messages == [] and there.streams.figures().open_now == {"tcp": 0, "tls": 0}


async def test_guests_that_stall_their_handshake_keep_no_trunk_out(made: Made, authority: Authority) -> None:
    there = made(StreamLimits(guests=2), secured(authority, "there.example", mutual=True), "tls")
    there.admitted, there.names = set(), {"known.example"}
    stalled = [await plain(there) for _ in range(2)]
    await there.until(lambda: there.streams._guests._inside == 2)
    assert await is_refused(there)
    assert there.streams.figures().refused == {"guests": 1}
    assert there.strangers == [], "nobody is banned for our having no time"
    there.admitted = {"127.0.0.1"}
    here = made(None, secured(authority, "here.example"), "tls")
    here.streams.send(MESSAGE, there.flow("there.example"))
    await there.until(lambda: there.messages)
    for _, writer in stalled:
        writer.close()
    await there.until(lambda: there.streams._guests._inside == 0)


@pytest.mark.parametrize("names", [set(), {"second.here.example"}])
async def test_names_count_where_certificates_are_asked_for(made: Made, authority: Authority, names: set[str]) -> None:
    there = made(None, secured(authority, "there.example", mutual=not names), "tls")
    there.admitted, there.names = set(), names
    assert await is_refused(there)
    assert there.strangers == ["127.0.0.1"]


async def test_a_peer_without_a_certificate_is_refused_by_mutual_tls(made: Made, authority: Authority) -> None:
    there = made(None, secured(authority, "there.example", mutual=True), "tls")
    here = made(None, Tls(TlsFiles(trusted=authority.path)))
    here.streams.send(MESSAGE, there.flow("there.example"))
    await there.until(lambda: there.streams.figures().refused == {"handshake": 1})
    assert there.messages == []


async def test_a_renewed_certificate_is_shown_to_the_next_peer(made: Made, authority: Authority) -> None:
    tls = secured(authority, "there.example")
    there, here = made(None, tls, "tls"), made(None, Tls(TlsFiles(trusted=authority.path)))
    here.streams.send(MESSAGE, there.flow("there.example"))
    await there.until(lambda: there.messages)
    authority.issue("there.example.pem", ["new.example"])
    tls.reload()
    here.streams.send(MESSAGE, there.flow("new.example"))
    here.streams.send(MESSAGE, there.flow("there.example"))
    await there.until(lambda: len(there.messages) == 3)
    assert len({flow for _, flow in there.messages}) == 2


async def test_old_tls_and_no_tls_get_no_connection(made: Made, authority: Authority) -> None:
    there = made(StreamLimits(connect_seconds=0.3), secured(authority, "there.example"), "tls")
    reader, writer = await plain(there)
    writer.write(MESSAGE)
    assert b"SIP/2.0" not in await gone(reader)
    writer.close()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(*there.address, ssl=context)
    assert there.messages == []


async def test_without_tls_files_a_flow_of_tls_fails(made: Made) -> None:
    here = made()
    here.streams.send(MESSAGE, Flow("tls", "127.0.0.1", 5061, "x"))
    await here.until(lambda: here.failed)
    assert here.failed[0][1] == "TLS is not set up"


def test_production_runs_it_on_uvloop(tmp_path: Path) -> None:
    """Whose transports are none of asyncio's classes."""
    authority = Authority(tmp_path)

    async def talk() -> None:
        for tls, transport in ((None, "tcp"), (secured(authority, "127.0.0.1"), "tls")):
            here, there = Station(None, tls, transport), Station(None, tls, transport)
            here.streams.send(MESSAGE, there.flow())
            await there.until(lambda there=there: there.messages)
            there.streams.send(MESSAGE, there.messages[0][1])
            await here.until(lambda here=here: here.messages)
            here.streams.close()
            there.streams.close()
            await asyncio.sleep(0.01)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(talk())
