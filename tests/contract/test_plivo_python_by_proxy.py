"""The vendor's Python client, truly unmodified: only its own proxy option and a trusted authority lead it to us.

Every masking method and every error class against `maskline serve` as a process (plivo-vts.md §9.4, way c). What
goes over the wire is noted on the way, so that the server is tested with what the client really sends. Way a,
without TLS and on every store, is `test_plivo_sdk.py`.
"""

from __future__ import annotations

import base64
import json
import ssl
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count

import plivo
import pytest
from plivo.exceptions import (
    AuthenticationError,
    InvalidRequestError,
    PlivoRestError,
    ResourceNotFoundError,
    ValidationError,
)

from tests.support.vendor_address import NUMBERS, SUBACCOUNT_NUMBER, VendorAddress, vendor_address

_pairs = count(1)


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VendorAddress]:
    with vendor_address(tmp_path_factory.mktemp("vendor")) as address:
        yield address


def client_for(vendor: VendorAddress, auth_id: str, auth_token: str) -> plivo.RestClient:
    client = plivo.RestClient(auth_id, auth_token, proxies={"https": vendor.proxy_url})
    client.session.verify = str(vendor.authority)
    return client


@pytest.fixture
def client(vendor: VendorAddress) -> Iterator[plivo.RestClient]:
    vendor.sent()
    with client_for(vendor, vendor.account.id, vendor.account.auth_token) as made:
        yield made


@pytest.fixture
def parties() -> dict[str, str]:
    """Two numbers no other test here has used."""
    pair = next(_pairs)
    return {"first_party": f"+65900{pair:05}", "second_party": f"+65910{pair:05}"}


def shifted(time: str, seconds: int) -> str:
    """The filter value `seconds` after a session's `time`."""
    moved = datetime.strptime(time, "%Y-%m-%d %H:%M:%S +0000 UTC") + timedelta(seconds=seconds)
    return f"{moved:%Y-%m-%d %H:%M:%S}"


def test_nothing_of_the_client_is_changed(client: plivo.RestClient) -> None:
    assert plivo.version.__version__ == "4.63.0"
    assert plivo.rest.client.API_VOICE_BASE_URI == "https://api.plivo.com/v1/Account"
    assert plivo.rest.client.PLIVO_API_BASE_URI == "https://api.plivo.com/v1/Account"


@pytest.mark.row("1.1/client timeouts", "1.1/request body")
def test_a_session_lives_from_create_to_delete(
    client: plivo.RestClient, vendor: VendorAddress, parties: dict[str, str]
) -> None:
    masking = client.masking_sessions
    created = masking.create_masking_session(
        **parties, session_expiry=600, call_time_limit=900, ring_timeout=30, record=True, record_file_format="wav",
        callback_url="https://h.example/events", callback_method="GET", recording_callback_method="POST",
        recording_callback_url="https://h.example/rec", first_party_play_url="https://h.example/a.mp3",
        second_party_play_url="https://h.example/b.mp3", unknown_caller_play="https://h.example/u.mp3", geomatch=True,
        virtual_number_cooloff_period=60,
    )  # fmt: skip
    assert (created.message, created.session.status) == ("Session created", "active")
    assert created.virtual_number == "+" + created.session.virtual_number
    assert (created.session.ring_timeout, created.session.duration) == (30, 600)

    uuid = created.session_uuid
    assert masking.get_masking_session(uuid).response.first_party == parties["first_party"][1:]
    updated = masking.update_masking_session(uuid, session_expiry=1200, call_time_limit=60, record=False)
    assert (updated.message, updated.session.call_time_limit, updated.session.record) == ("Session updated", 60, False)
    assert 1200 <= updated.session.duration <= 1205
    assert masking.delete_masking_session(uuid).message == "Session expired"
    assert masking.get_masking_session(uuid).response.status == "expired"

    create, get, update, delete, _ = vendor.sent()
    assert {sent.headers["Host"] for sent in (create, get, update, delete)} == {"api.plivo.com"}
    assert [(sent.method, sent.path, sent.status) for sent in (create, get, update, delete)] == [
        ("POST", vendor.collection, 201),
        ("GET", f"{vendor.collection}{uuid}/", 200),
        ("POST", f"{vendor.collection}{uuid}/", 200),
        ("DELETE", f"{vendor.collection}{uuid}/", 200),
    ]
    assert update.json["session_uuid"] == delete.json["session_uuid"] == uuid


