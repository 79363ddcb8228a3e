"""Call flows as 8x8's customers write them: strict JSON in, `CallFlow` out, or one fault that says what is wrong.

What it is: 8x8-wavecell.md §4, for the reply to a call action and for `POST callflows`, which differ in what may stand
where. What it is not: look-ups; whether a source is the customer's own number, whether a destination can be reached
and whether `validUntil` is over is asked elsewhere. Who uses it: `workflows/ask_action.py`, the 8x8 API,
`wavecell_handle.py`.

Decided where the vendor's pages contradict each other: the guide's defaults for digits (C5), equal timeouts and a lone
digitTimeout are taken unless `strict` is set (C5), speed may have a fraction (C8), a param that is null counts as left
out (C9), all five actions everywhere (C10), params that nobody knows are ignored with a warning (C11).
docs/decisions/0045-call-flows-are-read-to-the-letter.md tells of the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import field
from typing import Any

from maskline.masking.call_flow import Action, CallFlow, Capture, Hangup, MakeCall, PlayFile, Say
from maskline.masking.e164 import Number
from maskline.masking.prompt import Prompt
from maskline.values import dataclass
from maskline.webhooks.formats.eight_fault import FlowFault
from maskline.webhooks.formats.eight_params import FlowRules, Params, is_url, label, shown, valid_until, wrong
from maskline.webhooks.formats.strict_json import NotJson, read_strict

MOST_ACTIONS = 100
MOST_DIGITS = 25
LONGEST_TIMEOUT_MS = 600_000
MOST_TRIES = 100
_OVERALL, _TRIES = 30.0, 3
"""The guide's seconds and tries where a flow has none (C5)."""
_CALLED = re.compile(r"\+?[1-9][0-9]{6,14}\Z")
"""E.164, `+` optional."""
_SHOWN = re.compile(r"\+?[1-9][0-9]{6,16}\Z")
"""Two digits more: whatever can be one of our virtual numbers (`e164.py`)."""
_SEVERAL = re.compile(r"\s*\+?[0-9]+(?:\s*[,;|]|\s+\+[0-9])")
_MOST_CALLS_SUBMITTED = 2
_MOST_CALLS_IN_REPLY = 1
"""Leg A is there already."""
WARNINGS_TOLD = 8
"""As many are in one line of the log; a body may earn thousands."""
USUAL = FlowRules()


@dataclass(frozen=True, slots=True)
class FlowReply:
    """A customer's answer to a call action."""

    flow: CallFlow
    warnings: tuple[str, ...] = ()
    """JSONPaths of what was ignored, each with a reason; they quote no value."""


@dataclass(frozen=True, slots=True)
class FlowRequest:
    """A call flow that somebody submitted. Its first action is a `MakeCall`, and it has no more than two."""

    flow: CallFlow
    valid_until: float | None = None
    """Wall seconds; whether that is over (-1015) is for the caller to say."""
    valid_until_text: str = ""
    """As it was written, to be echoed."""
    client_request_id: str = ""
    raw: str = field(default="", repr=False)
    """The body: readable again, by the same rules, when the flow's turn has come."""
    warnings: tuple[str, ...] = ()

    @property
    def captures(self) -> tuple[int, ...]:
        """Where digits are asked for, which needs a call action webhook to be told of them (-1004)."""
        return tuple([index for index, action in enumerate(self.flow.actions) if isinstance(action, Capture)])


def read_reply(body: bytes, rules: FlowRules = USUAL, *, key: str = "callflow") -> FlowReply:
    """What is to be done with a call; `key` is that of the actions. Raises `FlowFault`, and nothing else."""
    root, warnings = _root(body, {key, "clientActionId"})
    client_action_id = label(root, "clientActionId")
    actions = _read_actions(root.get(key), rules, warnings, key)
    _check_calls(actions, _MOST_CALLS_IN_REPLY, key)
    return FlowReply(CallFlow(actions, client_action_id), tuple(warnings))


