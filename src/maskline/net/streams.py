"""SIP over TCP and TLS on asyncio: listeners, and one table of connections by flow (RFC 3261 §18).

What it is: the transport under the SIP runner for flows of streams. A flow names one connection by its far end: what
peers open is found by the address they came from, what we open by the address and certificate name we ask for, and is
shared by all calls that go there. What it is not: SIP, or the choice of a flow; the agent made it. Who uses it:
`engine/runner.py`, the lab.

Nothing here waits for a peer: connections of strangers are closed when they are accepted, silently, as their datagrams
are dropped; numbers and times are bounded (`StreamLimits`). WebSocket (RFC 7118) is not here; it would be one more
transport name with a listener that unwraps its frames, and `Framer` left out, since a frame is a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field

from maskline.errors import ConfigurationError
from maskline.net.guests import Guests
from maskline.net.stream_connection import StreamConnection, reason_of
from maskline.net.tls import Tls, peer_names
from maskline.sip.flow import Flow

BACKLOG = 1024
ACCEPTS = 64
"""Connections taken per wake-up, so that others get their turn."""
_SWEEP_SECONDS = 1.0
_PAUSE_SECONDS = 0.2
"""Before accepting is tried again when the process has no descriptors left."""
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bounds of all connections; seconds and bytes."""

    connections: int = 4096
    per_source: int = 256
    """Connections that one address may have opened."""
    message_seconds: float = 10.0
    """From the first byte of a message to its last, and from the connection to its first message."""
    idle_seconds: float = 900.0
    """A dialog outlives its connection, so this one may be shorter than a call."""
    connect_seconds: float = 5.0
    """For connecting, and for the TLS handshake."""
    write_buffer: int = 1024 * 1024
    guests: int = 64
    """TLS handshakes at a time with addresses that no trunk has, where a certificate's name may do."""
    guests_per_second: float = 32.0


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What an operator decides."""

    limits: StreamLimits = StreamLimits()
    tls: Tls | None = None
    """Without it there is no TLS listener, and flows of TLS fail."""
    tls_port: int = 0


NO_TLS = StreamSettings()


@dataclass(slots=True)
class StreamCounters:
    """Totals since start."""

    accepted: int = 0
    connected: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Closed when they were accepted: `stranger`, `full`, `source`, `guests`; and `handshake`."""
    closed: Counter[str] = field(default_factory=Counter)
    """`peer`, `error`, `idle`, `slow`, `malformed`, `unread`, `unanswered`."""
    failed: int = 0
    """Connections of ours that did not come about."""


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """What is open by transport, and `StreamCounters`."""

    open_now: dict[str, int]
    refused: dict[str, int]
    closed: dict[str, int]
    failed: int


@dataclass(frozen=True, slots=True)
class StreamEvents:
    """What the owner is told; `on_batch` after each wake-up, so that timers and sending are done once."""

    on_message: Callable[[bytes, Flow], None]
    on_batch: Callable[[], None]
    on_failed: Callable[[Flow, str], None]
    """A connection of ours did not come about; with the reason for a log."""
    on_closed: Callable[[Flow], None]
    """A connection that stood is gone."""
    admits: Callable[[Flow], bool]
    """Whether a connection from there may be."""
    on_stranger: Callable[[str], None]
    choose_name: Callable[[str, tuple[str, ...]], str]
    """Which of the names that the certificate of this address proves is meant."""
    aliases: Callable[[Flow], tuple[Flow, ...]]
    """Flows that may take a connection which was opened to us (RFC 5923)."""
    may_prove: Callable[[str], bool] = lambda host: False
    """Whether a name is enough, whatever this address; `admits` is asked again when it is proved."""