def test_every_filter_of_a_list_finds_and_leaves_out(
    client: plivo.RestClient, vendor: VendorAddress, parties: dict[str, str]
) -> None:
    masking = client.masking_sessions
    session = masking.create_masking_session(**parties, session_expiry=4321).session
    created, expires = session.created_time, session.expiry_time
    finds = {
        **parties, "virtual_number": session.virtual_number, "status": "active",
        "duration": 4321, "duration__gte": 4321, "duration__lte": 4321, "duration__gt": 4320, "duration__lt": 4322,
        "created_time": created, "created_time__gte": created, "created_time__lte": created,
        "created_time__gt": shifted(created, -1), "created_time__lt": shifted(created, 1),
        "expiry_time": expires, "expiry_time__gte": expires, "expiry_time__lte": expires,
        "expiry_time__gt": shifted(expires, -1), "expiry_time__lt": shifted(expires, 1),
    }  # fmt: skip
    listed = masking.list_masking_session(**finds, limit=5, offset=0).response
    assert [found.session_uuid for found in listed.objects] == [session.session_uuid]
    assert (listed.meta.limit, listed.meta.offset, listed.meta.total_count) == (5, 0, 1)
    assert listed.objects[0].resource_uri == f"{vendor.collection}{session.session_uuid}/"

    leaves_out = [
        {"second_party": "+6599999999"}, {"virtual_number": "+6531589999"}, {"status": "expired"},
        {"subaccount": vendor.subaccount.id},
        {"duration": 4320}, {"duration__gt": 4321}, {"duration__lt": 4321}, {"duration__gte": 4322},
        {"duration__lte": 4320}, {"created_time": expires}, {"created_time__gt": created},
        {"created_time__lt": created}, {"created_time__gte": shifted(created, 1)},
        {"created_time__lte": shifted(created, -1)}, {"expiry_time": created}, {"expiry_time__gt": expires},
        {"expiry_time__lt": expires}, {"expiry_time__gte": shifted(expires, 1)},
        {"expiry_time__lte": shifted(expires, -1)},
    ]  # fmt: skip
    base = {"first_party": parties["first_party"]}
    for other in leaves_out:
        assert masking.list_masking_session(**{**base, **other}).response.objects == [], other


def test_pages_are_walked_to_the_end(client: plivo.RestClient) -> None:
    masking = client.masking_sessions
    pairs = [(f"+65900{pair:05}", f"+65910{pair:05}") for pair in (next(_pairs) for _ in range(5))]
    made = [masking.create_masking_session(*pair, 777).session_uuid for pair in pairs]
    read: list[str] = []
    page = {"limit": 2, "offset": 0}
    while page:
        answer = masking.list_masking_session(duration=777, **page).response
        read += [session.session_uuid for session in answer.objects]
        page = {**page, "offset": page["offset"] + 2} if answer.meta.next else {}
    assert read == made[::-1]


def test_a_subaccount_by_parameter_and_by_its_own_credentials(
    client: plivo.RestClient, vendor: VendorAddress, parties: dict[str, str]
) -> None:
    by_parameter = client.masking_sessions.create_masking_session(**parties, subaccount=vendor.subaccount.id)
    assert (by_parameter.virtual_number, by_parameter.session.subaccount) == (SUBACCOUNT_NUMBER, vendor.subaccount.id)
    with client_for(vendor, vendor.subaccount.id, vendor.subaccount.auth_token) as own:
        pair = next(_pairs)
        created = own.masking_sessions.create_masking_session(f"+65900{pair:05}", f"+65910{pair:05}")
        assert created.virtual_number == SUBACCOUNT_NUMBER
        seen = own.masking_sessions.list_masking_session().response.objects
    listed = client.masking_sessions.list_masking_session(subaccount=vendor.subaccount.id).response.objects
    expected = [created.session_uuid, by_parameter.session_uuid]
    assert [one.session_uuid for one in seen] == [one.session_uuid for one in listed] == expected


