"""Each attribute of a create, over HTTP: what is shown when it is left out, what is taken, what is refused."""

from __future__ import annotations

from functools import partial
from urllib.parse import parse_qsl

import pytest

from maskline.masking.session import SessionOptions
from tests.support.session_api import NO_BOOLEAN, NO_INTEGER, NO_URL, OUTSIDE, TOO_LONG, Case, SessionApi, check

URL = "https://h.example/a.mp3"
LONG_URL = "https://h.example/".ljust(1000, "a")

ATTRIBUTES = [
    pytest.param(
        "session_expiry",
        Case(3600, ((60, 60), (86_400, 86_400)), ((59, OUTSIDE), (86_401, OUTSIDE), ("soon", NO_INTEGER))),
        marks=pytest.mark.row("2/session_expiry"),
    ),
    pytest.param(
        "call_time_limit",
        Case(3600, ((60, 60), (86_400, 86_400)), ((59, OUTSIDE), (86_401, OUTSIDE), (60.5, NO_INTEGER))),
        marks=pytest.mark.row("2/call_time_limit"),
    ),
    pytest.param(
        "ring_timeout",
        Case(120, ((1, 1), (45, 45)), ((-1, OUTSIDE), ("x", NO_INTEGER))),
        marks=pytest.mark.row("2/ring_timeout"),
    ),
    pytest.param(
        "callback_url",
        Case(
            "", ((URL, URL), ("http://h.example/#rc=1", "http://h.example/#rc=1")), (("h.example", NO_URL), (1, NO_URL))
        ),
        marks=pytest.mark.row("2/callback_url"),
    ),
    pytest.param(
        "callback_method",
        Case("POST", (("GET", "GET"), ("post", "POST")), (("PUT", "allowed values are GET or POST"),)),
        marks=pytest.mark.row("2/callback_method"),
    ),
    pytest.param(
        "record",
        Case(False, ((True, True), ("true", True), ("false", False)), (("maybe", NO_BOOLEAN), (1, NO_BOOLEAN))),
        marks=pytest.mark.row("2/record"),
    ),
    pytest.param(
        "record_file_format",
        Case("mp3", (("wav", "wav"), ("mp3", "mp3")), (("ogg", "allowed values are mp3 or wav"),)),
        marks=pytest.mark.row("2/record_file_format"),
    ),
    pytest.param(
        "recording_callback_url",
        Case("", ((LONG_URL[:-1], LONG_URL[:-1]),), ((LONG_URL, TOO_LONG), ("x", NO_URL))),
        marks=pytest.mark.row("2/recording_callback_url"),
    ),
    pytest.param(
        "recording_callback_method",
        Case("POST", (("GET", "GET"), ("POST", "POST")), (("HEAD", "allowed values are GET or POST"),)),
        marks=pytest.mark.row("2/recording_callback_method"),
    ),
    pytest.param(
        "first_party_play_url",
        Case("", ((URL, URL),), (("ftp://h.example/a.mp3", NO_URL),)),
        marks=pytest.mark.row("2/first_party_play_url"),
    ),
    pytest.param(
        "second_party_play_url",
        Case("", ((URL, URL),), (("a.mp3", NO_URL),)),
        marks=pytest.mark.row("2/second_party_play_url"),
    ),
    pytest.param(
        "unknown_caller_play",
        Case("", ((URL, URL),), (("a b", NO_URL), (5, NO_URL))),
        marks=pytest.mark.row("2/unknown_caller_play"),
    ),
    pytest.param(
        "virtual_number_cooloff_period",
        Case(0, ((1, 1), (3600, 3600)), ((3601, OUTSIDE), (-1, OUTSIDE))),
        marks=pytest.mark.row("2/virtual_number_cooloff_period"),
    ),
    pytest.param(
        "initiate_call_to_first_party",
        Case(False, ((True, True), ("true", True), (False, False), ("false", False)), (("x", NO_BOOLEAN),)),
        marks=pytest.mark.row("2/initiate_call_to_first_party"),
    ),
]


@pytest.mark.parametrize(("name", "expected"), ATTRIBUTES)
async def test_an_attribute_has_its_default_its_values_and_its_refusals(name, expected):
    await check(await SessionApi().start(), name, expected)


