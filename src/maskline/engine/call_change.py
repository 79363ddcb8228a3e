"""A change that both sides have to agree to: hold, resume, another codec (RFC 3261 §14, RFC 3264 §8).

One side asks by re-INVITE or UPDATE, the other is asked by a re-INVITE of ours, and its answer becomes ours to the
first. One change at a time: while it is under way other offers get 491 (`call_talk.change`), and the agent waits and
asks again where ours gets one. When a side that was asked refuses, so do we. One that knows nothing of the call any
more, or says nothing at all, ends it (§12.2.1.2).

Sometimes nobody waits for the answer: the other side is told of what is so already. That is what follows an answer in
an ACK that holds or resumes, the CANCEL of a change that was agreed to meanwhile, and the end of a second leg that had
the first on hold.

What it is: the state table of a change and its actions. What it is not: SDP (`call_media_change.py`), or changes that
the other side need not know of (`call_talk.py`). Who uses it: `call.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_change_here import answer_here
from maskline.engine.call_end import BY_LEG, end
from maskline.engine.call_media import LegMedia
from maskline.engine.call_media_change import (
    OTHER,
    MediaChange,
    agree,
    promised_voice,
    propose_offer,
    restore,
    tell,
    withdraw,
)
from maskline.masking.facts import Cause, HungUpBy, LegName
from maskline.sdp.errors import SdpError
from maskline.sdp.negotiate import shared_codecs
from maskline.sdp.session import AudioDescription, Codec

if TYPE_CHECKING:
    from maskline.engine.call import Call


class ChangeState(Enum):
    __hash__ = object.__hash__

    ASKED = auto()
    """The other side has our offer, this one waits."""
    WITHDRAWN = auto()
    """This side cancelled its request meanwhile."""
    TOLD = auto()
    """The other side has our offer, and nobody waits."""
    SETTLING = auto()
    """Both agree; the media is being attached. It is over with `ChangeReady`."""
    OVER = auto()


class ChangeSignal(Enum):
    __hash__ = object.__hash__

    AGREED = auto()
    """2xx."""
    REFUSED = auto()
    GONE = auto()
    """481, or no response at all."""
    WITHDRAWN = auto()
    """CANCEL of the request that asked."""
    FAILED = auto()
    """The media driver could not attach what was agreed."""
    ASKING_LEFT = auto()
    """The second leg asked, and is over; the call goes on without it."""
    ASKED_LEFT = auto()
    """The second leg was asked, and is over."""


_S, _T = ChangeState, ChangeSignal
CHANGE: dict[tuple[ChangeState, ChangeSignal], tuple[ChangeState, str]] = {
    (_S.ASKED, _T.AGREED): (_S.SETTLING, "settle"),
    (_S.ASKED, _T.REFUSED): (_S.OVER, "pass_refusal"),
    (_S.ASKED, _T.GONE): (_S.OVER, "lose_dialog"),
    (_S.ASKED, _T.WITHDRAWN): (_S.WITHDRAWN, "await_answer"),
    (_S.ASKED, _T.ASKING_LEFT): (_S.TOLD, "await_answer"),
    (_S.ASKED, _T.ASKED_LEFT): (_S.OVER, "settle_here"),
    (_S.SETTLING, _T.WITHDRAWN): (_S.TOLD, "take_back"),
    (_S.SETTLING, _T.FAILED): (_S.TOLD, "take_back"),
    (_S.WITHDRAWN, _T.AGREED): (_S.TOLD, "undo"),
    (_S.WITHDRAWN, _T.REFUSED): (_S.OVER, "forget"),
    (_S.WITHDRAWN, _T.GONE): (_S.OVER, "lose_dialog"),
    (_S.WITHDRAWN, _T.ASKING_LEFT): (_S.TOLD, "await_answer"),
    (_S.WITHDRAWN, _T.ASKED_LEFT): (_S.OVER, "forget"),
    (_S.TOLD, _T.AGREED): (_S.OVER, "take_note"),
    (_S.TOLD, _T.REFUSED): (_S.OVER, "forget"),
    (_S.TOLD, _T.GONE): (_S.OVER, "lose_dialog"),
    (_S.TOLD, _T.ASKED_LEFT): (_S.OVER, "forget"),
}
"""The next state is the way things go well: an answer that cannot be used ends the change, and what needs no attaching
is settled at once."""

_GONE = frozenset({408, 481})


@dataclass(slots=True)
class Change:
    leg: LegName
    """Who asks, or of whom the other side is told."""
    key: object
    """Of its request; None: there is none."""
    media: MediaChange
    state: ChangeState = ChangeState.ASKED
    resumes: bool = False
    """The first leg is told that it is on hold no more, since there is nobody who holds it."""
    refused: object = None
    """Key of the request whose media could not be attached, of which this change takes back the rest."""


# -- how it begins ------------------------------------------------------------------------------------------------


def propose(call: Call, inp: i.Offered, said: AudioDescription, out: list[e.Effect]) -> None:
    """Ask the other side. Raises `SdpError` when there is nothing to ask for."""
    change = call.change = Change(inp.leg, inp.key, propose_offer(call.media, inp.leg, said))
    _send(call, change, out)


def tell_other_side(call: Call, name: LegName, out: list[e.Effect], *, switches: bool = False) -> None:
    """What this leg's far side said in an ACK concerns the other one too. A change that is under way tells it."""
    if call.bridged and call.change is None:
        _tell(call, Change(name, None, tell(call.media, name, switches=switches), ChangeState.TOLD), out)