def read_request(body: bytes, rules: FlowRules = USUAL) -> FlowRequest:
    """A call flow of `POST callflows`. Raises `FlowFault`, and nothing else."""
    root, warnings = _root(body, {"callflow", "validUntil", "clientRequestId"})
    client_request_id = label(root, "clientRequestId")
    until_text, until = valid_until(root.get("validUntil"))
    actions = _read_actions(root.get("callflow"), rules, warnings)
    if not actions or not isinstance(actions[0], MakeCall):
        raise FlowFault(-1013, "$.callflow[0].action" if actions else "$.callflow is empty")
    _check_calls(actions, _MOST_CALLS_SUBMITTED, "callflow")
    return FlowRequest(CallFlow(actions), until, until_text, client_request_id, body.decode(), tuple(warnings))


def _read_actions(entries: Any, rules: FlowRules, warnings: list[str], key: str = "callflow") -> tuple[Action, ...]:
    """The array under `key` of the root; what is ignored in it is added to `warnings`. Raises `FlowFault`."""
    if not isinstance(entries, list):
        raise wrong(f"$.{key}", "is missing" if entries is None else "must be an array")
    if len(entries) > MOST_ACTIONS:
        raise FlowFault(-1010, f"$.{key} has more than {MOST_ACTIONS} entries")
    actions = tuple([_action(entry, index, len(entries), rules, warnings, key) for index, entry in enumerate(entries)])
    for index, action in enumerate(actions[:-1]):
        if isinstance(action, Hangup):
            raise FlowFault(-1012, f"$.{key}[{index}] is followed by other actions")
        if isinstance(action, Capture):
            # The application is asked what comes next, and its answer takes the place of the rest.
            warnings.append(f"$.{key}[{index + 1}] is not run: the application is asked after sayAndCapture")
    return actions


def _root(body: bytes, known: set[str]) -> tuple[dict[str, Any], list[str]]:
    try:
        root = read_strict(body)
    except NotJson as error:
        raise FlowFault(-1001, str(error)) from None
    if not isinstance(root, dict):
        raise wrong("$", "must be an object")
    return root, [f"$.{shown(key)} is ignored" for key in root if key not in known]


def _check_calls(actions: tuple[Action, ...], most: int, key: str) -> None:
    calls = [index for index, action in enumerate(actions) if isinstance(action, MakeCall)]
    if len(calls) > most:
        allowed = "twice" if most > 1 else "once, since the first leg is there"
        raise FlowFault(-1010, f"$.{key}[{calls[most]}].action: makeCall is allowed {allowed}")


# -- one action ----------------------------------------------------------------------------------------------------


def _action(entry: Any, index: int, count: int, rules: FlowRules, warnings: list[str], key: str) -> Action:
    at = f"$.{key}[{index}]"
    if not isinstance(entry, dict):
        raise wrong(at, "must be an object")
    name, given = entry.get("action"), entry.get("params")
    if _is_scenario(name, given):
        raise _scenario_fault(given, count, at)
    if name is None:
        raise wrong(f"{at}.action", "is missing")
    kind = _ACTIONS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise FlowFault(-1007, f"{at}.action must be one of {', '.join(_ACTIONS)}")
    if given is None and kind.known:
        raise wrong(f"{at}.params", "is missing")
    if not isinstance(given, dict | None):
        raise wrong(f"{at}.params", "must be an object")
    given = given or {}
    warnings += [f"{at}.params.{shown(param)} is ignored" for param in given if param not in kind.known]
    warnings += [f"{at}.{shown(other)} is ignored" for other in entry if other not in ("action", "params")]
    return kind.read(Params(given, f"{at}.params", rules))


def _is_scenario(name: Any, given: Any) -> bool:
    """Its name and shape are published nowhere; the codes only tell that it has a scenarioName."""
    named = isinstance(name, str) and name not in _ACTIONS and "scenario" in name.lower()
    return named or (isinstance(given, dict) and "scenarioName" in given)


