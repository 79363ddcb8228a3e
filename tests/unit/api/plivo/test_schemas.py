"""Requests of every official client become the same domain values, or one clear sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.api.plivo.attributes import ATTRIBUTES
from maskline.api.plivo.schemas import WishMaker, read_create, read_update
from maskline.errors import InvalidParameter, MissingParameter
from maskline.masking.e164 import Number
from maskline.masking.session import SessionOptions
from maskline.workflows.update_session import UPDATABLE

DEFAULTS = SessionOptions()
MAKE_WISH = WishMaker(DEFAULTS)
PARTIES = {"first_party": "+6590000001", "second_party": "6590000002"}


def create(**body):
    return MAKE_WISH(read_create(PARTIES | body))


def refusal(**body):
    with pytest.raises(InvalidParameter) as caught:
        read_create(PARTIES | body)
    return caught.value.sentence


@pytest.mark.row("2/first_party", "2/second_party")
def test_two_parties_are_enough_and_the_plus_is_optional():
    wish = create()
    assert (wish.first_party, wish.second_party) == (Number("6590000001"), Number("6590000002"))
    assert wish.options == DEFAULTS
    assert wish.geomatch is None
    assert wish.subaccount_id is None


@pytest.mark.row("2/first_party", "2/second_party", "2.2/unknown keys and null")
@pytest.mark.parametrize("missing", ["first_party", "second_party"])
@pytest.mark.parametrize("value", [None, "", "null"])
def test_a_null_or_empty_party_counts_as_absent(missing, value):
    assert getattr(create(**{missing: value}), missing) is None


@pytest.mark.parametrize("value", ["abc", "+", "12", "+123456789012345678", 6590000001, [], {}, True, "9" * 65, "١٢٣٤"])
def test_a_party_that_is_no_number_is_refused_without_repeating_it(value):
    assert refusal(second_party=value) == "Invalid parameter. second_party is not a valid phone number"


def test_every_documented_option_is_read():
    given = {
        "session_expiry": 600,
        "call_time_limit": 900,
        "ring_timeout": 30,
        "callback_url": "https://h.example/cb#rc=2",
        "callback_method": "get",
        "record": True,
        "record_file_format": "WAV",
        "recording_callback_url": "http://h.example/rec",
        "recording_callback_method": "GET",
        "first_party_play_url": "https://h.example/a.mp3",
        "second_party_play_url": "https://h.example/b.mp3",
        "unknown_caller_play": "https://h.example/u.mp3",
        "virtual_number_cooloff_period": 3600,
    }
    wanted = given | {"callback_method": "GET", "record_file_format": "wav"}
    assert create(**given).options == replace(DEFAULTS, **wanted)


@pytest.mark.parametrize("name", ["session_expiry", "call_time_limit"])
@pytest.mark.parametrize("value", [59, 86_401, -1, "59", "-60", 10**30])
def test_seconds_outside_the_range_are_refused(name, value):
    assert refusal(**{name: value}) == f"Invalid parameter. {name} is outside the allowed range"


@pytest.mark.parametrize("value", ["abc", 60.5, [60], {}, True, "6e1", "9" * 19, "--60", "٦٠"])
def test_a_value_that_is_no_whole_number_is_refused(value):
    assert refusal(session_expiry=value) == "Invalid parameter. session_expiry should be an integer"


@pytest.mark.row("2.3/integers as text")
@pytest.mark.parametrize("value", [60, "60", " 60 ", 60.0])
def test_whole_numbers_may_come_as_strings_or_whole_floats(value):
    assert create(session_expiry=value).options.session_expiry == 60


@pytest.mark.row("2.2/zero is unset", "2.2/unknown keys and null")
@pytest.mark.parametrize("value", [0, "0", "", None, 0.0])
def test_zero_and_its_kin_mean_unset(value):
    names = ("session_expiry", "call_time_limit", "ring_timeout", "virtual_number_cooloff_period")
    assert create(**dict.fromkeys(names, value)).options == DEFAULTS


@pytest.mark.row("2.3/booleans as text")
@pytest.mark.parametrize(("value", "read"), [(True, True), ("true", True), ("True", True), (False, False), ("", False)])
def test_booleans_may_come_as_strings(value, read):
    assert create(record=value).options.record is read


@pytest.mark.parametrize("value", [1, "yes", [], {}, 0])
def test_a_value_that_is_no_boolean_is_refused(value):
    assert refusal(record=value) == "Invalid parameter. record allowed values are true or false"


@pytest.mark.parametrize("value", ["ogg", 3, ["mp3"]])
def test_an_unknown_choice_is_refused_with_the_allowed_ones(value):
    assert refusal(record_file_format=value) == "Invalid parameter. record_file_format allowed values are mp3 or wav"


def test_an_empty_choice_is_absent():
    assert create(callback_method="").options.callback_method == "POST"


@pytest.mark.parametrize(
    "value",
    [
        "ftp://h.example/", "h.example/cb", "https://", "https:///cb", "http://h:99999/", "http://h:0/",
        "http://[::1", "https://h.example/a b", "https://h.example/\n", "https://h.example/\ud800", "https://h\x00/",
        "javascript:alert(1)", 5, [], True,
    ],
)  # fmt: skip
def test_text_that_is_no_url_is_refused(value):
    assert refusal(callback_url=value) == "Invalid parameter. callback_url should be a valid URL"


@pytest.mark.parametrize("name", ["callback_url", "recording_callback_url", "first_party_play_url"])
@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "https://h.example:22/", "http://[::1]:1023/"])
def test_a_url_with_a_port_that_is_never_called_is_refused_at_once(name, url):
    assert refusal(**{name: url}) == f"Invalid parameter. {name} has a port below 1024 that is neither 80 nor 443"


@pytest.mark.parametrize("url", ["http://h.example:80/", "https://h.example:443/", "http://127.0.0.1:1024/x"])
def test_whether_an_address_may_be_reached_is_not_asked_before_it_is_called(url):
    assert create(callback_url=url).options.callback_url == url


def test_a_url_has_to_be_under_1000_characters():
    just_fits = "https://h.example/".ljust(999, "a")
    assert create(recording_callback_url=just_fits).options.recording_callback_url == just_fits
    sentence = "Invalid parameter. recording_callback_url should be under 1000 characters"
    assert refusal(recording_callback_url=just_fits + "a") == sentence


def test_an_empty_url_takes_the_url_away():
    assert read_update({"callback_url": ""}) == {"callback_url": ""}


def test_unknown_keys_are_ignored_whatever_they_hold():
    assert create(powerpack_uuid="x", nonsense={"deep": [1, {}]}, __proto__=[]) == create()


class TestClickToCall:
    """`initiate_call_to_first_party`."""

    @pytest.mark.parametrize("value", [True, "true"])
    def test_is_an_option_like_others(self, value):
        assert create(initiate_call_to_first_party=value).options.initiate_call_to_first_party is True

    @pytest.mark.parametrize("value", [False, "false", None, ""])
    def test_may_be_switched_off(self, value):
        assert create(initiate_call_to_first_party=value) == create()

    def test_is_checked_for_its_type(self):
        with pytest.raises(InvalidParameter, match="allowed values are true or false"):
            create(initiate_call_to_first_party="perhaps")


PLAY = "https://h.example/enter.mp3"
WITH_PINS = {
    "is_pin_authentication_required": True, "first_party_pin": "1234", "second_party_pin": "5678",
    "pin_prompt_play": PLAY,
}  # fmt: skip


class TestPinAuthentication:
    @pytest.mark.row("2/first_party_pin", "2/second_party_pin", "2/pin_prompt_play", "2.3/pin as number")
    def test_takes_given_pins_as_text_or_number(self):
        for first, second in (("1234", "5678"), (1234, 5678)):
            wish = create(**WITH_PINS | {"first_party_pin": first, "second_party_pin": second})
            assert (wish.first_party_pin, wish.second_party_pin) == ("1234", "5678")
            assert wish.options == replace(DEFAULTS, is_pin_authentication_required=True, pin_prompt_play=PLAY)

    @pytest.mark.row("2/first_party_pin", "2/second_party_pin", "2/pin_prompt_play")
    @pytest.mark.parametrize("missing", ["first_party_pin", "second_party_pin", "pin_prompt_play"])
    @pytest.mark.parametrize("value", [None, ""])
    def test_needs_both_pins_and_the_prompt(self, missing, value):
        with pytest.raises(MissingParameter) as caught:
            read_create(PARTIES | WITH_PINS | {missing: value})
        assert caught.value.sentence == f"Mandatory parameter missing. {missing} must be present"

    @pytest.mark.row("2/generate_pin", "2/generate_pin_length")
    def test_needs_no_pins_when_they_are_to_be_made(self):
        body = {"is_pin_authentication_required": True, "pin_prompt_play": PLAY, "generate_pin": True}
        wish = create(**body, generate_pin_length=15, second_party_pin="123456")
        assert (wish.first_party_pin, wish.second_party_pin) == ("", "123456")
        assert (wish.options.generate_pin, wish.options.generate_pin_length) == (True, 15)
        assert create(**body).options.generate_pin_length == 4

    @pytest.mark.row("2/generate_pin_length")
    def test_a_length_means_nothing_for_given_pins(self):
        assert create(**WITH_PINS, generate_pin_length=9).options.generate_pin_length == 4

    @pytest.mark.row("2/first_party_pin", "2/second_party_pin", "1.2/other parameters")
    @pytest.mark.parametrize("name", ["first_party_pin", "second_party_pin"])
    @pytest.mark.parametrize(
        ("value", "ending"),
        [
            ("123", "should have 4 to 15 digits"), ("1" * 16, "should have 4 to 15 digits"),
            (123, "should have 4 to 15 digits"), (0, "should have 4 to 15 digits"),
            ("12a4", "should be digits only"), ("١٢٣٤", "should be digits only"), (-1234, "should be digits only"),
            (1234.5, "should be digits only"), (True, "should be digits only"), ([], "should be digits only"),
        ],
    )  # fmt: skip
    def test_a_pin_that_is_none_is_refused_without_repeating_it(self, name, value, ending):
        assert refusal(**WITH_PINS | {name: value}) == f"Invalid parameter. {name} {ending}"

    @pytest.mark.row("2/generate_pin_length", "2/pin_retry", "2/pin_retry_wait", "2/incorrect_pin_play")
    @pytest.mark.parametrize(
        ("name", "lowest", "highest"),
        [("generate_pin_length", 4, 15), ("pin_retry", 0, 5), ("pin_retry_wait", 5, 10)],
    )
    def test_numbers_have_their_ranges(self, name, lowest, highest):
        made = WITH_PINS | {"generate_pin": True}
        for value in (lowest, highest, str(highest)):
            assert getattr(create(**made | {name: value}).options, name) == int(value)
        for value in (lowest - 1 or -1, highest + 1):
            assert refusal(**made | {name: value}) == f"Invalid parameter. {name} is outside the allowed range"
        assert refusal(**made | {name: "x"}) == f"Invalid parameter. {name} should be an integer"

    @pytest.mark.row("2/pin_retry", "2.2/zero is unset")
    def test_no_retry_is_a_real_wish_and_zero_of_the_others_is_not(self):
        options = create(**WITH_PINS, generate_pin=True, pin_retry=0, pin_retry_wait=0, generate_pin_length=0).options
        assert (options.pin_retry, options.pin_retry_wait, options.generate_pin_length) == (0, 5, 4)
        assert create(**WITH_PINS, pin_retry="").options.pin_retry == 1

    @pytest.mark.row("2/pin_prompt_play", "2/incorrect_pin_play")
    @pytest.mark.parametrize("name", ["pin_prompt_play", "incorrect_pin_play"])
    def test_plays_are_urls(self, name):
        assert getattr(create(**WITH_PINS | {name: PLAY + "?x"}).options, name) == PLAY + "?x"
        assert refusal(**WITH_PINS | {name: "enter.mp3"}) == f"Invalid parameter. {name} should be a valid URL"

    @pytest.mark.row("2/force_pin_authentication")
    def test_may_be_forced_upon_registered_callers(self):
        assert create(**WITH_PINS, force_pin_authentication=True).options.force_pin_authentication

    @pytest.mark.row("2/unknown_caller_play")
    def test_leaves_nothing_to_play_to_unknown_callers(self):
        assert create(**WITH_PINS, unknown_caller_play=PLAY).options.unknown_caller_play == ""

    @pytest.mark.row("2/is_pin_authentication_required", "2.3/PIN authentication")
    @pytest.mark.parametrize(
        "key", ["is_pin_authentication_required", "is_pin_authentication", "pin_authentication_required"]
    )
    def test_is_switched_on_under_each_of_its_names(self, key):
        details = {name: value for name, value in WITH_PINS.items() if name != "is_pin_authentication_required"}
        assert create(**details, **{key: "true"}).options.is_pin_authentication_required


class TestWithoutPinAuthentication:
    @pytest.mark.row("2/generate_pin", "2/is_pin_authentication_required")
    def test_details_are_ignored(self):
        details = {name: value for name, value in WITH_PINS.items() if name != "is_pin_authentication_required"}
        more = {"generate_pin": True, "generate_pin_length": 9, "pin_retry": 0, "pin_retry_wait": 9}
        assert create(**details, **more, incorrect_pin_play=PLAY) == create()

    @pytest.mark.row("2/force_pin_authentication")
    def test_nobody_is_led_to_believe_that_callers_are_checked(self):
        sentence = "Invalid parameter. force_pin_authentication needs is_pin_authentication_required"
        assert refusal(force_pin_authentication=True) == sentence
        assert create(force_pin_authentication=False) == create()


@pytest.mark.row("2/create_session_with_single_party", "2.3/create_session_with_single_Party")
@pytest.mark.parametrize("key", ["create_session_with_single_party", "create_session_with_single_Party"])
def test_a_single_party_is_asked_for_under_both_spellings(key):
    wish = create(**{key: True}, second_party="")
    assert wish.options.create_session_with_single_party
    assert wish.second_party is None


@pytest.mark.row("2.3/subaccount and geomatch")
@pytest.mark.parametrize("key", ["geomatch", "geo_match"])
def test_geomatch_is_kept_apart_because_left_out_is_not_false(key):
    assert create(**{key: False}).geomatch is False
    assert create(**{key: "true"}).geomatch is True
    assert create(**{key: None}).geomatch is None


@pytest.mark.row("2.3/subaccount and geomatch")
@pytest.mark.parametrize("key", ["subaccount", "sub_account"])
def test_a_subaccount_is_read_under_both_names(key):
    assert create(**{key: "SA0123456789ABCDEFGH"}).subaccount_id == "SA0123456789ABCDEFGH"
    assert create(**{key: ""}).subaccount_id is None


@pytest.mark.parametrize("value", [5, "SA-1", "ü", "A" * 65, []])
def test_a_subaccount_that_cannot_be_one_is_refused(value):
    assert refusal(subaccount=value) == "Invalid parameter. subaccount is not a subaccount of this account"


def test_the_real_name_wins_over_a_stray_alias():
    # JAVA sends pin_authentication_required beside the documented name.
    assert create(is_pin_authentication_required=False, pin_authentication_required=True) == create()
    assert create(sub_account="SAxxx", subaccount="SA1").subaccount_id == "SA1"


@pytest.mark.row("2.2/zeros of typed clients")
def test_what_the_java_client_always_sends_changes_nothing():
    java = {
        "session_expiry": 0, "call_time_limit": 0, "ring_timeout": 0, "virtual_number_cooloff_period": 0,
        "record": False, "initiate_call_to_first_party": False, "is_pin_authentication_required": False,
        "pin_authentication_required": False, "generate_pin": False, "force_pin_authentication": False,
        "create_session_with_single_party": False, "generate_pin_length": 0, "pin_retry": 0, "pin_retry_wait": 0,
    }  # fmt: skip
    assert create(**java) == create()


@pytest.mark.row("2.2/zero is unset")
def test_an_update_keeps_fixed_attributes_for_the_workflow_to_judge():
    read = read_update({"session_uuid": "x", "first_party": "+6590000001", "session_expiry": "120", "ring_timeout": 0})
    assert read == {"first_party": Number("6590000001"), "session_expiry": 120}


@pytest.mark.row("2.2/zeros of typed clients")
def test_what_the_java_client_always_sends_in_an_update_is_no_wish():
    java = {"session_expiry": 0, "call_time_limit": 0, "ring_timeout": 0, "create_session_with_single_party": False}
    assert read_update(java | {"record": True}) == {"record": True}
    assert read_update({"create_session_with_single_party": "true"}) == {"create_session_with_single_party": True}


def test_the_table_and_the_workflow_agree_on_what_may_change():
    assert {attribute.name for attribute in ATTRIBUTES if attribute.updatable} == UPDATABLE


def test_equal_wishes_share_their_options():
    assert create(session_expiry=600, record=True).options is create(session_expiry="600", record="true").options
    assert create(session_expiry=600).options is not create(session_expiry=601).options