def tell_later(call: Call, name: LegName) -> None:
    """The same of something that a change under way does not tell, or not if it is refused."""
    media = call.media
    if name not in media.untold:
        media.untold = (*media.untold, name)


def tell_rest(call: Call, out: list[e.Effect]) -> None:
    """What either side asked for, or took, before the bridge or in a renewal, and the other has not heard of, one after
    the other."""
    media = call.media
    if media.untold and call.bridged and not call.record.closed:
        name, *rest = media.untold
        media.untold = tuple(rest)
        switches = name is LegName.B and is_promise_broken(call)
        if switches:
            media.promised = ()
        _tell(call, Change(name, None, tell(media, name, switches=switches), ChangeState.TOLD), out)


def is_promise_broken(call: Call) -> bool:
    """The caller speaks what our answer before the 200 named first, and its callee does not take that after all: it
    answered otherwise than its 18x said, or another fork did. Of the answers to an INVITE only the first one counts
    (RFC 3261 §13.2.1), so that it takes an offer of ours to tell."""
    media = call.media
    return bool(media.promised) and not shared_codecs(promised_voice(media), media.leg(LegName.A).agreed)


def _tell(call: Call, change: Change, out: list[e.Effect]) -> None:
    call.change = change
    _send(call, change, out)


def _send(call: Call, change: Change, out: list[e.Effect]) -> None:
    other = OTHER[change.leg]
    if change.media.switches:
        _speak(call, other, change.media.offered + call.media.leg(other).agreed, out)
    out.append(e.SendOffer(other, change.media.body))


def _speak(call: Call, name: LegName, codecs: tuple[Codec, ...], out: list[e.Effect]) -> None:
    """The media driver takes these from this leg from now on."""
    if call.media.relay:
        known: dict[int, Codec] = {}
        for codec in codecs:
            known.setdefault(codec.payload_type, codec)
        out.append(e.OpenMedia(None, tuple(known.values()), (name,), call.media.with_keys(name)))


# -- what happens to it -------------------------------------------------------------------------------------------


def hear_other_side(call: Call, inp: i.OfferAnswered, now: float, out: list[e.Effect]) -> None:
    change = call.change
    if change is not None and OTHER[change.leg] is inp.leg:
        signal = ChangeSignal.AGREED if inp.status < 300 else ChangeSignal.REFUSED
        _step(call, change, ChangeSignal.GONE if inp.status in _GONE else signal, inp, now, out)


def hear_withdrawal(call: Call, inp: i.OfferWithdrawn, now: float, out: list[e.Effect]) -> None:
    change = call.change
    if change is not None and change.key == inp.key:
        _step(call, change, ChangeSignal.WITHDRAWN, inp, now, out)