def test_a_single_party_is_joined_by_an_update(client: plivo.RestClient, parties: dict[str, str]) -> None:
    masking = client.masking_sessions
    created = masking.create_masking_session(
        first_party=parties["first_party"], create_session_with_single_party=True
    )  # fmt: skip
    assert (created.session.second_party, created.session.create_session_with_single_party) == ("", True)
    updated = masking.update_masking_session(created.session_uuid, second_party=parties["second_party"])
    assert updated.session.second_party == parties["second_party"][1:]
    masking.delete_masking_session(created.session_uuid)


def test_pins_are_generated_or_given(client: plivo.RestClient, parties: dict[str, str]) -> None:
    masking, prompt = client.masking_sessions, "https://h.invalid/prompt.mp3"
    asked = {"is_pin_authentication_required": True, "pin_prompt_play": prompt, "pin_retry": 0, "pin_retry_wait": 7}
    given = masking.create_masking_session(**parties, **asked, first_party_pin="1234", second_party_pin="56789").session
    assert (given.first_party_pin, given.second_party_pin, given.pin_retry) == ("1234", "56789", 0)
    generated = masking.create_masking_session(
        **parties, **asked, generate_pin=True, generate_pin_length=6, force_pin_authentication=True
    ).session
    assert {len(generated.first_party_pin), len(generated.second_party_pin)} == {6}
    assert generated.first_party_pin != generated.second_party_pin
    with pytest.raises(ValidationError, match="first_party_pin"):
        masking.create_masking_session(**parties, **asked, first_party_pin="123", second_party_pin="4321")


class TestErrorsBecomeTheClientsExceptions:
    def test_400(self, client: plivo.RestClient, parties: dict[str, str]) -> None:
        masking = client.masking_sessions
        with pytest.raises(ValidationError, match=r"^Mandatory parameter missing. second_party must be present$"):
            masking.create_masking_session(first_party=parties["first_party"])
        with pytest.raises(ValidationError, match=r"^Invalid parameter. first_party is not a valid phone number$"):
            masking.create_masking_session(first_party="nobody", second_party=parties["second_party"])
        with pytest.raises(ValidationError, match=r"^Invalid parameter. session_expiry is outside the allowed range$"):
            masking.create_masking_session(**parties, session_expiry=59)
        with pytest.raises(ValidationError, match=r"^Invalid parameter. limit "):
            masking.list_masking_session(limit=21)
        uuid = masking.create_masking_session(**parties).session_uuid
        masking.delete_masking_session(uuid)
        with pytest.raises(ValidationError, match=r"^Session already expired$"):
            masking.delete_masking_session(uuid)
        with pytest.raises(ValidationError, match=r"^Session already expired$"):
            masking.update_masking_session(uuid, ring_timeout=20)

    def test_400_when_every_number_is_taken(self, client: plivo.RestClient) -> None:
        masking, busy = client.masking_sessions, f"+65930{next(_pairs):05}"
        others = [f"+65940{next(_pairs):05}" for _ in NUMBERS]
        made = [masking.create_masking_session(busy, other).session_uuid for other in others]
        with pytest.raises(ValidationError, match=r"^Number pool exhausted or not available$"):
            masking.create_masking_session(busy, "+6594100000")
        for uuid in made:  # other tests need a number for themselves
            masking.delete_masking_session(uuid)

    def test_401(self, vendor: VendorAddress) -> None:
        with client_for(vendor, vendor.account.id, "wrong") as client, pytest.raises(AuthenticationError):
            client.masking_sessions.list_masking_session()

    def test_404(self, client: plivo.RestClient) -> None:
        missing = "00000000-0000-4000-8000-000000000000"
        for attempt in ("get", "update", "delete"):
            with pytest.raises(ResourceNotFoundError):
                getattr(client.masking_sessions, f"{attempt}_masking_session")(missing)

    def test_405(self, client: plivo.RestClient) -> None:
        with pytest.raises(InvalidRequestError):
            client.request("PUT", ("Masking", "Session"), {}, is_voice_request=True)

    def test_an_unexpected_status_is_its_general_error(self, client: plivo.RestClient) -> None:
        with pytest.raises(PlivoRestError, match="413"):
            client.masking_sessions.create_masking_session("+6590000001", "9" * 70_000)


