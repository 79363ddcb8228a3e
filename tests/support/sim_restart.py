"""A simulated engine that dies and is replaced: only what its commits kept is left of its calls."""

from __future__ import annotations

import re
from dataclasses import dataclass

from maskline.engine.call import CallPolicy
from maskline.engine.call_keep import context_of
from maskline.engine.call_kept import KeptCall, write_call
from maskline.engine.call_kept_read import read_call
from maskline.engine.core import EngineConfig, EngineCore
from maskline.engine.ports import CutOff, Shared
from maskline.ids import SeededIds
from maskline.sip.agent import Agent, AgentConfig
from tests.support.engine_world import World
from tests.support.sim_scenario import ENGINE

_CHANCE = re.compile(rb";branch=[^;\r\n]*|;rport[^;\r\n]*|(?<=\r\nCSeq: )\d+|(?<=\r\nCall-ID: )[^\r\n]*|;tag=[0-9a-f]+")


@dataclass
class RestartedWorld(World):
    """`dies_at`: seconds after the beginning; `outage`: until the next engine is there."""

    dies_at: float = 0.0
    outage: float = 0.0
    away: bool = False
    end_asked: bool = False
    """Of calls, before the next engine has them."""
    sent_before: tuple[int, int] = (0, 0)
    """Messages to Alice and to Bob until then."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.schedule(self.dies_at, self.kill)

    def kill(self, now: float) -> None:
        self.sent_before = (len(self.to_alice), len(self.to_bob))
        self.away = True
        if self.outage:
            self.schedule(self.outage, self.replace)
            self.core = self.empty_core()
        else:
            self.replace(now)

    def empty_core(self) -> EngineCore:
        agent = Agent(AgentConfig(ENGINE.host, ENGINE.port), SeededIds(self.seed * 10 + 5))
        policy = CallPolicy(answer_for_prompts=self.scenario.answer_for_prompts)
        config = EngineConfig(ENGINE.host, "our-own-mark", self.scenario.relay, policy)
        ids = SeededIds(self.seed * 10 + 6)
        return EngineCore(config, agent, ids, self.clock, lambda: self.trunks, self.shared())

    def shared(self) -> Shared | None:
        """What an engine that begins knows of trunks and accounts."""
        return None

    def replace(self, now: float) -> None:
        self.core = self.empty_core()
        self.away = False
        for past in self.cut_off():
            self.core.revive(past, now)
        self.pump(now)

    def cut_off(self) -> list[CutOff]:
        """As the store has it: the last that was kept of each call that has no record."""
        kept: dict[str, KeptCall] = {}
        for commit in self.commits:
            if commit.kept is not None:
                kept[commit.call_id] = read_call(write_call(commit.kept))
            if commit.record is not None:
                kept.pop(commit.call_id, None)
        sessions = {
            commit.call_id: commit.context.session for commit in self.commits if commit.context is not None
        }  # fmt: skip
        told = {call_id: tuple(fact for fact in self.facts if fact.subject == call_id) for call_id in kept}
        return [
            CutOff(one, context_of(one, sessions[call_id]), told[call_id], end_asked=self.end_asked)
            for call_id, one in kept.items()
        ]

    def arrive(self, data: bytes, source: object, target: object, now: float) -> None:
        if not (self.away and target == ENGINE):
            super().arrive(data, source, target, now)  # type: ignore[arg-type]

    def said(self, since: tuple[int, int]) -> list[list[bytes]]:
        """Messages to Alice and Bob from there on, without what chance or a jump of CSeq makes different, and without
        renewals of their sessions, of which there is one more after a restart."""
        return [
            [_CHANCE.sub(b"", one) for one in sent[begin:] if not one.startswith(b"UPDATE ")]
            for sent, begin in zip((self.to_alice, self.to_bob), since, strict=True)
        ]