def go_on_alone(call: Call, inp: i.HungUp, now: float, out: list[e.Effect]) -> None:
    """The second leg is over and the first goes on without it."""
    change = call.change
    if change is None:
        _resume(call, out)
    else:
        left = ChangeSignal.ASKED_LEFT if change.leg is LegName.A else ChangeSignal.ASKING_LEFT
        _step(call, change, left, inp, now, out)


def change_over(call: Call, key: object, out: list[e.Effect]) -> None:
    """What the request with this key asked for is done, or cannot be done."""
    change = call.change
    if change is not None and change.key == key:
        call.change = None
        _go_on(call, change, out)


def lose_media(call: Call, inp: i.MediaFailed, now: float, out: list[e.Effect]) -> None:
    """A step failed before the bridge. A change inside a leg is refused and the old media stays; anything else leaves
    somebody who hears nothing."""
    if not _refused(call, inp, now, out):
        end(call, Cause.MEDIA_UNAVAILABLE, HungUpBy.PLATFORM, now, out)


def refuse_failed_change(call: Call, inp: i.MediaFailed, now: float, out: list[e.Effect]) -> None:
    """A step of an answered call failed. The first answer to a late offer has no old media to fall back to."""
    if not _refused(call, inp, now, out) and isinstance(inp.step, i.LateMediaReady):
        end(call, Cause.MEDIA_UNAVAILABLE, HungUpBy.PLATFORM, now, out)


def _refused(call: Call, inp: i.MediaFailed, now: float, out: list[e.Effect]) -> bool:
    """Whether the step that failed was for a change inside a leg."""
    step, change = inp.step, call.change
    if isinstance(step, i.ChangeReady):
        if is_refused(call, step.key):
            return True
        out.append(e.RespondRequest(step.leg, step.key, 500))
        if change is not None and change.key == step.key and not call.record.closed:
            _step(call, change, ChangeSignal.FAILED, inp, now, out)
        elif step.before:
            _keep_as_it_was(call.media.leg(step.leg), step.before, change)
        return True
    if not isinstance(step, i.LateMediaReady) or step.first:
        return False
    if change is not None and change.state is ChangeState.SETTLING and not call.record.closed:
        # The other side's half of it: this side's is on its way, and is not wanted any more.
        key = change.key
        out.append(e.RespondRequest(change.leg, key, 500))
        _step(call, change, ChangeSignal.FAILED, inp, now, out)
        if call.change is not None:
            call.change.refused = key
    return True


def _keep_as_it_was(leg: LegMedia, before: tuple[Any, ...], change: Change | None) -> None:
    written = leg.written
    restore(leg, before)
    if change is not None:
        leg.written = written  # an offer of the other side's change, which waits for this one's end


def is_refused(call: Call, key: object) -> bool:
    """Whether what is ready now was refused meanwhile."""
    return call.change is not None and call.change.refused == key


def _step(call: Call, change: Change, signal: ChangeSignal, inp: i.Input, now: float, out: list[e.Effect]) -> None:
    row = CHANGE.get((change.state, signal))
    if row is None:
        return
    change.state, action = row
    if change.state is ChangeState.OVER:
        call.change = None
    _ACTIONS[action](call, change, inp, now, out)
    if call.change is None:
        _go_on(call, change, out)


def _go_on(call: Call, over: Change, out: list[e.Effect]) -> None:
    tell_rest(call, out)
    if call.change is None and not over.resumes:
        _resume(call, out)


def _resume(call: Call, out: list[e.Effect]) -> None:
    """Somebody whom the other side had on hold would not hear what a call flow has to say."""
    media = call.media
    if call.bridged or call.record.closed or not media.relay or not media.leg(LegName.A).is_held():
        return
    _tell(call, Change(LegName.B, None, tell(media, LegName.B, direction="sendrecv"), ChangeState.TOLD, True), out)


# -- actions ------------------------------------------------------------------------------------------------------


