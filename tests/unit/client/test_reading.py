"""Answers of both flavours become the same values, and nothing an answer holds is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from maskline.client import UnreadableAnswer, reading
from maskline.client.reading import parse_body


def read_reply(body):
    return reading.read_reply(body, {})


def read_page(body):
    return reading.read_page(body, {})


VTS = {
    "session_uuid": "abcd-1234-ab12-cd34", "virtual_number": "+12205550020", "status": "active",
    "first_party": "+14155552345", "second_party": "+12165554567", "record": "true",
    "recording_callback_url": "https://www.example.com/recording", "record_file_format": None,
    "session_expiry": "3600", "call_time_limit": "3600", "initiate_call_to_first_party": "false",
    "callback_url": "null", "ring_timeout": "120", "first_party_play_url": "null", "second_party_play_url": "null",
    "created_time": "2023-08-17 21:26:44", "modified_time": "2023-08-17 21:27:10", "expiry_time": "null",
    "last_interaction_time": "null", "total_call_count": "0", "total_call_amount": "0",
    "total_call_billed_duration": "0", "interaction": "{}",
}  # fmt: skip
"""The response printed on VTS' page."""

PLIVO = {
    "session_uuid": "abcd-1234-ab12-cd34", "virtual_number": "12205550020", "status": "active",
    "first_party": "14155552345", "second_party": "12165554567", "record": True,
    "recording_callback_url": "https://www.example.com/recording", "record_file_format": "",
    "session_expiry": 3600, "call_time_limit": 3600, "initiate_call_to_first_party": False,
    "callback_url": "", "ring_timeout": 120, "first_party_play_url": "", "second_party_play_url": "",
    "created_time": "2023-08-17 21:26:44 +0000 UTC", "modified_time": "2023-08-17 21:27:10 +0000 UTC",
    "expiry_time": "", "last_interaction_time": "", "total_call_count": 0, "total_call_amount": 0,
    "total_call_billed_duration": 0, "interaction": None,
}  # fmt: skip
"""The same session in Plivo's shape (its pages and fixtures)."""

INTERACTION = {
    "start_time": "2024-05-08 06:01:24 +0000 UTC", "end_time": "2024-05-08 06:01:44 +0000 UTC",
    "first_party_resource_url": "https://h.example/v1/Account/MA/Call/1", "second_party_resource_url": None,
    "recording_resource_url": None, "type": "call", "total_call_amount": 0.014, "call_billed_duration": 60,
    "total_call_count": 2, "duration": 29, "shape": "new",
}  # fmt: skip


def test_the_answer_on_the_vts_page_and_the_same_in_plivos_shape_are_equal():
    from_vts = read_reply(VTS)
    assert from_vts == read_reply({"session": PLIVO})
    assert from_vts == read_reply({"response": PLIVO})
    assert from_vts.extra == {}


def test_every_value_of_the_vts_page_has_its_type():
    reply = read_reply(VTS)
    assert (reply.session_uuid, reply.virtual_number, reply.status) == ("abcd-1234-ab12-cd34", "+12205550020", "active")
    assert (reply.first_party, reply.second_party) == ("+14155552345", "+12165554567")
    assert reply.record is True
    assert reply.initiate_call_to_first_party is False
    assert (reply.session_expiry, reply.call_time_limit, reply.ring_timeout, reply.duration) == (3600, 3600, 120, None)
    assert (reply.callback_url, reply.record_file_format) == ("", "")
    assert reply.created_time == datetime(2023, 8, 17, 21, 26, 44, tzinfo=UTC)
    assert (reply.expiry_time, reply.last_interaction_time) == (None, None)
    assert (reply.total_call_count, reply.total_call_amount, reply.interaction) == (0, Decimal(0), ())


