"""The sample application's table: who is connected with whom, and how a faulty file is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from maskline.lab.vca_map import Map, NotAnAction, WrongMap, answer, answer_handle, read_map

RIDER, DRIVER, VIRTUAL, DESK = "+6591110042", "+6598760007", "+6531580001", "+6562220001"
EXAMPLE = Path(__file__).parents[3] / "docs" / "howto" / "8x8-map.json"


PAIR = {"virtual": VIRTUAL, "parties": [RIDER, DRIVER]}


def table(**more: Any) -> Map:
    return read_map(json.dumps({"pairs": [PAIR], **more}))


def asked(source: str | None, destination: str = VIRTUAL, **more: Any) -> dict[str, Any]:
    payload = {"source": source, "destination": destination, "callStatus": "CALL_RECEIVED", **more}
    return {"eventType": "CALL_ACTION", "payload": {key: value for key, value in payload.items() if value is not None}}


@pytest.mark.row("8x8:14/lab-vca")
def test_each_of_the_two_reaches_the_other_and_is_shown_the_virtual_number() -> None:
    for caller, callee in ((RIDER, DRIVER), (DRIVER, RIDER)):
        params = {"source": VIRTUAL[1:], "destination": callee[1:]}
        assert answer(table(), asked(caller)) == {"callflow": [{"action": "makeCall", "params": params}]}


def test_numbers_are_the_same_with_and_without_plus() -> None:
    reply = answer(table(), asked(RIDER[1:], VIRTUAL[1:]))
    assert reply["callflow"][0]["params"]["destination"] == DRIVER[1:]


@pytest.mark.parametrize("source", ["+6590000000", None])
def test_anybody_else_hears_the_words_for_unknown_callers_and_is_hung_up(source: str | None) -> None:
    say = {"action": "say", "params": {"text": "Not you.", "voiceProfile": "de-m"}}
    assert answer(table(unknown="Not you.", voice="de-m"), asked(source)) == {"callflow": [say, {"action": "hangup"}]}


def test_a_pair_may_be_recorded_and_greeted_in_a_voice_of_its_own() -> None:
    pair = PAIR | {"record": True, "say": "One moment.", "voice": "fr-f"}
    say, call = answer(table(pairs=[pair]), asked(DRIVER))["callflow"]
    assert say["params"] == {"text": "One moment.", "voiceProfile": "fr-f"}
    assert call["params"]["callRecording"] is True


MENU = {"virtual": VIRTUAL, "prompt": "Press 1 or 22.", "choices": {"1": DESK, "22": DRIVER}}


def test_a_menu_asks_whoever_is_of_no_pair_for_digits() -> None:
    reply = answer(table(menus=[MENU]), asked("+6590000000"))
    assert reply["clientActionId"] == "menu"
    (capture,) = reply["callflow"]
    assert capture["action"] == "sayAndCapture"
    assert capture["params"]["promptMessage"] == "Press 1 or 22."
    assert capture["params"]["maxDigits"] == 2
    assert answer(table(menus=[MENU]), asked(RIDER))["callflow"][0]["action"] == "makeCall"


@pytest.mark.parametrize("data", [{"dtmf": "1"}, "1"])
@pytest.mark.row("8x8:2/generations", "8x8:13/C6")
def test_the_digits_choose_in_either_generation(data: Any) -> None:
    done = asked("+6590000000", callStatus="ACTION_COMPLETED", clientActionId="menu", eventData=data)
    (call,) = answer(table(menus=[MENU]), done)["callflow"]
    assert call["params"] == {"source": VIRTUAL[1:], "destination": DESK[1:]}


@pytest.mark.parametrize("dtmf", [1, "1"])
def test_digits_of_a_call_handle_choose_too(dtmf: Any) -> None:
    handle = {"eventType": "DTMF_RECEIVED", "sourceMsisdn": "6590000000", "targetMsisdn": VIRTUAL[1:], "dtmf": dtmf}
    (call,) = answer_handle(table(menus=[MENU]), handle)["commands"]
    assert call["params"]["destination"] == DESK[1:]


@pytest.mark.parametrize("data", [{"dtmf": "9"}, {"dtmf": ""}, {}, None])
def test_another_choice_or_none_is_told_so_and_hung_up(data: Any) -> None:
    done = asked("+6590000000", callStatus="ACTION_COMPLETED", clientActionId="menu", eventData=data)
    say, hangup = answer(table(menus=[MENU]), done)["callflow"]
    assert (say["params"]["text"], hangup) == ("That is not one of the choices. Goodbye.", {"action": "hangup"})


def test_what_follows_any_other_action_is_the_end() -> None:
    for client_action_id in (None, "menu", "other"):
        done = asked(RIDER, callStatus="ACTION_COMPLETED", clientActionId=client_action_id)
        assert answer(table(), done) == {"callflow": [{"action": "hangup"}]}


@pytest.mark.parametrize("body", [None, [], {}, {"payload": []}, {"payload": {}}, {"payload": {"destination": 65}}])
def test_a_body_without_payload_or_destination_is_no_action(body: Any) -> None:
    with pytest.raises(NotAnAction):
        answer(table(), body)


def pairs(*found: Any) -> dict[str, Any]:
    return {"pairs": list(found)}


@pytest.mark.parametrize(
    ("root", "sentence"),
    [
        ([], "$ must be an object."),
        ({"pears": []}, "$ has no 'pears'; there are menus, pairs, unknown, voice."),
        ({"pairs": {}}, "$.pairs must be a list."),
        ({"voice": 1}, "$.voice must be text."),
        (pairs(1), "$.pairs[0] must be an object."),
        (pairs({"virtual": VIRTUAL}), "$.pairs[0].parties must be two numbers."),
        (pairs({"virtual": VIRTUAL, "parties": [RIDER, "911"]}), "$.pairs[0].parties[1] is not a telephone number."),
        (pairs({"virtual": 1, "parties": [RIDER, DRIVER]}), "$.pairs[0].virtual is not a telephone number."),
        (pairs(PAIR | {"record": 1}), "$.pairs[0].record must be true or false."),
        (
            pairs(PAIR | {"parties": [RIDER, RIDER]}),
            "$.pairs[0].parties: a party of two pairs needs a virtual number for each.",
        ),
        (
            pairs(PAIR, PAIR | {"parties": [DESK, RIDER]}),
            "$.pairs[1].parties: a party of two pairs needs a virtual number for each.",
        ),
        ({"menus": [{"virtual": VIRTUAL}]}, "$.menus[0].choices must be a map from digits to numbers."),
        (
            {"menus": [{"virtual": VIRTUAL, "choices": {"#": DESK}}]},
            "$.menus[0].choices must be a map from digits to numbers.",
        ),
        ({"menus": [{"virtual": VIRTUAL, "choices": {"1": ""}}]}, "$.menus[0].choices['1'] is not a telephone number."),
        ({"menus": [{"virtual": VIRTUAL, "choices": {"1": DESK}}]}, "$.menus[0].prompt is missing."),
    ],
)  # fmt: skip
def test_a_faulty_file_is_refused_by_the_path_of_the_fault(root: Any, sentence: str) -> None:
    with pytest.raises(WrongMap) as caught:
        read_map(json.dumps(root))
    assert caught.value.sentence == sentence


def test_a_file_that_is_no_json_is_refused_by_its_line() -> None:
    with pytest.raises(WrongMap, match=r"not valid JSON \(line 2\)"):
        read_map('{"pairs": [],\n}')


def test_the_example_of_the_manual_is_a_map() -> None:
    found = read_map(EXAMPLE.read_text(encoding="utf-8"))
    assert len(found.routes) == 4
    assert list(found.menus) == ["6531580003"]
    assert found.routes[DRIVER[1:], VIRTUAL[1:]].callee.e164 == RIDER