def settle(call: Call, change: Change, inp: i.OfferAnswered, now: float, out: list[e.Effect]) -> None:
    name, before = change.leg, call.media.leg(change.leg).far
    try:
        body, moved = agree(call.media, name, change.media, inp.body)
    except SdpError:
        return _refuse(call, change, 488, out)
    if change.media.switches:
        _speak(call, name, call.media.leg(name).agreed, out)
    for leg in moved[:-1]:
        _attach(call, leg, i.LateMediaReady(first=False), out)
    if moved:
        return _attach(call, moved[-1], i.ChangeReady(name, change.key, body), out)
    call.change = None
    out.append(e.RespondRequest(name, change.key, 200, body))
    if call.media.leg(name).far != before:
        call.record.changed(name, now, out)
    return None


def _attach(call: Call, name: LegName, then: i.Ready, out: list[e.Effect]) -> None:
    out.append(e.AttachMedia(name, call.media.leg(name).far_media(), call.bridged, then))


def pass_refusal(call: Call, change: Change, inp: i.OfferAnswered, now: float, out: list[e.Effect]) -> None:
    """With the same class: 491 is worth another try, and so is a failure of its server; the rest is no."""
    status = 488 if inp.status < 500 or inp.status >= 600 else 500
    _refuse(call, change, 491 if inp.status == 491 else status, out)


def _refuse(call: Call, change: Change, status: int, out: list[e.Effect]) -> None:
    call.change = None
    withdraw(call.media, change.leg, change.media)
    out.append(e.RespondRequest(change.leg, change.key, status))


def lose_dialog(call: Call, change: Change, inp: i.OfferAnswered, now: float, out: list[e.Effect]) -> None:
    """Who answers 481 has hung up without a BYE that reached us."""
    if inp.status == 481:
        end(call, Cause.NORMAL, BY_LEG[inp.leg], now, out)
    else:
        end(call, Cause.REQUEST_TIMEOUT, HungUpBy.CARRIER, now, out)


def await_answer(call: Call, change: Change, inp: i.Input, now: float, out: list[e.Effect]) -> None:
    """Nobody else does, but one offer has to be over before the next."""
    change.key = None
    change.media.said = None


def undo(call: Call, change: Change, inp: i.OfferAnswered, now: float, out: list[e.Effect]) -> None:
    """The other side agreed to what nobody wants any more: it is told how things were."""
    switched = change.media.switches
    take_note(call, change, inp, now, out)
    _tell(call, Change(change.leg, None, tell(call.media, change.leg, switches=switched), ChangeState.TOLD), out)


def take_back(call: Call, change: Change, inp: i.Input, now: float, out: list[e.Effect]) -> None:
    """The same, when all was as good as settled, or could not be."""
    name, media = change.leg, call.media
    restore(media.leg(name), change.media.before)
    if change.media.switches:
        _speak(call, name, media.leg(name).agreed, out)
    _attach(call, name, i.LateMediaReady(first=False), out)
    call.change = None
    if call.bridged:
        _tell(call, Change(name, None, tell(media, name, switches=change.media.switches), ChangeState.TOLD), out)


def take_note(call: Call, change: Change, inp: i.OfferAnswered, now: float, out: list[e.Effect]) -> None:
    try:
        _, moved = agree(call.media, change.leg, change.media, inp.body)
    except SdpError:
        return withdraw(call.media, change.leg, change.media)
    for leg in moved:
        _attach(call, leg, i.LateMediaReady(first=False), out)
    return None


def settle_here(call: Call, change: Change, inp: i.HungUp, now: float, out: list[e.Effect]) -> None:
    said = change.media.said
    assert said is not None, "somebody waits"
    withdraw(call.media, change.leg, change.media)
    try:
        answer_here(call, change.leg, change.key, said, now, out)
    except SdpError as error:
        out.append(e.RespondRequest(change.leg, change.key, error.status))


def forget(call: Call, change: Change, inp: i.Input, now: float, out: list[e.Effect]) -> None:
    withdraw(call.media, change.leg, change.media)


_ACTIONS: dict[str, Callable[[Call, Change, Any, float, list[e.Effect]], None]] = {
    function.__name__: function
    for function in (settle, pass_refusal, lose_dialog, await_answer, undo, take_back, take_note, settle_here, forget)
}