def test_code_for_vts_and_code_for_plivo_find_the_session_where_they_look():
    created = read_reply(
        {"api_id": "a", "session_uuid": PLIVO["session_uuid"], "virtual_number": "+12205550020",
         "message": "Session created", "session": PLIVO}
    )  # fmt: skip
    assert (created.api_id, created.message, created.extra) == ("a", "Session created", {})
    assert created.session.status == created.response.status == created.status == "active"
    assert created.session.virtual_number == created.virtual_number == "+12205550020"


def test_interactions_are_values_of_their_own():
    reply = read_reply({"response": PLIVO | {"interaction": [INTERACTION]}})
    (one,) = reply.interaction
    assert (one.start_time, one.duration) == (datetime(2024, 5, 8, 6, 1, 24, tzinfo=UTC), 29)
    assert (one.total_call_amount, one.second_party_resource_url) == (Decimal("0.014"), "")
    assert one.extra == {"shape": "new"}
    for shape in (json.dumps([INTERACTION]), INTERACTION):
        assert read_reply(VTS | {"interaction": shape}).interaction == (one,)


@pytest.mark.parametrize("nothing", [None, "null", {}, [], "{}", "[]", "null"])
def test_no_interaction_has_many_faces(nothing):
    assert read_reply(VTS | {"interaction": nothing}).interaction == ()


def test_pins_are_none_without_pin_authentication_and_stay_out_of_print():
    assert read_reply(VTS).first_party_pin is None
    reply = read_reply({"session": PLIVO | {"first_party_pin": "4711", "pin_retry_wait": "5", "generate_pin": True}})
    assert (reply.first_party_pin, reply.pin_retry_wait, reply.generate_pin) == ("4711", 5, True)
    assert "4711" not in repr(reply)


def test_no_result_prints_a_number_of_a_person():
    strange = {"third_party": "14155552345", "create_session_with_single_party": True}
    reply = read_reply({"session": PLIVO | strange})
    next_page = "/v1/Account/MA/Masking/Session/?first_party=14155552345&offset=20"
    page = read_page({"response": {"meta": {"next": next_page, "previous": next_page}, "objects": [PLIVO | strange]}})
    message = reading.read_message({"message": "Session expired", "first_party": "+14155552345"}, {})
    assert (reply.first_party, reply.extra["third_party"]) == ("+14155552345", "14155552345")
    for shown in (repr(reply), str(page), repr(message), f"{page[0]}"):
        assert "4155552345" not in shown
        assert "2165554567" not in shown
    assert "abcd-1234-ab12-cd34" in repr(reply)


def test_what_a_flavour_does_not_tell_is_none():
    reply = read_reply(VTS)
    untold = [
        reply.callback_method, reply.recording_callback_method, reply.unknown_caller_play, reply.subaccount,
        reply.is_pin_authentication_required, reply.force_pin_authentication, reply.create_session_with_single_party,
        reply.amount, reply.total_session_amount, reply.pool_mode, reply.resource_uri,
        reply.first_party_virtual_number, reply.second_party_virtual_number,
    ]  # fmt: skip
    assert untold == [None] * 13


def test_what_vts_tells_of_split_sessions_and_pins_is_read():
    more = {
        "pool_mode": "split", "first_party_virtual_number": "+12205550020", "second_party_virtual_number": "null",
        "is_pin_authentication_required": "true", "force_pin_authentication": "false", "first_party_pin": "4711",
    }  # fmt: skip
    reply = read_reply(VTS | more)
    assert (reply.pool_mode, reply.first_party_virtual_number, reply.second_party_virtual_number) == (
        "split", "+12205550020", None,
    )  # fmt: skip
    assert (reply.is_pin_authentication_required, reply.force_pin_authentication) == (True, False)
    assert (reply.first_party_pin, reply.extra) == ("4711", {})


def test_a_number_that_is_told_to_be_missing_is_an_empty_text():
    reply = read_reply({"session": PLIVO | {"second_party_virtual_number": "", "subaccount": ""}})
    assert (reply.second_party_virtual_number, reply.subaccount) == ("", "")


