"""What the engine answers its connections: who may connect, under which name, for which trunk; and what it is told.

What it is: the rules of trunks on streams, read from the trunks at each connection, and the way from a connection's
end to the core. What it is not: connections (`net/streams.py`) or messages. Who uses it: `runner.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import structlog

from maskline.engine.core import EngineCore
from maskline.masking.trunk import Trunk, is_at, own_target
from maskline.net.streams import StreamEvents
from maskline.sip.flow import DEFAULT_PORTS, Flow
from maskline.sip.locate import AUTO

_log = structlog.get_logger()


class StreamDoors:
    __slots__ = ("_core", "_failed", "_feed", "_is_banned", "_trunks", "_unsaid")

    def __init__(
        self, trunks: Callable[[], tuple[Trunk, ...]], core: Callable[[], EngineCore | None],
        feed: Callable[..., object], unsaid: Callable[[str, int], int],
        is_banned: Callable[[str], bool] = lambda host: False,
    ) -> None:  # fmt: skip
        """`feed` and `unsaid` are the runner's; `core` is None before its start."""
        self._is_banned = is_banned
        self._trunks = trunks
        self._core = core
        self._feed = feed
        self._unsaid = unsaid
        self._failed = 0

    def events(
        self,
        on_message: Callable[[bytes, Flow], None],
        on_batch: Callable[[], None],
        on_stranger: Callable[[str], None],
    ) -> StreamEvents:  # fmt: skip
        return StreamEvents(
            on_message, on_batch, self._on_failed, self._on_closed, self._admits, on_stranger, self.choose_name,
            self.aliases, self._may_prove,
        )  # fmt: skip

    def _admits(self, flow: Flow) -> bool:
        core = self._core()
        return core is not None and core.trunks.front is None and core.trunks.knows(flow)

    def _may_prove(self, host: str) -> bool:
        """Trunks that a certificate's name tells call from anywhere, when certificates are asked for (mutual TLS)."""
        core = self._core()
        if core is None or core.trunks.front is not None:
            return False
        return core.trunks.has_names and not self._is_banned(host)

    def _on_closed(self, flow: Flow) -> None:
        if core := self._core():
            self._feed(partial(core.flow_failed, closed=True), flow)

    def _on_failed(self, flow: Flow, reason: str) -> None:
        self._failed += 1
        if count := self._unsaid("failed connections", self._failed):
            _log.warning(
                "connection_failed", host=flow.host, port=flow.port, transport=flow.transport, name=flow.name,
                reason=reason, tries=count,
            )  # fmt: skip
        if core := self._core():
            self._feed(core.flow_failed, flow)

    def choose_name(self, host: str, names: tuple[str, ...]) -> str:
        """Of all the names a certificate proves the one a trunk must have; the first when none is known."""
        wanted = {own_target(trunk).name.lower() for trunk in self._trunks()}
        return next((name for name in names if name in wanted), names[0])

    def aliases(self, flow: Flow) -> tuple[Flow, ...]:
        """The flows to trunks that want their own connections used for our requests (RFC 5923)."""
        found: list[Flow] = []
        for trunk in self._trunks():
            if trunk.alias and trunk.transport in (flow.transport, AUTO) and _comes_from(trunk, flow):
                found += [target for target in self._targets(trunk) if target.transport == flow.transport]
        return tuple(found)

    def _targets(self, trunk: Trunk) -> tuple[Flow, ...]:
        if trunk.named:
            core = self._core()
            return () if core is None else core.gate.targets(trunk)
        target = own_target(trunk)
        return (target._replace(port=target.port or DEFAULT_PORTS[target.transport]),)


def _comes_from(trunk: Trunk, flow: Flow) -> bool:
    """Whether it opened this connection: over TLS a proved name says so from any address, and nothing else does, or
    anybody at its address could have its calls."""
    if flow.transport == "tls":
        return bool(flow.name) and flow.name == (trunk.tls_name or trunk.host).lower()
    return is_at(trunk, flow.host)