def _scenario_fault(given: Any, count: int, at: str) -> FlowFault:
    if count > 1:
        return FlowFault(-1018, f"{at}.action")
    name = given.get("scenarioName") if isinstance(given, dict) else None
    return FlowFault(-1020 if isinstance(name, str) and name.strip() else -1019, f"{at}.params.scenarioName")


def _make_call(params: Params) -> Action:
    source = params.required_text("source")
    destination = params.given.get("destination")
    if isinstance(destination, list) or (isinstance(destination, str) and _SEVERAL.match(destination)):
        raise FlowFault(-1011, f"{params.at}.destination")
    destination = params.required_text("destination")
    if not _CALLED.match(destination):
        raise FlowFault(-1017, f"{params.at}.destination")
    if not _SHOWN.match(source):
        raise FlowFault(-1014, f"{params.at}.source is no telephone number")
    record = params.flag("callRecording", False)
    return MakeCall(Number(source.lstrip("+")), Number(destination.lstrip("+")), record)


def _say(params: Params) -> Action:
    prompt = params.speech("text", "say")
    return Say(prompt, params.whole("repetition", 1, 3) or 1)


def _play_file(params: Params) -> Action:
    url = params.required_text("fileUrl")
    if not is_url(url):
        raise params.wrong("fileUrl", "must be an http or https URL")
    return PlayFile(Prompt("playFile", url=url), params.whole("repetition", 1, 3) or 1)


def _capture(params: Params) -> Action:
    prompt = params.speech("promptMessage")
    fewest, most = _digit_counts(params)
    between, overall = _timeouts(params)
    return Capture(
        prompt,
        params.optional_speech("successMessage"),
        params.optional_speech("failureMessage"),
        fewest,
        most,
        params.flag("completeOnHash", True),
        between,
        overall,
        params.whole("noOfTries", 1, MOST_TRIES) or _TRIES,
    )


def _digit_counts(params: Params) -> tuple[int, int]:
    fewest = params.whole("minDigits", 1, MOST_DIGITS)
    most = params.whole("maxDigits", 1, MOST_DIGITS)
    if most is None and not params.flag("completeOnHash", True):
        raise FlowFault(-1008, f"{params.at}.maxDigits is missing")
    if fewest is not None and (most is None or most < fewest):
        what = "is missing" if most is None else "is smaller than minDigits"
        raise FlowFault(-1003, f"{params.at}.maxDigits {what}")
    return fewest or 1, most or MOST_DIGITS


def _timeouts(params: Params) -> tuple[float | None, float]:
    """Seconds between digits, and for all of them."""
    between = params.whole("digitTimeout", 1, LONGEST_TIMEOUT_MS)
    overall = params.whole("overallTimeout", 1, LONGEST_TIMEOUT_MS)
    if between is not None:
        if overall is None and params.rules.strict:
            raise FlowFault(-1005, f"{params.at}.overallTimeout is missing")
        if overall is not None and (between > overall or (between == overall and params.rules.strict)):
            raise FlowFault(-1006, f"{params.at}.overallTimeout")
    return (
        None if between is None else between / 1000,
        _OVERALL if overall is None else overall / 1000,
    )


def _hangup(_params: Params) -> Action:
    return Hangup()


@dataclass(frozen=True, slots=True)
class _Kind:
    read: Callable[[Params], Action]
    known: frozenset[str]


_ACTIONS: dict[str, _Kind] = {
    "makeCall": _Kind(_make_call, frozenset({"source", "destination", "callRecording"})),
    "say": _Kind(_say, frozenset({"text", "voiceProfile", "language", "repetition", "speed"})),
    "playFile": _Kind(_play_file, frozenset({"fileUrl", "repetition"})),
    "sayAndCapture": _Kind(
        _capture,
        # `language` and `repetition` are in samples and in no table.
        frozenset(
            {"promptMessage", "voiceProfile", "language", "speed", "successMessage", "failureMessage", "repetition"}
            | {"minDigits", "maxDigits", "completeOnHash", "digitTimeout", "overallTimeout", "noOfTries"}
        ),
    ),
    "hangup": _Kind(_hangup, frozenset()),
}
"""Names as on the wire, letter by letter."""
