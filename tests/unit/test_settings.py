"""Settings: each is documented, and a wrong one is one clear sentence."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskline import settings as settings_module
from maskline.errors import ConfigurationError
from maskline.setting_values import SPOKEN, MediaChoice, PlivoEvents
from maskline.settings import PREFIX, Settings, describe, load_settings, unknown_variables
from maskline.webhooks.formats.plivo_events import Generation


def load(**values: str) -> Settings:
    return load_settings({PREFIX + name: value for name, value in values.items()})


def sentence(**values: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(**values)
    return caught.value.sentence


def test_an_empty_environment_gives_the_fixed_defaults():
    settings = load()
    assert settings.database_url == "sqlite:///maskline.db"
    assert (settings.http_host, settings.http_port) == ("127.0.0.1", 8080)
    assert (settings.sip_host, settings.sip_port) == ("127.0.0.1", 5060)
    assert settings.media is MediaChoice.EMBEDDED
    assert settings.rtpengine_addresses == (("127.0.0.1", 2223),)
    assert settings.media_port_range == (20000, 29999)
    assert str(settings.data_dir) == "maskline-data"
    assert str(settings.key_file) == "maskline.key"
    assert settings.egress_networks == ()


def test_load_settings_reads_the_process_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MASKLINE_HTTP_PORT", "9090")
    assert load_settings().http_port == 9090


def test_an_empty_variable_counts_as_unset():
    assert load(HTTP_PORT=" ").http_port == 8080


def test_words_are_read_in_any_case():
    assert load(MEDIA="RTPengine ").media is MediaChoice.RTPENGINE


def test_localhost_becomes_an_address():
    assert load(SIP_HOST="localhost").sip_host == "127.0.0.1"


def test_lists_are_read_from_comma_separated_text():
    settings = load(RTPENGINE="10.0.0.1:2223, [::1]:2224", EGRESS_ALLOW="10.0.0.0/8,fd00::/8")
    assert settings.rtpengine_addresses == (("10.0.0.1", 2223), ("::1", 2224))
    assert [str(n) for n in settings.egress_networks] == ["10.0.0.0/8", "fd00::/8"]


@pytest.mark.row("2.1/session_expiry", "2.1/call_time_limit", "2.1/ring_timeout", "2.1/one configurable set")
def test_the_default_times_follow_the_chosen_set():
    assert load().default_times == (3600, 3600, 120)
    assert load(SESSION_DEFAULTS="plivo-actual").default_times == (1800, 14400, 45)
    custom = load(SESSION_DEFAULTS="custom", SESSION_EXPIRY="600", RING_TIMEOUT="30")
    assert custom.default_times == (600, 3600, 30)
    assert load(SESSION_DEFAULTS="custom").default_times == (3600, 3600, 120)


@pytest.mark.parametrize("value", ["https://h.example/a.mp3?b=1", "say:Goodbye: see you", "say@en-us-f:Goodbye"])
def test_a_prompt_is_a_url_or_a_text_to_be_spoken(value: str):
    assert load(SESSION_ENDED_PROMPT=value, CONSENT_PROMPT=value).session_ended_prompt == value


@pytest.mark.parametrize(
    "value",
    ["say:", "say@en-us-f:", "say@:x", "say@en-us-f: ", "say@a b:x", "goodbye", "ftp://h/x", "http://", "http://[::/"],
)
def test_what_is_neither_is_named(value: str):
    assert "it must look like https://host/path, say:TEXT or say@VOICE:TEXT" in sentence(CONSENT_PROMPT=value)


@pytest.mark.parametrize(
    ("value", "voice", "text"),
    [
        ("say:Hello, world", None, "Hello, world"),
        ("say:Note: the line is busy", None, "Note: the line is busy"),
        ("say@en-us-f:Note: hello", "en-us-f", "Note: hello"),
        ("say@en_US-joe-medium:Hello", "en_US-joe-medium", "Hello"),
    ],
)
def test_a_voice_is_told_from_the_text(value: str, voice: str | None, text: str):
    spoken = SPOKEN.fullmatch(value)
    assert spoken is not None
    assert (spoken["voice"], spoken["text"]) == (voice, text)


def test_settings_of_prompts_that_need_each_other_say_so():
    assert "needs MASKLINE_WITHHELD_PROMPT" in sentence(WITHHELD_CALLER="prompt")
    assert "no effect without MASKLINE_WITHHELD_CALLER=prompt" in sentence(WITHHELD_PROMPT="say:No number, no call")
    assert load(WITHHELD_CALLER="prompt", WITHHELD_PROMPT="say:Hello").withheld_prompt == "say:Hello"
    assert "needs MASKLINE_PIPER_VOICES" in sentence(SPEECH="piper")
    assert "no effect without MASKLINE_SPEECH=piper" in sentence(PIPER_VOICES="/v/en_US-joe-medium.onnx")
    voices = load(SPEECH="Piper", PIPER_VOICES="/v/en_US-joe-medium.onnx, /v/de_DE-eva.onnx").piper_voice_files
    assert [voice.name for voice in voices] == ["en_US-joe-medium.onnx", "de_DE-eva.onnx"]
    assert sentence(SPEECH="none", CONSENT_PROMPT="say:Recorded") == (
        "MASKLINE_CONSENT_PROMPT is to be spoken, but MASKLINE_SPEECH is none."
    )
    assert load(SPEECH="none", CONSENT_PROMPT="https://cdn.example/a.wav").consent_prompt


@pytest.mark.parametrize(
    "value", ["local", "s3://bucket", "s3://bucket/a/b", "sftp://u@host/in", "sftp://u@host:2222/"]
)
def test_recordings_go_to_a_place_that_is_known(value: str):
    known = {"RECORDING_SFTP_KNOWN_HOSTS": "/hosts", "RECORDING_SFTP_KEY_FILE": "/key"}
    assert load(RECORDING_DESTINATION=value, **known).recording_destination == value


@pytest.mark.parametrize(
    "value",
    ["s3:", "s3://", "s3://key@bucket", "s3://bucket:80", "s3://bucket?x=1", "ftp://u@h/", "sftp://host/in",
     "sftp://u:p@host/", "sftp://u@host:x/", "nowhere"],
)  # fmt: skip
def test_another_place_is_refused(value: str):
    with pytest.raises(ConfigurationError, match="MASKLINE_RECORDING_DESTINATION"):
        load(RECORDING_DESTINATION=value)


def test_storage_elsewhere_needs_what_proves_who_is_who():
    sftp = {"RECORDING_DESTINATION": "sftp://u@host/in"}
    with pytest.raises(ConfigurationError, match="KNOWN_HOSTS"):
        load(**sftp)
    with pytest.raises(ConfigurationError, match="KEY_FILE"):
        load(**sftp, RECORDING_SFTP_KNOWN_HOSTS="/hosts")
    with pytest.raises(ConfigurationError, match="belong together"):
        load(RECORDING_S3_KEY_ID="id")


def test_times_of_ones_own_need_the_custom_set():
    assert sentence(SESSION_EXPIRY="600", RING_TIMEOUT="30", SESSION_DEFAULTS="plivo-actual") == (
        "MASKLINE_RING_TIMEOUT and MASKLINE_SESSION_EXPIRY would have no effect, because MASKLINE_SESSION_DEFAULTS is "
        "plivo-actual; set that to custom."
    )
    assert "MASKLINE_CALL_TIME_LIMIT" in sentence(CALL_TIME_LIMIT="600")
    assert "at least 60" in sentence(SESSION_DEFAULTS="custom", SESSION_EXPIRY="59")
    assert "at most 3600" in sentence(SESSION_DEFAULTS="custom", RING_TIMEOUT="3601")


@pytest.mark.row("1.1/rate limit")
def test_the_request_limit_is_the_vendors_unless_it_is_switched_off():
    assert load().http_rate_limit == 300
    assert load(HTTP_RATE_LIMIT="0").http_rate_limit == 0


def test_the_words_for_the_edition_of_the_event_list_are_those_of_the_format():
    assert [*PlivoEvents] == [*Generation]
    assert load().plivo_events is PlivoEvents.SECOND
    assert load(PLIVO_EVENTS="Current").plivo_events is PlivoEvents.CURRENT
    assert "2023, 2024, 2025, current or all" in sentence(PLIVO_EVENTS="2022")


@pytest.mark.row("7.2/prefix of hangup attributes")
def test_the_prefix_of_hangup_attributes_is_letters_and_digits():
    assert load(CALLBACK_PREFIX="VTS").callback_prefix == "VTS"
    for wrong in ("V-TS", "1st", "a&b", "x" * 33):
        assert "letters and digits" in sentence(CALLBACK_PREFIX=wrong)


@pytest.mark.parametrize("value", ["short", "k" * 23, "k" * 513, "with a space in between it", "ключ" * 8])
def test_the_operator_s_key_is_long_and_fits_a_header(value: str):
    assert Settings(operator_key="k" * 24).operator_key == "k" * 24
    with pytest.raises(ValueError, match="24 to 512"):
        Settings(operator_key=value)


def test_vts_hosts_are_names_without_scheme_and_port():
    assert load().vts_host_names == ()
    assert load(VTS_HOSTS="API.vtscom.net, masking_1.example.org").vts_host_names == (
        "api.vtscom.net", "masking_1.example.org",
    )  # fmt: skip
    for wrong in ("https://api.vtscom.net", "api.vtscom.net:443", "a..b", "a b"):
        assert "it must look like api.example.com" in sentence(VTS_HOSTS=wrong)


def test_the_window_of_repeated_creates_may_be_switched_off():
    assert load().create_window == 15.0
    assert load(CREATE_WINDOW="0").create_window == 0.0


def test_an_address_of_each_family_may_be_named():
    both = load(
        SIP_HOST="0.0.0.0, ::", SIP_ADVERTISED_HOST="2001:DB8::9,203.0.113.9", MEDIA_HOST="203.0.113.9,2001:db8::9"
    )
    assert both.sip_hosts == ("0.0.0.0", "::")
    assert both.advertised_sip_hosts == ("203.0.113.9", "2001:db8::9")
    assert both.media_hosts == ("203.0.113.9", "2001:db8::9")
    assert load(SIP_HOST="192.0.2.1,::1", SIP_ADVERTISED_HOST="2001:db8::9").advertised_sip_hosts == (
        "192.0.2.1", "2001:db8::9",
    )  # fmt: skip


def test_an_advertised_host_replaces_the_bound_one_in_sip():
    assert load(SIP_HOST="0.0.0.0", SIP_ADVERTISED_HOST="203.0.113.9").advertised_sip_hosts == ("203.0.113.9",)
    assert load(SIP_HOST="192.0.2.1").advertised_sip_hosts == ("192.0.2.1",)


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("HTTP_PORT", "abc", "'abc'): it must be a whole number."),
        ("HTTP_PORT", "0", "at least 1."),
        ("SIP_PORT", "70000", "at most 65535."),
        ("MEDIA_TIMEOUT", "soon", "it must be a number."),
        ("MEDIA_TIMEOUT", "nan", "."),
        ("MEDIA", "freeswitch", "one of embedded, rtpengine or none."),
        ("SIP_HOST", "sip.example.com", "it must be an IP address."),
        ("MEDIA_PORTS", "20000", "it must look like 20000-29999."),
        ("MEDIA_PORTS", "30000-20000", "the smaller first."),
        ("MEDIA_PORTS", "30000-30002", "at least four."),
        ("RTPENGINE", "127.0.0.1", "it must look like"),
        ("RTPENGINE", ",", "at least one address."),
        ("EGRESS_ALLOW", "10.0.0.1/8", "it must look like"),
        ("PUBLIC_URL", "maskline.example.com", "it must look like https://host"),
        ("DATABASE_URL", "sqlite:maskline.db", "it must look like sqlite:///PATH or postgresql://"),
        ("DATABASE_URL", "postgresql://u@h", "it must look like sqlite:///PATH or postgresql://"),
        ("DATABASE_URL", "postgresql://u@h:port/d", "it must look like sqlite:///PATH or postgresql://"),
    ],
)
def test_a_wrong_value_is_one_sentence_naming_the_variable(name: str, value: str, part: str):
    text = sentence(**{name: value})
    assert text.startswith(PREFIX + name)
    assert part in text
    assert "\n" not in text


def test_a_wrong_secret_is_not_repeated():
    assert "hunter2" not in sentence(DATABASE_URL="mysql://root:hunter2@db/maskline")


def test_binding_sip_to_every_address_needs_an_advertised_one():
    assert sentence(SIP_HOST="0.0.0.0").startswith("MASKLINE_SIP_ADVERTISED_HOST must name")
    assert sentence(SIP_HOST="192.0.2.1,::", SIP_ADVERTISED_HOST="192.0.2.1").startswith("MASKLINE_SIP_ADVERTISED_HOST")
    assert "one of IPv4 and one of IPv6" in sentence(SIP_HOST="192.0.2.1,192.0.2.2")
    assert "a family that MASKLINE_SIP_HOST has not" in sentence(SIP_HOST="192.0.2.1", SIP_ADVERTISED_HOST="::1")
    assert sentence(MEDIA_HOST=",").startswith("MASKLINE_SIP_HOST and MASKLINE_MEDIA_HOST must name")


def test_media_cannot_be_sent_to_the_unspecified_address():
    assert sentence(MEDIA_HOST="0.0.0.0").startswith("MASKLINE_MEDIA_HOST must be an address")


def test_the_summary_shows_values_but_no_secret():
    summary = load(DATABASE_URL="sqlite:///secret-place.db", HTTP_PORT="81").summary()
    assert summary["MASKLINE_HTTP_PORT"] == "81"
    assert summary["MASKLINE_DATABASE_URL"] == "configured: yes"
    assert load().summary()["MASKLINE_DATABASE_URL"] == "configured: no"


def test_every_setting_has_a_name_a_type_and_a_sentence():
    for doc in describe():
        assert doc.env == PREFIX + doc.field.upper()
        assert doc.type
        assert doc.sentence.endswith("."), doc.env
        assert "\\" not in doc.sentence


def test_unknown_variables_are_named_with_the_nearest_setting():
    found = unknown_variables({"MASKLINE_HTTP_PROT": "1", "MASKLINE_QUUX": "1", "MASKLINE_MEDIA": "none", "PATH": ""})
    assert found == {"MASKLINE_HTTP_PROT": "MASKLINE_HTTP_PORT", "MASKLINE_QUUX": ""}


def test_the_reserved_tls_port_is_known_and_stays_5061_unless_set():
    assert load().sip_tls_port == 5061
    assert unknown_variables({"MASKLINE_SIP_TLS_PORT": "5071"}) == {}


def read_of(tree: ast.AST, *bases: str) -> Iterator[str]:
    """Names of the attributes that `tree` takes from an expression ending in one of `bases`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            base = node.value.func if isinstance(node.value, ast.Call) else node.value
            if ast.unparse(base).rpartition(".")[2] in bases:
                yield node.attr


def test_every_setting_is_read_by_some_part():
    """Directly, or through a property of `Settings` that a part reads: a setting without effect misleads."""
    home = Path(settings_module.__file__)
    others = [path for path in home.parent.rglob("*.py") if path != home]
    read = {
        name
        for path in others
        for name in read_of(ast.parse(path.read_text(encoding="utf-8")), "settings", "load_settings")
    }
    for node in ast.walk(ast.parse(home.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name in read:
            read |= set(read_of(node, "self"))
    assert set(Settings.model_fields) - read == set()


@pytest.mark.parametrize("wrong", ["10.0.0.5", "proxy.example:5070", "10.0.0.5:5070,10.0.0.6:5070", "10.0.0.5:0"])
def test_a_proxy_in_front_is_one_address(wrong: str) -> None:
    assert Settings(sip_front="10.0.0.5:5070").sip_front_address == ("10.0.0.5", 5070)
    assert Settings().sip_front_address is None
    with pytest.raises(ConfigurationError, match="it must be an IP address and a port"):
        load_settings({"MASKLINE_SIP_FRONT": wrong})
