"""Call flows of 8x8's customers: what is taken, what it becomes, and which fault the rest is."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.masking.call_flow import CallFlow, Capture, Hangup, MakeCall, PlayFile, Say
from maskline.masking.e164 import Number
from maskline.masking.prompt import Prompt
from maskline.webhooks.formats.eight_fault import SENTENCES, FlowFault
from maskline.webhooks.formats.eight_flow import FlowReply, read_reply, read_request
from maskline.webhooks.formats.eight_params import FlowRules

CALL = {"action": "makeCall", "params": {"source": "6531000001", "destination": "+6581234520"}}
SAY = {"action": "say", "params": {"text": "Hello", "voiceProfile": "en-us-f"}}
PLAY = {"action": "playFile", "params": {"fileUrl": "https://files.example/a.mp3"}}
ASK = {"action": "sayAndCapture", "params": {"promptMessage": "Digits, please", "voiceProfile": "en-us-f"}}
HANGUP = {"action": "hangup"}
DIALLED = MakeCall(Number("6531000001"), Number("6581234520"))
SPOKEN = Say(Prompt("say", text="Hello", voice="en-us-f"))
STRICT = FlowRules(strict=True)


def reply(*actions, rules=FlowRules(), **root):  # noqa: B008 - frozen
    return read_reply(json.dumps({"callflow": list(actions), **root}).encode(), rules)


def request(*actions, rules=FlowRules(), **root):  # noqa: B008 - frozen
    return read_request(json.dumps({"callflow": list(actions), **root}).encode(), rules)


def changed(action, drop="", **params):
    """The action with other params."""
    made = copy.deepcopy(action)
    made["params"].update(params)
    made["params"].pop(drop, None)
    return made


def fault(read, *actions, **more):
    with pytest.raises(FlowFault) as raised:
        read(*actions, **more)
    return raised.value


# -- what is taken -------------------------------------------------------------------------------------------------


@pytest.mark.row("8x8:3.1/success", "8x8:4/root", "8x8:4/chained", "8x8:13/C10", "8x8:4/rule-vca-reply")
def test_all_five_actions_are_taken_in_one_reply_and_keep_their_order():
    flow = reply(SAY, PLAY, CALL, ASK, clientActionId="act-1").flow
    assert [type(action) for action in flow.actions] == [Say, PlayFile, MakeCall, Capture]
    assert flow.client_action_id == "act-1"
    assert reply(SAY, HANGUP) == FlowReply(CallFlow((SPOKEN, Hangup())))


@pytest.mark.row("8x8:4/root")
def test_the_id_of_an_action_may_be_left_out_or_null():
    assert reply(CALL).flow.client_action_id == ""
    assert reply(CALL, clientActionId=None).flow.client_action_id == ""


@pytest.mark.row("8x8:3.1/empty-callflow")
def test_an_empty_flow_is_a_flow_in_a_reply():
    assert reply() == FlowReply(CallFlow(()))


@pytest.mark.row("8x8:2/numbers-in", "8x8:4/makeCall.source", "8x8:4/makeCall.destination")
def test_numbers_may_have_a_plus():
    for plus in ("", "+"):
        wanted = changed(CALL, source=plus + "6531000001", destination=plus + "6581234520")
        assert reply(wanted).flow.actions == (DIALLED,)


@pytest.mark.row("8x8:4/makeCall.callRecording", "8x8:13/C11", "8x8:9/start")
def test_a_call_is_recorded_where_that_is_said():
    assert [reply(changed(CALL, callRecording=value)).flow.actions[0].record for value in (True, False, None)] == [
        True, False, False,
    ]  # fmt: skip


@pytest.mark.row("8x8:4/say.text", "8x8:4/say.repetition", "8x8:4/say.speed", "8x8:13/C8", "8x8:4/say.language")
def test_a_text_is_spoken_as_often_and_as_fast_as_is_said():
    (action,) = reply(changed(SAY, repetition=3, speed=1.25, language="en-GB", text="x" * 3000)).flow.actions
    assert action == Say(Prompt("say", text="x" * 3000, voice="en-us-f", speed=1.25), 3)
    assert reply(changed(SAY, repetition=None, speed=None)).flow.actions == (SPOKEN,)
    assert reply(changed(SAY, repetition=2.0, speed=2)).flow.actions[0].prompt.speed == 2.0


def test_a_text_may_have_line_ends_and_every_script():
    text = "Hello,\n\tthis is 你好 😀\r\n"
    assert reply(changed(SAY, text=text)).flow.actions[0].prompt.text == text


@pytest.mark.row("8x8:4/playFile.fileUrl", "8x8:4/playFile.repetition")
def test_a_file_is_played_from_its_url():
    (action,) = reply(changed(PLAY, repetition=2)).flow.actions
    assert action == PlayFile(Prompt("playFile", url="https://files.example/a.mp3"), 2)


@pytest.mark.row("8x8:13/C5", "8x8:4/sayAndCapture.maxDigits", "8x8:4/sayAndCapture.overallTimeout")
@pytest.mark.row("8x8:4/sayAndCapture.noOfTries", "8x8:4/sayAndCapture.completeOnHash")
@pytest.mark.row("8x8:4/sayAndCapture.messages", "8x8:4/sayAndCapture.promptMessage")
def test_digits_are_asked_for_by_the_guides_defaults():
    prompt = Prompt("promptMessage", text="Digits, please", voice="en-us-f")
    asked = Capture(prompt, None, None, 1, 25, True, None, 30.0, 3)
    assert reply(ASK).flow.actions == (asked,)
    assert reply(changed(ASK, successMessage=None, failureMessage="", minDigits=None)).flow.actions == (asked,)


@pytest.mark.row("8x8:4/sayAndCapture.minDigits", "8x8:4/sayAndCapture.digitTimeout")
@pytest.mark.row("8x8:4/sayAndCapture.voice", "8x8:4/sayAndCapture.repetition")
def test_each_param_of_a_capture_is_read():
    wanted = changed(
        ASK, successMessage="Thanks", failureMessage="Again", minDigits=4, maxDigits=6, completeOnHash=False,
        digitTimeout=2500, overallTimeout=10_000, noOfTries=2, speed=0.5, repetition=7,
    )  # fmt: skip
    (action,) = reply(wanted).flow.actions
    said = {"voice": "en-us-f", "speed": 0.5}
    assert action == Capture(
        Prompt("promptMessage", text="Digits, please", **said), Prompt("successMessage", text="Thanks", **said),
        Prompt("failureMessage", text="Again", **said), 4, 6, False, 2.5, 10.0, 2,
    )  # fmt: skip


@pytest.mark.row("8x8:13/C5", "8x8:4/sayAndCapture.digitTimeout")
def test_equal_timeouts_and_a_lone_one_are_taken():
    assert reply(changed(ASK, digitTimeout=5000, overallTimeout=5000)).flow.actions[0].digit_timeout == 5.0
    (action,) = reply(changed(ASK, digitTimeout=40_000)).flow.actions
    assert (action.digit_timeout, action.overall_timeout) == (40.0, 30.0)


@pytest.mark.row("8x8:4/hangup", "8x8:4/action-object")
def test_hangup_needs_no_params_and_tolerates_empty_ones():
    for params in ({}, {"params": {}}, {"params": None}):
        assert reply({"action": "hangup", **params}) == FlowReply(CallFlow((Hangup(),)))


@pytest.mark.row("8x8:13/C11")
def test_what_nobody_knows_is_ignored_with_a_warning_that_quotes_no_value():
    read = reply({**changed(CALL, ringTimeout=20, **{"6581234567": 1}), "note": "x"}, validUntil="2030-01-01T00:00:00Z")
    assert read.flow.actions == (DIALLED,)
    assert read.warnings == (
        "$.validUntil is ignored",
        P + "ringTimeout is ignored",
        P + "(a key) is ignored",
        "$.callflow[0].note is ignored",
    )


def test_actions_behind_a_capture_are_told_as_not_run():
    assert reply(ASK, CALL).warnings == ("$.callflow[1] is not run: the application is asked after sayAndCapture",)


@pytest.mark.row("8x8:4/say.voiceProfile", "8x8:8.1/-1002")
def test_a_voice_is_checked_where_the_voices_are_known():
    rules = FlowRules(frozenset({"en-us-f"}))
    assert reply(changed(SAY, voiceProfile="en-US-F"), rules=rules).flow.actions[0].prompt.voice == "en-US-F"
    assert fault(reply, changed(SAY, voiceProfile="de-f"), rules=rules).code == -1002
    assert reply(changed(SAY, voiceProfile="de-f")).flow.actions[0].prompt.voice == "de-f"


# -- submitted flows -----------------------------------------------------------------------------------------------


@pytest.mark.row("8x8:4/validUntil", "8x8:4/root", "8x8:6/clientRequestId")
def test_a_submitted_flow_keeps_what_is_echoed():
    body = json.dumps({"callflow": [CALL, SAY], "validUntil": "2026-01-31T12:00:00.250Z", "clientRequestId": "req 7"})
    read = read_request(body.encode())
    assert read.flow == CallFlow((DIALLED, SPOKEN))
    assert read.valid_until == 1_769_860_800.25
    assert (read.valid_until_text, read.client_request_id) == ("2026-01-31T12:00:00.250Z", "req 7")
    assert (read.raw, read.warnings, read.captures) == (body, (), ())
    assert read_request(read.raw.encode()) == read


@pytest.mark.row("8x8:4/validUntil")
def test_an_instant_may_be_without_milliseconds_or_left_out():
    assert request(CALL, validUntil="2026-01-31T12:00:00Z").valid_until == 1_769_860_800.0
    read = request(CALL)
    assert (read.valid_until, read.valid_until_text, read.client_request_id) == (None, "", "")


@pytest.mark.parametrize(
    "text",
    ["tomorrow", "2026-01-31", "2026-02-30T12:00:00Z", "2026-01-31T12:00:00", "2026-01-31T12:00:00+08:00", 1769860800],
)
@pytest.mark.row("8x8:4/validUntil")
def test_what_is_no_instant_in_utc_is_refused(text):
    assert fault(request, CALL, validUntil=text).sentence.startswith(
        "Invalid call flow entry provided. $.validUntil must be a time in UTC"
    )


@pytest.mark.row("8x8:4/rule-second-bridges", "8x8:4/rule-two-makecalls")
def test_a_submitted_flow_may_call_two():
    assert request(CALL, CALL).flow.actions == (DIALLED, DIALLED)
    assert request(CALL, ASK).captures == (1,)


def test_the_id_of_an_action_means_nothing_in_a_submitted_flow():
    assert request(CALL, clientActionId="x").warnings == ("$.clientActionId is ignored",)


# -- faults --------------------------------------------------------------------------------------------------------

LONG = "x" * 3001
P = "$.callflow[0].params."
ONE_OF = "$.callflow[0].action must be one of makeCall, say, playFile, sayAndCapture, hangup"
FAULTS = [
    ([changed(SAY, "text")], -1009, P + "text is missing"),
    ([CALL, changed(SAY, text=7)], -1009, "$.callflow[1].params.text must be text"),
    ([changed(SAY, text="  ")], -1009, P + "text is empty"),
    ([changed(SAY, text=LONG)], -1009, P + "text is longer than 3000 characters"),
    ([changed(SAY, text="a\x00b")], -1016, P + "text"),
    ([changed(SAY, text="a\x9bb")], -1016, P + "text"),
    ([changed(ASK, successMessage="\x07")], -1016, P + "successMessage"),
    ([changed(ASK, failureMessage=5)], -1009, P + "failureMessage must be text"),
    ([changed(ASK, promptMessage=LONG)], -1009, P + "promptMessage is longer than 3000 characters"),
    ([changed(SAY, "voiceProfile")], -1009, P + "voiceProfile is missing"),
    ([changed(SAY, voiceProfile="")], -1002, P + "voiceProfile"),
    ([changed(SAY, language=1)], -1002, P + "language"),
    ([changed(SAY, repetition=0)], -1009, P + "repetition must be a whole number from 1 to 3"),
    ([changed(SAY, repetition=4)], -1009, P + "repetition must be a whole number from 1 to 3"),
    ([changed(SAY, repetition=True)], -1009, P + "repetition must be a whole number from 1 to 3"),
    ([changed(PLAY, repetition="2")], -1009, P + "repetition must be a whole number from 1 to 3"),
    ([changed(PLAY, repetition=1.5)], -1009, P + "repetition must be a whole number from 1 to 3"),
    ([changed(SAY, speed=0.4)], -1009, P + "speed must be a number from 0.5 to 2.0"),
    ([changed(SAY, speed=2.1)], -1009, P + "speed must be a number from 0.5 to 2.0"),
    ([changed(SAY, speed=True)], -1009, P + "speed must be a number from 0.5 to 2.0"),
    ([changed(SAY, speed="1")], -1009, P + "speed must be a number from 0.5 to 2.0"),
    ([changed(PLAY, "fileUrl")], -1009, P + "fileUrl is missing"),
    ([changed(PLAY, fileUrl="ftp://a/b")], -1009, P + "fileUrl must be an http or https URL"),
    ([changed(PLAY, fileUrl="https:///b")], -1009, P + "fileUrl must be an http or https URL"),
    ([changed(PLAY, fileUrl="https://a/ b")], -1009, P + "fileUrl must be an http or https URL"),
    ([changed(PLAY, fileUrl="http://[a")], -1009, P + "fileUrl must be an http or https URL"),
    ([changed(PLAY, fileUrl="https://a/" + LONG)], -1009, P + "fileUrl must be an http or https URL"),
    ([changed(CALL, "source")], -1009, P + "source is missing"),
    ([changed(CALL, "destination")], -1009, P + "destination is missing"),
    ([changed(CALL, destination=6581234520)], -1009, P + "destination must be text"),
    ([changed(CALL, source=["6531000001"])], -1009, P + "source must be text"),
    ([changed(CALL, source="private")], -1014, P + "source is no telephone number"),
    ([changed(CALL, destination=["6581234520"])], -1011, P + "destination"),
    ([changed(CALL, destination="6581234520,6581234530")], -1011, P + "destination"),
    ([changed(CALL, destination="+6581234520 +6581234530")], -1011, P + "destination"),
    ([changed(CALL, destination="12345")], -1017, P + "destination"),
    ([changed(CALL, destination="0581234520")], -1017, P + "destination"),
    ([changed(CALL, destination="+65 8123 4520")], -1017, P + "destination"),
    ([changed(CALL, destination="")], -1017, P + "destination"),
    ([changed(CALL, destination="+6581234520123456")], -1017, P + "destination"),
    ([changed(CALL, callRecording="yes")], -1009, P + "callRecording must be true or false"),
    ([changed(ASK, minDigits=2)], -1003, P + "maxDigits is missing"),
    ([changed(ASK, minDigits=5, maxDigits=4)], -1003, P + "maxDigits is smaller than minDigits"),
    ([changed(ASK, minDigits=0, maxDigits=4)], -1009, P + "minDigits must be a whole number from 1 to 25"),
    ([changed(ASK, maxDigits=26)], -1009, P + "maxDigits must be a whole number from 1 to 25"),
    ([changed(ASK, completeOnHash=False)], -1008, P + "maxDigits is missing"),
    ([changed(ASK, digitTimeout=2, overallTimeout=1)], -1006, P + "overallTimeout"),
    ([changed(ASK, overallTimeout=0)], -1009, P + "overallTimeout must be a whole number from 1 to 600000"),
    ([changed(ASK, noOfTries=0)], -1009, P + "noOfTries must be a whole number from 1 to 100"),
    ([{"action": "transfer"}], -1007, ONE_OF),
    ([{"action": "SAY", "params": {}}], -1007, ONE_OF),
    ([{"action": ["say"]}], -1007, ONE_OF),
    ([{"params": {}}], -1009, "$.callflow[0].action is missing"),
    ([{"action": "say"}], -1009, "$.callflow[0].params is missing"),
    ([{"action": "say", "params": []}], -1009, "$.callflow[0].params must be an object"),
    ([{"action": "hangup", "params": 1}], -1009, "$.callflow[0].params must be an object"),
    (["hangup"], -1009, "$.callflow[0] must be an object"),
    ([HANGUP, SAY], -1012, "$.callflow[0] is followed by other actions"),
    ([SAY, HANGUP, HANGUP], -1012, "$.callflow[1] is followed by other actions"),
    ([SAY] * 101, -1010, "$.callflow has more than 100 entries"),
    ([{"action": "executeScenario", "params": {"scenarioName": "night"}}, SAY], -1018, "$.callflow[0].action"),
    ([{"action": "executeScenario", "params": {"scenarioName": None}}], -1019, P + "scenarioName"),
    ([{"action": "executeScenario"}], -1019, P + "scenarioName"),
    ([{"params": {"scenarioName": " "}}], -1019, P + "scenarioName"),
    ([{"action": "say", "params": {"scenarioName": "night"}}], -1020, P + "scenarioName"),
]  # fmt: skip


@pytest.mark.parametrize(("actions", "code", "detail"), FAULTS)
@pytest.mark.row("8x8:8.1/json-path", "8x8:4/rule-hangup-position", "8x8:4/scenario", "8x8:4/rule-scenario-alone")
@pytest.mark.row("8x8:8.1/-1003", "8x8:8.1/-1006", "8x8:8.1/-1007", "8x8:8.1/-1008", "8x8:8.1/-1009", "8x8:8.1/-1011")
@pytest.mark.row("8x8:8.1/-1012", "8x8:8.1/-1016", "8x8:8.1/-1017", "8x8:8.1/-1018", "8x8:8.1/-1019", "8x8:8.1/-1020")
@pytest.mark.row("8x8:4/action-object", "8x8:8.1/-1014")
def test_each_fault_has_its_code_the_vendors_sentence_and_the_place(actions, code, detail):
    for read in (reply, request):
        found = fault(read, *actions)
        assert found.code == code
        joint = " " if SENTENCES[code].endswith(".") else ": "
        assert found.sentence == str(found) == SENTENCES[code] + (joint + detail if detail else "")


@pytest.mark.parametrize(
    ("code", "status"),
    [(-1001, 400), (-1007, 400), (-1009, 400), (-1010, 422), (-1013, 422), (-1014, 422), (-1018, 422), (-9999, 500)],
)
@pytest.mark.row("8x8:8.1/http-status")
def test_what_is_wrong_by_itself_is_400_and_what_is_wrong_here_422(code, status):
    assert FlowFault(code).http_status == status


@pytest.mark.row("8x8:8.1/-1001", "8x8:4/strict-json")
def test_what_is_no_strict_json_is_told_as_such():
    for read in (read_reply, read_request):
        with pytest.raises(FlowFault) as raised:
            read(b'{"callflow":[],}')
        assert raised.value.sentence == "Invalid JSON request body: syntax error at line 1, column 16"
        assert raised.value.http_status == 400


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"[]", "Invalid call flow entry provided. $ must be an object"),
        (b"null", "Invalid call flow entry provided. $ must be an object"),
        (b'{"status":"ok"}', "Invalid call flow entry provided. $.callflow is missing"),
        (b'{"callflow":{}}', "Invalid call flow entry provided. $.callflow must be an array"),
    ],
)
@pytest.mark.row("8x8:3.1/not-a-flow", "8x8:4/root")
def test_a_body_without_an_array_of_actions_is_no_flow(body, sentence):
    with pytest.raises(FlowFault) as raised:
        read_reply(body)
    assert (raised.value.code, raised.value.sentence) == (-1009, sentence)


@pytest.mark.row("8x8:4/rule-first-makecall", "8x8:8.1/-1013")
def test_a_submitted_flow_begins_with_a_call():
    for actions, place in (((), " is empty"), ((SAY, CALL), "[0].action"), ((HANGUP,), "[0].action")):
        found = fault(request, *actions)
        assert (found.code, found.sentence) == (-1013, f"{SENTENCES[-1013]}: $.callflow{place}")


@pytest.mark.row("8x8:4/rule-two-makecalls", "8x8:8.1/-1010", "8x8:4/rule-vca-reply")
def test_no_more_than_two_legs_are_called():
    for read, actions in ((request, (CALL, CALL, SAY, CALL)), (reply, (CALL, SAY, SAY, CALL))):
        found = fault(read, *actions)
        assert found.code == -1010
        assert found.sentence.startswith(f"{SENTENCES[-1010]}: $.callflow[3].action: makeCall is allowed ")


@pytest.mark.row("8x8:4/makeCall.destination")
def test_a_destination_has_fifteen_digits_at_most_and_a_virtual_number_may_have_more():
    (call,) = reply(changed(CALL, source="+65310000010000000", destination="+658123452012345")).flow.actions
    assert (len(call.source.digits), len(call.destination.digits)) == (17, 15)


@pytest.mark.row("8x8:8.1/-1005", "8x8:8.1/-1006", "8x8:13/C5")
def test_the_strict_switch_wants_both_timeouts_and_a_difference():
    assert fault(reply, changed(ASK, digitTimeout=500), rules=STRICT).code == -1005
    assert fault(reply, changed(ASK, digitTimeout=500, overallTimeout=500), rules=STRICT).code == -1006
    assert (
        reply(changed(ASK, digitTimeout=499, overallTimeout=500), rules=STRICT).flow.actions[0].digit_timeout == 0.499
    )


@pytest.mark.parametrize(
    ("value", "code"), [(7, -1009), (["x"], -1009), ("x" * 257, -1009), ("a\nb", -1016), ("\u202e", -1016)]
)
def test_ids_that_are_given_back_are_short_plain_text(value, code):
    assert fault(reply, CALL, clientActionId=value).code == code
    assert fault(request, CALL, clientRequestId=value).code == code


# -- nothing else is ever raised -----------------------------------------------------------------------------------

_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["+6581234520", "6531000001", "en-us-f", "https://a.example/x.mp3", "2026-01-31T12:00:00Z"])
)  # fmt: skip
_ANYTHING = _SCALARS | st.lists(_SCALARS, max_size=3) | st.dictionaries(st.text(max_size=9), _SCALARS, max_size=3)
_OTHER_KEYS = (
    "callRecording language repetition speed minDigits maxDigits completeOnHash digitTimeout overallTimeout noOfTries"
    " successMessage failureMessage scenarioName"
)
_KEYS = st.sampled_from([*_OTHER_KEYS.split(), *(key for one in (CALL, SAY, PLAY, ASK) for key in one["params"])])
_PARAMS = st.dictionaries(_KEYS | st.text(max_size=5), _ANYTHING, max_size=6)
_ENTRIES = st.builds(
    lambda base, more: {**base, "params": {**base.get("params", {}), **more}},
    st.sampled_from([CALL, SAY, PLAY, ASK, HANGUP]),
    _PARAMS,
)
_ACTIONS = st.lists(_ENTRIES | _ANYTHING, max_size=4)
_BODIES = st.fixed_dictionaries(
    {"callflow": _ACTIONS | _ANYTHING},
    optional={"clientActionId": _ANYTHING, "validUntil": _ANYTHING, "clientRequestId": _ANYTHING},
)


@settings(max_examples=150)
@given(st.binary(max_size=200) | _BODIES.map(lambda body: json.dumps(body).encode()), st.booleans())
def test_no_body_raises_anything_but_a_flow_fault(body, strict):
    for read in (read_reply, read_request):
        try:
            found = read(body, FlowRules(frozenset({"en-us-f"}), strict))
        except FlowFault as error:
            assert error.sentence.startswith(SENTENCES[error.code])
        else:
            assert isinstance(found.flow, CallFlow)
