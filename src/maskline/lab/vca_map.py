"""The table of a sample 8x8 application: who is connected with whom, and the call flow that says so.

What it is: a JSON file read with every fault named by its JSONPath, and a Voice Call Action payload turned into the
reply (8x8-wavecell.md §3, §4). What it is not: a server (`lab/vca.py`), or the platform's own reader of flows, which
must not be the judge of what is written here. Who uses it: `lab/vca.py`.

Every pair is read in both directions: whoever of the two calls the virtual number reaches the other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from maskline.errors import InvalidParameter
from maskline.masking.e164 import Number, parse_telephone

VOICE = "en-us-f"
"""A `speechProfileCode` of espeak-ng, the default speech engine."""
UNKNOWN = "There is no booking for this number. Goodbye."
WRONG = "That is not one of the choices. Goodbye."
_MENU = "menu"
"""`clientActionId` of a menu: what comes back with it are the digits."""
_ROOT = frozenset({"voice", "unknown", "pairs", "menus"})
_PAIR = frozenset({"virtual", "parties", "record", "say", "voice"})
_MENU_KEYS = frozenset({"virtual", "prompt", "choices", "wrong", "voice"})

Flow = dict[str, Any]


class WrongMap(InvalidParameter):
    """The file of --map is no mapping."""


class NotAnAction(Exception):
    """The request is no Voice Call Action; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Route:
    """What a known caller of a virtual number gets."""

    callee: Number
    record: bool
    say: str = field(repr=False)
    """Heard by the caller first; empty: nothing."""
    voice: str


@dataclass(frozen=True, slots=True)
class Menu:
    """What any other caller of a virtual number is asked."""

    prompt: str
    choices: Mapping[str, Number]
    wrong: str
    voice: str


@dataclass(frozen=True, slots=True)
class Map:
    routes: Mapping[tuple[str, str], Route]
    """By the digits of caller and virtual number."""
    menus: Mapping[str, Menu]
    """By the digits of the virtual number."""
    unknown: str
    voice: str


def answer(table: Map, body: Any) -> Flow:
    """The reply to a Voice Call Action; raises `NotAnAction`. A caller who withholds the number has no `source`."""
    payload = body.get("payload") if isinstance(body, dict) else None
    if not isinstance(payload, dict) or not isinstance(payload.get("destination"), str):
        raise NotAnAction("A Voice Call Action has a payload with a destination.")
    caller, virtual = _digits(payload.get("source")), _digits(payload["destination"])
    if payload.get("callStatus") == "ACTION_COMPLETED":
        return _after(table, payload, virtual)
    route, menu = table.routes.get((caller, virtual)), table.menus.get(virtual)
    if route is not None:
        greeting = [_say(route.say, route.voice)] if route.say else []
        return {"callflow": [*greeting, _make_call(virtual, route.callee, record=route.record)]}
    if menu is not None:
        return {"clientActionId": _MENU, "callflow": [_capture(menu)]}
    return _goodbye(table.unknown, table.voice)


def answer_handle(table: Map, body: Flow) -> Flow:
    """The reply to Wavecell's call handle of 2019, which has no `clientActionId`: digits are a menu's."""
    pressed = body.get("eventType") == "DTMF_RECEIVED"
    payload = {
        "source": body.get("sourceMsisdn"), "destination": body.get("targetMsisdn"),
        "callStatus": "ACTION_COMPLETED" if pressed else "CALL_RECEIVED", "clientActionId": _MENU,
        "eventData": str(body.get("dtmf", "")),
    }  # fmt: skip
    return {"commands": answer(table, {"payload": payload})["callflow"]}


def _after(table: Map, payload: Flow, virtual: str) -> Flow:
    """What follows a menu. Other flows here have no `clientActionId`, so that nobody asks what follows them."""
    menu = table.menus.get(virtual) if payload.get("clientActionId") == _MENU else None
    if menu is None:
        return {"callflow": [{"action": "hangup"}]}
    callee = menu.choices.get(_pressed(payload.get("eventData")))
    if callee is None:
        return _goodbye(menu.wrong, menu.voice)
    return {"callflow": [_make_call(virtual, callee, record=False)]}


def _pressed(data: Any) -> str:
    """Digits as they come in either generation: a map with `dtmf`, or text."""
    return str((data.get("dtmf") if isinstance(data, dict) else data) or "")


def _digits(number: Any) -> str:
    return str(number or "").lstrip("+")


def _say(text: str, voice: str) -> Flow:
    return {"action": "say", "params": {"text": text, "voiceProfile": voice}}


