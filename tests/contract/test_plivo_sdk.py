"""The vendor's own client, unmodified, drives a real server: every masking method, every error class.

Pointed at us by the four module constants that hold the vendor's addresses (plivo-vts.md §9.4, way a).
"""

from __future__ import annotations

import re

import plivo
import plivo.rest.client
import pytest
from plivo.exceptions import AuthenticationError, PlivoRestError, ResourceNotFoundError, ValidationError

from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.memory import MemoryStore
from maskline.storage.sqlite import SqliteStore
from maskline.workflows.add_number import add_number
from maskline.workflows.create_account import create_account
from maskline.workflows.create_subaccount import create_subaccount
from tests.support.http_server import serving

FIRST, SECOND, NUMBER = "+6590000001", "+6590000002", "+6531580001"
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC\Z")

CONSTANTS = (
    "PLIVO_API_BASE_URI", "API_VOICE_BASE_URI", "API_VOICE_BASE_URI_FALLBACK_1", "API_VOICE_BASE_URI_FALLBACK_2"
)  # fmt: skip


STORES = {"memory": MemoryStore, "sqlite": lambda: SqliteStore(None, Sealer(bytes(KEY_BYTES)))}


@pytest.fixture(params=list(STORES))
def server(request, monkeypatch):
    with serving(STORES[request.param]) as running:
        for constant in CONSTANTS:
            assert hasattr(plivo.rest.client, constant)
            monkeypatch.setattr(plivo.rest.client, constant, running.url + "/v1/Account")
        yield running


@pytest.fixture
def account(server):
    account = server.run(create_account(server.store, server.clock, server.ids, "Acme"))
    server.run(add_number(server.store, server.clock, NUMBER, account.id))
    return account


@pytest.fixture
def masking(account):
    with plivo.RestClient(account.id, account.auth_token) as client:
        yield client.masking_sessions


def test_a_session_lives_from_create_to_delete(masking, account):
    created = masking.create_masking_session(
        first_party=FIRST, second_party=SECOND, session_expiry=600, call_time_limit=900, ring_timeout=30,
        callback_url="https://h.example/events", callback_method="GET", record=True, record_file_format="wav",
        recording_callback_url="https://h.example/rec", recording_callback_method="POST",
        first_party_play_url="https://h.example/a.mp3", second_party_play_url="https://h.example/b.mp3",
        unknown_caller_play="https://h.example/u.mp3", geomatch=True, virtual_number_cooloff_period=0,
        initiate_call_to_first_party=False, is_pin_authentication_required=False, generate_pin=False,
        create_session_with_single_party=False, force_pin_authentication=False,
    )  # fmt: skip
    assert created.message == "Session created"
    assert created.virtual_number == NUMBER
    assert (created.session.status, created.session.session_uuid) == ("active", created.session_uuid)
    assert (created.session.ring_timeout, created.session.record) == (30, True)

    got = masking.get_masking_session(created.session_uuid).response
    assert (got.first_party, got.second_party, got.virtual_number) == (FIRST[1:], SECOND[1:], NUMBER[1:])

    listed = masking.list_masking_session(status="active", first_party=FIRST, limit=5).response
    assert (listed.meta.total_count, listed.meta.limit, listed.meta.next) == (1, 5, None)
    assert listed.objects[0].session_uuid == created.session_uuid
    uri = f"/v1/Account/{account.id}/Masking/Session/{created.session_uuid}/"
    assert listed.objects[0].resource_uri == uri

    updated = masking.update_masking_session(created.session_uuid, session_expiry=1200, call_time_limit=60)
    assert updated.message == "Session updated"
    assert updated.session.session_expiry == 1200
    assert 1200 <= updated.session.duration <= 1205

    assert masking.delete_masking_session(created.session_uuid).message == "Session expired"
    assert masking.get_masking_session(created.session_uuid).response.status == "expired"
    assert masking.list_masking_session(status="active").response.objects == []


@pytest.mark.row("2/initiate_call_to_first_party")
def test_a_session_with_pins_that_calls_its_first_party_at_once(masking, account, server):
    created = masking.create_masking_session(
        first_party=FIRST, second_party=SECOND, initiate_call_to_first_party=True, is_pin_authentication_required=True,
        generate_pin=True, generate_pin_length=6, force_pin_authentication=True, pin_retry=2, pin_retry_wait=9,
        pin_prompt_play="https://h.example/pin.mp3", incorrect_pin_play="https://h.example/wrong.mp3",
    ).session  # fmt: skip
    assert (created.initiate_call_to_first_party, created.is_pin_authentication_required) == (True, True)
    assert (created.force_pin_authentication, created.pin_retry, created.pin_retry_wait) == (True, 2, 9)
    assert created.incorrect_pin_play == "https://h.example/wrong.mp3"
    assert {len(created.first_party_pin), len(created.second_party_pin)} == {6}
    now = server.clock.wall()
    (request,) = server.run(server.store.lease_requested_calls("us", now=now, until=now + 9.0, limit=5))
    assert (request.session_id, request.account_id) == (created.session_uuid, account.id)


def test_pages_are_walked_by_the_clients_own_reader_of_meta(masking):
    ids = []
    for _ in range(3):
        ids.append(masking.create_masking_session(first_party=FIRST, second_party=SECOND).session_uuid)
        masking.delete_masking_session(ids[-1])
    first = masking.list_masking_session(limit=2).response
    following = plivo.base._next_page_params(first, 2)
    assert following == {"limit": 2, "offset": 2}
    second = masking.list_masking_session(**following).response
    assert second.meta.next is None
    assert [s.session_uuid for s in (*first.objects, *second.objects)] == ids[::-1]


