"""A media driver for the simulation: plays, hears keys and records in virtual time, and holds the engine to its order.

One step after the other per call, as a driver's worker does it; clips are fetched beside that. What it checks as it
goes: nothing is played to a leg that has no far side, everything is silent before a bridge, nobody listens for digits
and nothing is recorded when the media is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from maskline.masking.prompt import BUSY, CONGESTION
from maskline.media.port import LocalMedia, MediaLost, MediaTimedOut, Spool

if TYPE_CHECKING:
    from tests.support.engine_world import World

A, B = LegName.A, LegName.B
CLIP_SECONDS = 2.0
QUESTIONS = ("pin_prompt_play", "beep", "say_and_capture")
_UNANSWERED = e.StopPlaying | e.Collect | e.SendDigit | e.StopRecording | e.UnbridgeMedia | e.AdoptMedia


class SimMedia:
    def __init__(self, world: World, host: str) -> None:
        self._world = world
        self._ports = {A: LocalMedia(host, 20_000, 20_001), B: LocalMedia(host, 20_002, 20_003)}
        self._free_at = 0.0
        self.steps = 0
        self.open: set[str] = set()
        """Calls whose media is open, as the driver sees it."""
        self._heard_by: set[LegName] = set()
        """Legs with a far side."""
        self._playing: dict[LegName, int] = {}
        """By what the engine has asked for and knows of: a play that is neither over nor stopped."""
        self._collecting = False
        self._recording = False
        self.bridged = False
        self.options: list[str] = []
        """What was played, in order."""
        self.digits: list[str] = []

    def take(self, call_id: str, effect: object) -> None:
        self._check(effect)
        if isinstance(effect, e.Play):
            self._play(call_id, effect)
        elif not isinstance(
            effect, e.StopPlaying | e.Collect | e.SendDigit | e.StopRecording | e.UnbridgeMedia | e.AdoptMedia
        ):
            self._step(call_id, effect)

    # -- what the engine must have done before ----------------------------------------------------------------

    def _check(self, effect: object) -> None:
        match effect:
            case e.OpenMedia(far=far):
                if far is not None:
                    self._heard_by.add(A)
            case e.AttachMedia(leg=leg, bridge=bridge):
                self._heard_by.add(leg)
                if bridge:
                    self._bridge()
            case e.BridgeMedia():
                self._bridge()
            case e.UnbridgeMedia():
                assert self.bridged, "there is nothing to take apart"
                self.bridged = False
                self._heard_by.discard(B)
            case e.Play(leg=leg, prompt=prompt):
                assert leg in self._heard_by, "played to nobody"
                # A callee whose early media was heard may be busy all the same; the tone takes its place.
                assert not self.bridged or prompt in (BUSY, CONGESTION)
                assert leg not in self._playing, "played over something else"
            case e.StopPlaying(leg=leg):
                self._playing.pop(leg, None)
            case e.Collect(leg=leg, on=on):
                assert leg is A and on is not self._collecting
                self._collecting = on
            case e.SendDigit(digit=digit):
                assert self.bridged
                self.digits.append(digit)
            case e.StartRecording():
                assert self.bridged and not self._recording
                self._recording = True
            case e.StopRecording():
                self._recording = False
            case e.CloseMedia():
                assert not self._playing and not self._collecting and not self._recording

    @property
    def is_silent(self) -> bool:
        """Nobody hears us, and nobody is asked for anything."""
        return not self._playing and not self._collecting

    def _bridge(self) -> None:
        assert not self._playing and not self._collecting, "bridged into a prompt"
        assert B in self._heard_by
        self.bridged = A in self._heard_by

    # -- steps in order ---------------------------------------------------------------------------------------

    def _step(self, call_id: str, effect: object) -> None:
        world = self._world
        self._free_at = max(world.clock.now(), self._free_at) + world.random.random() * 0.05
        step, self.steps = self.steps, self.steps + 1
        fails = step == world.scenario.media_fails_at
        delay = self._free_at - world.clock.now()
        world.schedule(delay, lambda now: world.give(call_id, self._result(call_id, effect, fails), now))

    def _result(self, call_id: str, effect: object, fails: bool) -> i.Input:
        if isinstance(effect, e.OpenMedia):
            if fails:
                return i.MediaFailed()
            self.open.add(call_id)
            return i.MediaOpened(*(self._ports[leg] if leg in effect.legs else None for leg in (A, B)))
        if isinstance(effect, e.AttachMedia):
            assert call_id in self.open, "attached before it was opened"
            return i.MediaFailed(effect.then) if fails else effect.then
        if isinstance(effect, e.BridgeMedia):
            return i.MediaFailed(i.Bridged()) if fails else i.Bridged()
        if isinstance(effect, e.StartRecording):
            self._recording = not fails and self._recording
            return i.RecordingOff("gone") if fails else i.RecordingOn(effect.recording_id, Spool("/s", "maskline", ()))
        assert isinstance(effect, e.CloseMedia)
        self.open.discard(call_id)
        return i.MediaClosed({} if fails else {A: Quality(4.4, 0.0, 0.0, 100, 0)})

    # -- clips and keys ---------------------------------------------------------------------------------------

    def _play(self, call_id: str, play: e.Play) -> None:
        world, option = self._world, play.prompt.option
        self._playing[play.leg] = play.play_id
        self.options.append(option)
        if world.scenario.prompt_fails != option:
            world.schedule(0.0, lambda now: self._begin(call_id, i.PlayBegun(play.leg, play.play_id), now))
        if world.scenario.prompt_fails == option:
            world.schedule(0.3, lambda now: self._end(call_id, i.PlayFailed(play.leg, play.play_id, "timeout"), now))
        elif play.repeat:
            over = i.PlayDone(play.leg, play.play_id)
            world.schedule(CLIP_SECONDS * play.repeat, lambda now: self._end(call_id, over, now))
        if option in QUESTIONS:
            world.press_pin(call_id)

    def _begin(self, call_id: str, begun: i.PlayBegun, now: float) -> None:
        if self._playing.get(begun.leg) == begun.play_id:
            self._world.give(call_id, begun, now)

    def _end(self, call_id: str, over: i.PlayDone | i.PlayFailed, now: float) -> None:
        """Nothing comes of a play that was stopped."""
        if self._playing.get(over.leg) == over.play_id:
            del self._playing[over.leg]
            self._world.give(call_id, over, now)

    def press(self, call_id: str, digit: str, now: float) -> None:
        if self._collecting:
            self._world.give(call_id, i.Digit(A, digit), now)

    def lose(self, now: float) -> None:
        world = self._world
        for call_id in list(self.open):
            event = MediaLost(call_id) if world.seed % 2 else MediaTimedOut(call_id)
            world.core.media_event(event, now)
        world.pump(now)