def _make_call(virtual: str, callee: Number, *, record: bool) -> Flow:
    params: Flow = {"source": virtual, "destination": callee.digits}
    if record:
        params["callRecording"] = True
    return {"action": "makeCall", "params": params}


def _capture(menu: Menu) -> Flow:
    longest = max(map(len, menu.choices))
    params = {
        "promptMessage": menu.prompt, "voiceProfile": menu.voice, "minDigits": 1, "maxDigits": longest,
        "overallTimeout": 10_000, "noOfTries": 2,
    }  # fmt: skip
    return {"action": "sayAndCapture", "params": params}


def _goodbye(text: str, voice: str) -> Flow:
    return {"callflow": [_say(text, voice), {"action": "hangup"}]}


# -- the file ------------------------------------------------------------------------------------------------------
def read_map(text: str) -> Map:
    """Raises `WrongMap`, whose sentence has the JSONPath and no number."""
    try:
        root = json.loads(text)
    except ValueError as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "its encoding"
        raise WrongMap(f"The map is not valid JSON ({where}).") from None
    _check_keys(root, _ROOT, "$")
    voice = _text(root, "voice", "$", VOICE)
    routes: dict[tuple[str, str], Route] = {}
    for index, pair in enumerate(_list(root, "pairs")):
        _add_pair(routes, pair, f"$.pairs[{index}]", voice)
    menus = dict(_menu(one, f"$.menus[{index}]", voice) for index, one in enumerate(_list(root, "menus")))
    return Map(routes, menus, _text(root, "unknown", "$", UNKNOWN), voice)


def _add_pair(routes: dict[tuple[str, str], Route], pair: Any, path: str, voice: str) -> None:
    _check_keys(pair, _PAIR, path)
    virtual = _number(pair.get("virtual"), f"{path}.virtual")
    parties = pair.get("parties")
    if not isinstance(parties, list) or len(parties) != 2:
        raise WrongMap(f"{path}.parties must be two numbers.")
    first, second = (_number(one, f"{path}.parties[{index}]") for index, one in enumerate(parties))
    record, say = pair.get("record", False), _text(pair, "say", path, "")
    if not isinstance(record, bool):
        raise WrongMap(f"{path}.record must be true or false.")
    for caller, callee in ((first, second), (second, first)):
        key = caller.digits, virtual.digits
        if key in routes or first == second:
            # §1: the same virtual number must not be given to the same party for two live bookings.
            raise WrongMap(f"{path}.parties: a party of two pairs needs a virtual number for each.")
        routes[key] = Route(callee, record, say, _text(pair, "voice", path, voice))


def _menu(menu: Any, path: str, voice: str) -> tuple[str, Menu]:
    _check_keys(menu, _MENU_KEYS, path)
    virtual = _number(menu.get("virtual"), f"{path}.virtual")
    choices = menu.get("choices")
    if not isinstance(choices, dict) or not choices or not all(_is_entry(key) for key in choices):
        raise WrongMap(f"{path}.choices must be a map from digits to numbers.")
    callees = {key: _number(value, f"{path}.choices['{key}']") for key, value in choices.items()}
    prompt = _text(menu, "prompt", path, "")
    if not prompt:
        raise WrongMap(f"{path}.prompt is missing.")
    return virtual.digits, Menu(prompt, callees, _text(menu, "wrong", path, WRONG), _text(menu, "voice", path, voice))


def _is_entry(key: str) -> bool:
    """What `sayAndCapture` can bring: `#` ends an entry."""
    return 1 <= len(key) <= 25 and all(one in "0123456789*" for one in key)


def _check_keys(value: Any, known: frozenset[str], path: str) -> None:
    if not isinstance(value, dict):
        raise WrongMap(f"{path} must be an object.")
    for key in value:
        if key not in known:
            raise WrongMap(f"{path} has no {key!r}; there are {', '.join(sorted(known))}.")


def _list(root: Flow, key: str) -> list[Any]:
    found = root.get(key, [])
    if not isinstance(found, list):
        raise WrongMap(f"$.{key} must be a list.")
    return found


def _text(value: Flow, key: str, path: str, default: str) -> str:
    found = value.get(key, default)
    if not isinstance(found, str):
        raise WrongMap(f"{path}.{key} must be text.")
    return found


def _number(value: Any, path: str) -> Number:
    try:
        return parse_telephone(value if isinstance(value, str) else "")
    except InvalidParameter:
        raise WrongMap(f"{path} is not a telephone number.") from None