class TestErrorsBecomeTheClientsExceptions:
    def test_400(self, masking):
        with pytest.raises(ValidationError, match=r"^Mandatory parameter missing. second_party must be present$"):
            masking.create_masking_session(first_party=FIRST)
        session_id = masking.create_masking_session(first_party=FIRST, second_party=SECOND).session_uuid
        with pytest.raises(ValidationError, match=r"^Number pool exhausted or not available$"):
            masking.create_masking_session(first_party=FIRST, second_party=SECOND)
        masking.delete_masking_session(session_id)
        with pytest.raises(ValidationError, match=r"^Session already expired$"):
            masking.delete_masking_session(session_id)
        with pytest.raises(ValidationError, match="pin_prompt_play must be present"):
            masking.create_masking_session(first_party=FIRST, second_party=SECOND, is_pin_authentication_required=True)

    def test_401(self, account):
        with plivo.RestClient(account.id, "wrong") as client, pytest.raises(AuthenticationError, match="credentials"):
            client.masking_sessions.list_masking_session()

    def test_404(self, masking, server):
        with pytest.raises(ResourceNotFoundError, match="no such session"):
            masking.get_masking_session("00000000-0000-4000-8000-000000000000")

    def test_404_for_another_accounts_session(self, masking, server):
        session_id = masking.create_masking_session(first_party=FIRST, second_party=SECOND).session_uuid
        other = server.run(create_account(server.store, server.clock, server.ids, "Other"))
        with plivo.RestClient(other.id, other.auth_token) as client:
            for attempt in (
                client.masking_sessions.get_masking_session,
                client.masking_sessions.delete_masking_session,
                client.masking_sessions.update_masking_session,
            ):
                with pytest.raises(ResourceNotFoundError):
                    attempt(session_id)

    def test_413(self, masking):
        with pytest.raises(PlivoRestError, match="413"):
            masking.create_masking_session(first_party=FIRST, second_party="9" * 70_000)


def test_a_subaccount_works_with_its_own_credentials(account, server):
    rides = server.run(create_subaccount(server.store, server.clock, server.ids, account.id, "Rides"))
    server.run(add_number(server.store, server.clock, "+6531580009", rides.id))
    with plivo.RestClient(rides.id, rides.auth_token) as client:
        created = client.masking_sessions.create_masking_session(first_party=FIRST, second_party=SECOND)
        assert created.session.subaccount == rides.id
        assert created.virtual_number == "+6531580009"
    with plivo.RestClient(account.id, account.auth_token) as client:
        listed = client.masking_sessions.list_masking_session(subaccount=rides.id).response
        assert [session.session_uuid for session in listed.objects] == [created.session_uuid]


def is_text(value):
    return type(value) is str


def is_whole(value):
    return type(value) is int


def is_flag(value):
    return type(value) is bool


def is_time(value):
    return is_text(value) and bool(TIME.match(value))


def is_null(value):
    return value is None


# plivo-vts.md §5 as the Go client's structs demand it; written apart from the serializer on purpose.
STRICT = {
    is_text: (
        "session_uuid first_party second_party virtual_number status callback_url callback_method "
        "first_party_play_url second_party_play_url record_file_format recording_callback_url "
        "recording_callback_method last_interaction_time unknown_caller_play subaccount "
        "pool_mode first_party_virtual_number second_party_virtual_number"
    ),
    is_whole: (
        "duration amount call_time_limit ring_timeout total_call_count total_call_billed_duration "
        "total_call_amount total_session_amount virtual_number_cooloff_period session_expiry"
    ),
    is_flag: (
        "initiate_call_to_first_party record is_pin_authentication_required create_session_with_single_party "
        "force_pin_authentication"
    ),
    is_time: "created_time modified_time expiry_time",
    is_null: (
        "interaction generate_pin generate_pin_length first_party_pin second_party_pin pin_prompt_play pin_retry "
        "pin_retry_wait incorrect_pin_play"
    ),
}


def check_strictly(session, *, extra=()):
    fields = {name: check for check, names in STRICT.items() for name in names.split()}
    assert set(session.__dict__) == set(fields) | set(extra)
    wrong = [name for name, check in fields.items() if not check(session.__dict__[name])]
    assert wrong == []
    for name in ("first_party", "second_party", "virtual_number"):
        assert session.__dict__[name].isdigit()


def test_every_shape_is_what_the_strictest_client_parses(masking):
    created = masking.create_masking_session(first_party=FIRST, second_party=SECOND)
    assert set(created.__dict__) == {"api_id", "session_uuid", "virtual_number", "message", "session"}
    assert created.virtual_number.startswith("+")
    check_strictly(created.session)
    got = masking.get_masking_session(created.session_uuid)
    assert set(got.__dict__) == {"api_id", "response"}
    check_strictly(got.response)
    updated = masking.update_masking_session(created.session_uuid, record=True)
    assert set(updated.__dict__) == {"api_id", "message", "session"}
    check_strictly(updated.session)
    listed = masking.list_masking_session()
    assert set(listed.__dict__) == {"api_id", "response"}
    assert set(listed.response.meta.__dict__) == {"limit", "next", "offset", "previous", "total_count"}
    check_strictly(listed.response.objects[0], extra=("resource_uri",))
    assert set(masking.delete_masking_session(created.session_uuid).__dict__) == {"api_id", "message"}