def test_unknown_fields_and_unreadable_values_are_kept_as_they_came():
    strange = {"colour": "blue", "ring_timeout": "soon", "created_time": "today", "interaction": "[" * 100_000}
    reply = read_reply(VTS | strange)
    assert reply.extra == strange
    assert (reply.ring_timeout, reply.created_time, reply.interaction) == (0, None, ())


def test_empty_texts_stand_for_nothing():
    empty = {"ring_timeout": "", "record": "", "total_call_amount": "", "duration": "", "geomatch": "", "pin_retry": ""}
    reply = read_reply(VTS | empty | {"first_party": ""})
    assert (reply.ring_timeout, reply.record, reply.total_call_amount, reply.first_party) == (0, False, Decimal(0), "")
    assert (reply.duration, reply.geomatch, reply.pin_retry, reply.extra) == (None, None, None, {})


def test_an_answer_without_session_is_unreadable():
    for body in ({}, {"session": {}}, {"session": [], "message": "Session created"}):
        with pytest.raises(UnreadableAnswer, match="no session"):
            read_reply(body)


def test_lists_of_both_flavours_are_equal():
    meta = {"limit": 20, "offset": 0, "total_count": 1, "next": None, "previous": None}
    plivo = read_page({"api_id": "a", "response": {"meta": meta, "objects": [PLIVO]}})
    vts = read_page({"api_id": "a", "sessions": [VTS], "meta": {key: str(value) for key, value in meta.items()} | {
        "next": "null", "previous": "null"}})  # fmt: skip
    assert plivo == vts == read_page({"api_id": "a", "meta": meta, "objects": [VTS]})
    assert plivo.response is plivo


def test_a_page_is_iterated_counted_and_indexed():
    other = PLIVO | {"session_uuid": "second", "resource_uri": "/v1/x/"}
    page = read_page({"response": {"meta": {"total_count": 40}, "objects": [PLIVO, other]}})
    assert [session.session_uuid for session in page] == ["abcd-1234-ab12-cd34", "second"]
    assert (len(page), page[1].resource_uri, page.meta.total_count) == (2, "/v1/x/", 40)


def test_the_next_page_is_asked_for_by_the_query_the_server_wrote():
    def page(following):
        return read_page({"response": {"meta": {"next": following}, "objects": []}})

    assert page(None).next_query is None
    assert page("/v1/Account/MA/Masking/Session/?limit=2&offset=2&first_party=%2B65&status=").next_query == {
        "limit": "2", "offset": "2", "first_party": "+65", "status": "",
    }  # fmt: skip


def test_what_is_no_session_in_a_list_is_kept_aside():
    page = read_page({"objects": [PLIVO, "what", {"status": "active"}], "hint": 1})
    assert [session.session_uuid for session in page] == ["abcd-1234-ab12-cd34"]
    assert page.extra == {"objects": ["what", {"status": "active"}], "hint": 1}


def test_an_answer_without_list_is_unreadable():
    with pytest.raises(UnreadableAnswer, match="no list"):
        read_page({"response": {"meta": {}}})


def test_a_message_keeps_what_else_was_said():
    message = reading.read_message({"api_id": "a", "message": "Session expired", "session_uuid": "x"}, {})
    assert (message.message, message.api_id, message.extra) == ("Session expired", "a", {"session_uuid": "x"})


def test_no_body_is_an_empty_object_and_anything_but_an_object_is_unreadable():
    assert parse_body(b" \n") == {}
    for content in (b"<html>", b"[]", b"[" * 100_000, b"\xff"):
        with pytest.raises(UnreadableAnswer):
            parse_body(content)


def test_results_can_be_members_of_sets():
    assert len({read_reply(VTS), read_reply({"session": PLIVO})}) == 1


def test_an_answer_to_a_repeat_says_so():
    assert read_reply(VTS).replayed is False
    repeated = reading.read_reply(VTS, {"idempotent-replayed": "true"})
    assert repeated.replayed is True
    assert repeated.session_uuid == read_reply(VTS).session_uuid