class Streams:
    """All connections. `bind`, then `start` on the running loop, `send`, and `close`."""

    def __init__(self, events: StreamEvents, settings: StreamSettings) -> None:
        self._events = events
        self._settings = settings
        self.limits, self.tls = settings.limits, settings.tls
        self.on_message, self.on_batch = events.on_message, events.on_batch
        self.counters = StreamCounters()
        self._listeners: list[tuple[socket.socket, str]] = []
        self._table: dict[Flow, StreamConnection] = {}
        self._aliases: dict[Flow, StreamConnection] = {}
        self._guests = Guests(self.limits.guests, self.limits.guests_per_second)
        self._sources: Counter[str] = Counter()
        """Connections that each address opened, handshakes included."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._local: dict[bool, tuple[str, int] | None] = {}
        """By whether it is IPv6; of a family that is missing we have no address."""

    # -- life -------------------------------------------------------------------------------------------------

    def bind(self, host: str, port: int, transport: str) -> tuple[str, int]:
        """Listen; what connects before `start` waits. Returns the address bound to. Raises `OSError`."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                # `::` would take IPv4 too, whose peers would have other addresses than they have.
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setblocking(False)
            sock.bind((host, port))
            sock.listen(BACKLOG)
        except OSError:
            sock.close()
            raise
        self._listeners.append((sock, transport))
        self.speak_from(host)
        bound: tuple[str, int] = sock.getsockname()[:2]
        return bound

    def bind_tls(self, hosts: Sequence[str]) -> int:
        """Listen for TLS when we have a certificate; returns the port. Raises `ConfigurationError`."""
        port = self._settings.tls_port
        for host in hosts if self.tls is not None and self.tls.server is not None else ():
            try:
                port = self.bind(host, port, "tls")[1]
            except OSError as error:
                raise ConfigurationError(
                    f"SIP over TLS cannot listen on {host}:{port}: {error.strerror} (MASKLINE_SIP_TLS_PORT)."
                ) from None
        return port

    def speak_from(self, host: str) -> None:
        """The address our own connections to peers of its family come from: they know us by it."""
        self._local[":" in host] = None if host in ("0.0.0.0", "::") else (host, 0)

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        for sock, transport in self._listeners:
            self._loop.add_reader(sock.fileno(), self._accept, sock, transport)

    def close(self) -> None:
        """Nothing is reported after this."""
        if self._sweep is not None:
            self._sweep.cancel()
        for task in self._tasks:
            task.cancel()
        self.unbind()
        table, self._table, self._loop = self._table, {}, None
        for connection in table.values():
            connection.end("shutdown")

    def unbind(self) -> None:
        """Listen no more."""
        for sock, _ in self._listeners:
            if self._loop is not None:
                self._loop.remove_reader(sock.fileno())
            sock.close()
        self._listeners.clear()

    def now(self) -> float:
        return 0.0 if self._loop is None else self._loop.time()

    def figures(self) -> StreamFigures:
        """For metrics."""
        open_now = {"tcp": 0, "tls": 0}
        for flow in self._table:
            open_now[flow.transport] += 1
        return StreamFigures(open_now, dict(self.counters.refused), dict(self.counters.closed), self.counters.failed)

    # -- sending ----------------------------------------------------------------------------------------------

    def send(self, data: bytes, flow: Flow) -> None:
        """Send on the flow's connection, which is opened when there is none; never raises. When that fails
        `on_failed` tells, later."""
        connection = self._table.get(flow) or self._aliases.get(flow)
        if connection is None:
            if self._loop is None:
                return
            connection = self._open(flow, self._loop)
        connection.send(data)

    def _open(self, flow: Flow, loop: asyncio.AbstractEventLoop) -> StreamConnection:
        connection = self._table[flow] = StreamConnection(self, flow, loop.time(), ours=True)
        self._spawn(self._connect(connection, loop))
        return connection

    async def _connect(self, connection: StreamConnection, loop: asyncio.AbstractEventLoop) -> None:
        flow = connection.flow
        try:
            context = None
            if flow.transport == "tls":
                if self.tls is None:
                    raise ConnectionError("TLS is not set up")
                context = self.tls.client
            async with asyncio.timeout(self.limits.connect_seconds):
                await loop.create_connection(
                    lambda: connection, flow.host, flow.port, ssl=context, local_addr=self._local.get(":" in flow.host),
                    server_hostname=(flow.name or flow.host) if context is not None else None,
                )  # fmt: skip
        except (OSError, TimeoutError, ValueError) as error:
            if self._table.get(flow) is connection:
                del self._table[flow]
                self.counters.failed += 1
                self._events.on_failed(flow, reason_of(error))
                self.on_batch()

    # -- accepting --------------------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket, transport: str) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, address = listener.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError:
                self._pause(listener, transport)
                return
            try:
                self._let_in(sock, Flow(transport, address[0], address[1]))
            except Exception:
                # A fault of ours, which the loop logs; whoever connects again must not make us do nothing else.
                _drop(sock)
                self._pause(listener, transport)
                raise

    def _let_in(self, sock: socket.socket, flow: Flow) -> None:
        is_guest = not self._events.admits(flow)
        refusal = self._refusal(flow, is_guest)
        if refusal:
            _drop(sock)
            self._refuse(refusal, flow)
        else:
            self.counters.accepted += 1
            self._sources[flow.host] += 1
            self._spawn(self._take(sock, flow, is_guest))

    def _refusal(self, flow: Flow, is_guest: bool) -> str:
        if is_guest and not (
            flow.transport == "tls" and self.tls is not None and self.tls.asks and self._events.may_prove(flow.host)
        ):
            return "stranger"
        if len(self._table) + len(self._tasks) >= self.limits.connections:
            return "full"
        if self._sources[flow.host] >= self.limits.per_source:
            return "source"
        return "guests" if is_guest and not self._guests.enter(self.now()) else ""

    async def _take(self, sock: socket.socket, flow: Flow, is_guest: bool) -> None:
        """TLS handshake, if that is spoken, and into the table."""
        assert self._loop is not None, "started"
        connection = StreamConnection(self, flow, self._loop.time(), ours=False)
        context = None if flow.transport == "tcp" or self.tls is None else self.tls.server
        try:
            async with asyncio.timeout(self.limits.connect_seconds):
                await self._loop.connect_accepted_socket(lambda: connection, sock, ssl=context)
        except (OSError, TimeoutError):
            self._leave(flow.host)
            sock.close()
            self._refuse("handshake", flow)
        finally:
            if is_guest:
                self._guests.leave()

    def _refuse(self, why: str, flow: Flow) -> None:
        self.counters.refused[why] += 1
        # Whom we had no time for has done nothing wrong.
        if why != "guests" and not self._events.admits(flow):
            self._events.on_stranger(flow.host)

    def _pause(self, listener: socket.socket, transport: str) -> None:
        """No descriptors: do not spin on a listener that stays readable."""
        if self._loop is not None:
            self._loop.remove_reader(listener.fileno())
            self._loop.call_later(_PAUSE_SECONDS, self._resume, listener, transport)

    def _resume(self, listener: socket.socket, transport: str) -> None:
        if self._loop is not None and listener.fileno() >= 0:
            self._loop.add_reader(listener.fileno(), self._accept, listener, transport)

    # -- what connections tell --------------------------------------------------------------------------------

    def made(self, connection: StreamConnection, transport: asyncio.Transport) -> None:
        """It stands."""
        if self._loop is None:
            transport.abort()
            return
        if self._table.get(connection.flow) is connection:
            self.counters.connected += 1
        else:
            tls = transport.get_extra_info("ssl_object")
            names = peer_names(tls.getpeercert()) if tls is not None else ()
            if names:
                flow = connection.flow
                connection.flow = flow._replace(name=self._events.choose_name(flow.host, names))
            if not self._events.admits(connection.flow):
                connection.abort("stranger")
                self._refuse("stranger", connection.flow)
                return
            self._table[connection.flow] = connection
            for alias in self._events.aliases(connection.flow):
                self._aliases[alias] = connection  # the newest: an older one may be dead and not know it
        if self._sweep is None:
            self._sweep = self._loop.call_later(_SWEEP_SECONDS, self._sweep_all)

    def lost(self, connection: StreamConnection, why: str) -> None:
        """It is gone."""
        if not connection.ours:
            self._leave(connection.flow.host)
        if self._table.get(connection.flow) is not connection:
            return
        del self._table[connection.flow]
        self.counters.closed[why] += 1
        self._events.on_closed(connection.flow)
        for alias in [flow for flow, one in self._aliases.items() if one is connection]:
            del self._aliases[alias]
            self._pass_on(alias, connection.flow.name)
            self._events.on_closed(alias)
        self.on_batch()

    def _pass_on(self, alias: Flow, name: str) -> None:
        """To the newest of the connections that this peer holds besides: a short one must not cost it its calls."""
        for flow, one in reversed(self._table.items()):
            is_meant = not one.ours and (flow.transport, flow.name) == (alias.transport, name)
            if is_meant and not one.why and alias in self._events.aliases(flow):
                self._aliases[alias] = one
                return

    def _leave(self, host: str) -> None:
        self._sources[host] -= 1
        if self._sources[host] <= 0:
            del self._sources[host]

    def _sweep_all(self) -> None:
        """One timer for all connections: whoever sends no whole message, or nothing at all, has to go."""
        self._sweep = None
        if self._loop is None:
            return
        now = self._loop.time()
        for connection in tuple(self._table.values()):
            if why := connection.overdue(now):
                connection.abort(why)
            else:
                connection.keep_alive(now)
        if self._table:
            self._sweep = self._loop.call_later(_SWEEP_SECONDS, self._sweep_all)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _drop(sock: socket.socket) -> None:
    """Close with a reset: a stranger must not be able to leave us waiting for its FIN."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sock.close()