def test_it_asks_three_times_when_answers_are_lost(
    client: plivo.RestClient, vendor: VendorAddress, parties: dict[str, str]
) -> None:
    uuid = client.masking_sessions.create_masking_session(**parties).session_uuid
    vendor.sent()
    vendor.tap.lose_answers = 2
    assert client.masking_sessions.get_masking_session(uuid).response.session_uuid == uuid
    assert [sent.status for sent in vendor.sent()] == [200, 200, 200]


@pytest.mark.row("6.2/repeated creates")
def test_a_create_whose_answer_is_lost_makes_one_session(
    client: plivo.RestClient, vendor: VendorAddress, parties: dict[str, str]
) -> None:
    """The client re-sends a create on a status of 500 or more; the server had done its work each time (§9.3)."""
    masking = client.masking_sessions
    vendor.tap.lose_answers = 2
    created = masking.create_masking_session(**parties, session_expiry=600)
    repeats = vendor.sent()
    assert [(sent.method, sent.path, sent.status) for sent in repeats] == [("POST", vendor.collection, 201)] * 3
    assert len({sent.body for sent in repeats}) == 1
    listed = masking.list_masking_session(**parties).response
    assert [one.session_uuid for one in listed.objects] == [created.session_uuid]


@pytest.mark.row("6.2/repeated creates")
def test_a_create_that_the_client_gave_up_is_found_by_the_customers_own_repeat(
    vendor: VendorAddress, parties: dict[str, str]
) -> None:
    with client_for(vendor, vendor.account.id, vendor.account.auth_token) as client:
        vendor.tap.lose_answers = 3
        with pytest.raises(PlivoRestError, match="503"):
            client.masking_sessions.create_masking_session(**parties)
        created = client.masking_sessions.create_masking_session(**parties)
        listed = client.masking_sessions.list_masking_session(**parties).response
        assert [one.session_uuid for one in listed.objects] == [created.session_uuid]


@pytest.mark.row("6.2/every pair its own session")
def test_what_is_no_repeat_makes_a_session_of_its_own(client: plivo.RestClient, parties: dict[str, str]) -> None:
    masking = client.masking_sessions
    first = masking.create_masking_session(**parties, session_expiry=600)
    other = masking.create_masking_session(**parties, session_expiry=601)
    assert first.session_uuid != other.session_uuid
    masking.delete_masking_session(first.session_uuid)
    again = masking.create_masking_session(**parties, session_expiry=600)
    assert again.session_uuid not in (first.session_uuid, other.session_uuid)
    assert again.session.status == "active"


@pytest.mark.row("4/nested bodies")
def test_under_its_own_name_vts_answers_in_its_own_form(vendor: VendorAddress, parties: dict[str, str]) -> None:
    """VTS publishes no client: its page's requests, led here by the same proxy, answered by the name they ask for."""
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": vendor.proxy_url}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(vendor.authority))),
    )
    token = base64.b64encode(f"{vendor.account.id}:{vendor.account.auth_token}".encode()).decode()

    def ask(path: str, body: dict[str, str]) -> dict[str, object]:
        headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
        url = f"https://api.vtscom.net{vendor.collection.rstrip('/')}{path}"
        with opener.open(urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=60) as answer:
            return dict(json.loads(answer.read()))

    created = ask("", {**parties, "session_expiry": "600"})
    assert (created["first_party"], created["session_expiry"], created["record"]) == (
        parties["first_party"], "600", "false",
    )  # fmt: skip
    assert ask(f"/{created['session_uuid']}", {"record": "true"})["record"] == "true"
    assert [sent.headers["Host"] for sent in vendor.sent()][-2:] == ["api.vtscom.net"] * 2
