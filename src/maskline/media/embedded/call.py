"""One call in a worker: its legs, and what is said to them and heard from them beside the relaying.

What it is: clips, digits and ears by leg. What it is not: time or ports; `relay.py` owns both and the calls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from maskline.media.embedded.clips import EncodedClip
from maskline.media.embedded.ear import Ear
from maskline.media.embedded.events import Latched, WorkerEvent
from maskline.media.embedded.keypad import Keypad, event_type
from maskline.media.embedded.leg import Leg
from maskline.media.embedded.pace import Pace, Speaker
from maskline.media.embedded.player import Player, voice_codec
from maskline.media.embedded.spooling import Recording
from maskline.media.port import DigitPressed, FarMedia, PlayDone, RecordingLost, Spool
from maskline.media.spool import SpoolError
from maskline.sdp.session import Codec


class UnknownCall(Exception):
    """There is no such call or leg here."""


class Unplayable(Exception):
    """The far side understands nothing that clips can be played in, or is not known yet."""


@dataclass(slots=True)
class RelayCall:
    id: str
    active_at: float
    """When it was opened or bridged: the timeout counts from here until packets come."""
    pace: Pace
    emit: Callable[[WorkerEvent], None]
    legs: dict[LegName, Leg] = field(default_factory=dict)
    bridged: bool = False
    players: dict[LegName, Player] = field(default_factory=dict)
    keypads: dict[LegName, Keypad] = field(default_factory=dict)
    recording: Recording | None = None

    def add(self, name: LegName, leg: Leg) -> None:
        self.legs[name] = leg
        leg.on_latch = lambda source: self.emit(Latched(self.id, name, source))

    def leg(self, name: LegName) -> Leg:
        """Raises `UnknownCall`."""
        leg = self.legs.get(name)
        if leg is None:
            raise UnknownCall
        return leg

    @property
    def is_held(self) -> bool:
        """Somebody said that it does not speak, or does not listen, so that nobody has to."""
        return any(leg.far is not None and leg.far.direction != "sendrecv" for leg in self.legs.values())

    def last_activity(self) -> float:
        return max(self.active_at, *(leg.last_sign for leg in self.legs.values()))

    def quality(self) -> dict[LegName, Quality]:
        figures = ((name, leg.quality()) for name, leg in self.legs.items())
        return {name: quality for name, quality in figures if quality is not None}

    def join(self, *, digits: bool) -> None:
        """Connect the two legs; what still plays is stopped. Raises `UnknownCall`."""
        a, b = self.leg(LegName.A), self.leg(LegName.B)
        for name in self.legs:
            self.stop_playing(name)
        self.bridged = True
        a.digits_cross = b.digits_cross = digits
        a.join(b)
        b.join(a)

    def part(self) -> None:
        """The two hear each other no more."""
        self.bridged = False
        for leg in self.legs.values():
            leg.part()

    def attach(self, name: LegName, far: FarMedia) -> None:
        """Raises `UnknownCall`, `UnusableAddress`."""
        leg = self.leg(name)
        leg.attach(far)
        player, codec = self.players.get(name), voice_codec(leg)
        if player is not None and codec is not None:
            player.speak(codec)

    # --- what we say ----------------------------------------------------------------------------------------------

    def play(self, name: LegName, clip: EncodedClip, play_id: int, passes: int, now: float, skipped: int = 0) -> None:
        """`passes` 0: until stopped; `skipped` frames were played before. Raises `UnknownCall`, `Unplayable`."""
        leg = self.leg(name)
        codec = voice_codec(leg)
        if codec is None:
            raise Unplayable
        self.stop_playing(name)

        def over() -> None:
            self.players.pop(name, None)
            self.emit(PlayDone(self.id, name, play_id))

        player = Player(leg, clip, codec, play_id, passes, over)
        if player.begin(now, skipped):
            self.players[name] = player
            self.pace.add(player, now)
        else:
            over()

    def stop_playing(self, name: LegName) -> None:
        """Nothing if nothing plays."""
        player = self.players.pop(name, None)
        if player is not None:
            self.pace.remove(player)
            player.end()

    def press(self, name: LegName, digit: str, duration_ms: int, now: float) -> None:
        """Nothing if the far side has no telephone events. Raises `UnknownCall`, `ValueError`."""
        leg = self.leg(name)
        payload_type = event_type(leg)
        if payload_type is None:
            return
        keypad = self.keypads.get(name)
        if keypad is not None:
            keypad.press(digit, duration_ms)
            return
        keypad = Keypad(leg, payload_type, lambda: self.keypads.pop(name, None))
        keypad.press(digit, duration_ms)
        self.keypads[name] = keypad
        keypad.begin(now)
        self.pace.add(keypad, now)

    # --- what we hear ---------------------------------------------------------------------------------------------

    def collect(self, name: LegName, on: bool) -> None:
        """Raises `UnknownCall`."""
        leg = self.leg(name)
        if leg.ear is None:
            if not on:
                return
            leg.ear = Ear(lambda digit: self.emit(DigitPressed(self.id, name, digit)))
        leg.ear.on = on
        leg.rebuild_routes()

    def collecting(self) -> bool:
        return any(leg.ear is not None and leg.ear.on for leg in self.legs.values())

    def expire_digits(self, now: float) -> None:
        for leg in self.legs.values():
            if leg.ear is not None:
                leg.ear.expire(now)

    # --- what is kept ---------------------------------------------------------------------------------------------

    def offer(self, name: LegName, codecs: tuple[Codec, ...], now: float) -> None:
        """Our SDP to this leg says something else from now on."""
        leg = self.leg(name)
        changed = leg.codecs != codecs
        leg.offer(codecs)
        if changed and self.recording is not None:
            self.recording.codecs_changed(name, now)

    def start_recording(self, folder: Path, recording_id: str, now: float, wall: float) -> Spool:
        """Asked again for the one that runs: its spool. Raises `UnknownCall`, `SpoolError`."""
        self.leg(LegName.A), self.leg(LegName.B)
        if self.recording is None:
            self.recording = Recording(folder, recording_id, self.legs, now=now, wall=wall)
        elif self.recording.id != recording_id:
            raise SpoolError("This call is being recorded already.")
        return self.recording.spool

    def stop_recording(self, now: float) -> None:
        recording, self.recording = self.recording, None
        if recording is not None and not recording.end(now):
            self.emit(RecordingLost(self.id))

    def flush_recording(self) -> bool:
        """False: nothing is recorded, or nothing more."""
        if self.recording is None:
            return False
        if not self.recording.flush():
            self.emit(RecordingLost(self.id))
        return not self.recording.lost

    def end(self, now: float) -> None:
        """Nobody speaks or listens any more."""
        self.stop_recording(now)
        speakers: list[Speaker] = [*self.players.values(), *self.keypads.values()]
        for speaker in speakers:
            self.pace.remove(speaker)
        self.players.clear()
        self.keypads.clear()