@pytest.mark.row("2.1/session_expiry", "2.1/call_time_limit", "2.1/ring_timeout", "2.1/one configurable set")
@pytest.mark.parametrize(
    ("preset", "shown"),
    [
        ({}, [3600, 3600, 120]),
        ({"session_defaults": SessionOptions(1800, 14_400, 45)}, [1800, 14_400, 45]),
        ({"session_defaults": SessionOptions(700, 800, 90)}, [700, 800, 90]),
    ],
    ids=["documented", "plivo-actual", "custom"],
)
async def test_the_times_left_out_come_from_the_preset(preset, shown):
    api = await SessionApi(**preset).start()
    status, session = await api.create(session_expiry=0)
    assert status == 201
    assert [session[name] for name in ("session_expiry", "call_time_limit", "ring_timeout")] == shown
    assert session["duration"] == shown[0]


@pytest.mark.row("1.2/other parameters")
async def test_parameters_without_published_texts_are_refused_by_the_same_pattern():
    api = await SessionApi().start()
    for name, value, ending in (
        ("geomatch", "perhaps", "allowed values are true or false"),
        ("subaccount", "SA0", "is not a subaccount of this account"),
        ("is_pin_authentication_required", "perhaps", "allowed values are true or false"),
    ):
        assert await api.create(**{name: value}) == (400, f"Invalid parameter. {name} {ending}")


@pytest.mark.row("3/what may change")
async def test_what_may_change_changes_in_a_live_session_and_nothing_else_with_it():
    api = await SessionApi().start()
    _, before = await api.create()
    changes = {
        "session_expiry": 700, "call_time_limit": 800, "ring_timeout": 90, "callback_url": URL,
        "callback_method": "GET", "record": True, "record_file_format": "wav", "recording_callback_url": URL,
        "recording_callback_method": "GET", "first_party_play_url": URL, "second_party_play_url": URL,
    }  # fmt: skip
    api.clock.advance(5)
    for name, value in changes.items():
        status, body = await api.ask("POST", before["session_uuid"], json={name: value})
        assert (status, body["session"][name]) == (200, value)
    after = body["session"]
    moved = {"modified_time", "expiry_time", "duration"}
    assert {name for name in after if after[name] != before[name]} == {*changes, *moved}


@pytest.mark.row("3/SessionParamUpdate", "7.1/SessionParamUpdate", "7.2/SequenceNumber")
async def test_an_update_is_told_to_the_callback_url_and_one_that_changes_nothing_is_not():
    woken = []
    api = await SessionApi(committed=partial(woken.append, True)).start()
    _, session = await api.create(callback_url="https://h.example/cb", callback_method="GET")
    await api.ask("POST", session["session_uuid"], json={"session_uuid": session["session_uuid"]})
    assert (await api.store.outbox(None), woken) == ([], [])
    await api.ask("POST", session["session_uuid"], json={"ring_timeout": 30})
    assert woken == [True]
    (row,) = await api.store.outbox(None)
    assert (row.event, row.method, row.url) == ("SessionParamUpdate", "GET", "https://h.example/cb")
    told = dict(parse_qsl(row.body.decode(), keep_blank_values=True))
    assert (told["EventName"], told["SessionUUID"]) == ("SessionParamUpdate", session["session_uuid"])
    assert (told["VirtualNumber"], told["SequenceNumber"]) == (session["virtual_number"], "")


@pytest.mark.row("6.2/one number for life")
async def test_a_session_keeps_its_number_through_updates_and_its_end():
    api = await SessionApi().start()
    _, session = await api.create()
    path = session["session_uuid"]
    await api.create()
    for method, more in (("POST", {"json": {"session_expiry": 900}}), ("DELETE", {}), ("GET", {})):
        assert (await api.ask(method, path, **more))[0] == 200
        _, body = await api.ask("GET", path)
        assert body["response"]["virtual_number"] == session["virtual_number"]


@pytest.mark.row("4/plain offset", "4/limit")
async def test_the_offset_counts_sessions_and_not_pages():
    api = await SessionApi().start()
    made = []
    for number in range(60):
        status, session = await api.create(first_party=f"+65900001{number:02}", second_party=f"+65900002{number:02}")
        assert status == 201
        made.insert(0, session["session_uuid"])
        api.clock.advance(1)
    _, body = await api.ask("GET", "?limit=10&offset=50")
    assert [found["session_uuid"] for found in body["response"]["objects"]] == made[50:60]
    assert body["response"]["meta"]["total_count"] == 60
