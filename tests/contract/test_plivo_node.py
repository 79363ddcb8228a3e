"""The vendor's Node client, unmodified, drives a running server: every masking method, and its quirks on the wire.

plivo 4.79.0 of npm, led by its own proxy option and Node's NODE_EXTRA_CA_CERTS (plivo-vts.md §9.4). It snake-cases
what it sends and camel-cases what it reads, which mangles names (§2.3); what arrives is noted on the way, so that a
test fails when the client no longer does what the server makes up for.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.support.node_client import NodeClient, NodeError, node_client
from tests.support.vendor_address import NUMBERS, SUBACCOUNT_NUMBER, VendorAddress, vendor_address

_pairs = count(1)


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VendorAddress]:
    with vendor_address(tmp_path_factory.mktemp("vendor")) as address:
        yield address


@pytest.fixture(scope="module")
def process(vendor: VendorAddress) -> Iterator[NodeClient]:
    with node_client(vendor) as (client, about):
        assert about["version"] == "4.79.0"
        yield client


@pytest.fixture
def client(process: NodeClient, vendor: VendorAddress) -> NodeClient:
    vendor.sent()
    return process


@pytest.fixture
def parties() -> tuple[str, str]:
    """Two numbers no other test here has used."""
    pair = next(_pairs)
    return f"+65900{pair:05}", f"+65910{pair:05}"


def test_a_session_lives_from_create_to_delete(
    client: NodeClient, vendor: VendorAddress, parties: tuple[str, str]
) -> None:
    created = client.createMaskingSession(
        *parties,
        {
            "sessionExpiry": 600, "callTimeLimit": 900, "ringTimeout": 30, "record": True, "recordFileFormat": "wav",
            "callbackUrl": "https://h.example/events", "callbackMethod": "GET", "unknownCallerPlay": "",
            "recordingCallbackUrl": "https://h.example/rec", "recordingCallbackMethod": "POST",
            "firstPartyPlayUrl": "https://h.example/a.mp3", "secondPartyPlayUrl": "https://h.example/b.mp3",
            "initiateCallToFirstParty": False, "virtualNumberCooloffPeriod": 60,
        },
    )  # fmt: skip
    assert set(created) == {"apiId", "sessionUuid", "virtualNumber", "message", "session"}
    assert created["message"] == "Session created"
    assert created["virtualNumber"] in NUMBERS
    session, uuid = created["session"], created["sessionUuid"]
    assert (session["status"], session["firstParty"], session["secondParty"]) == (
        "active", parties[0][1:], parties[1][1:],
    )  # fmt: skip
    assert (session["duration"], session["ringTimeout"], session["record"]) == (600, 30, True)
    assert (session["amount"], session["interaction"]) == (0, None)

    assert client.getMaskingSession(uuid)["response"] == session
    updated = client.updateMaskingSession(uuid, {"sessionExpiry": 1200, "callTimeLimit": 60, "record": False})
    assert (updated["message"], updated["session"]["callTimeLimit"]) == ("Session updated", 60)
    assert 1200 <= updated["session"]["duration"] <= 1205
    assert client.deleteMaskingSession(uuid)["message"] == "Session expired"
    assert client.getMaskingSession(uuid)["response"]["status"] == "expired"


@pytest.mark.row("1/trailing slash", "1.1/request body", "3/session_uuid in the body")
def test_it_sends_a_slash_after_the_collection_alone_and_bodies_with_everything(
    client: NodeClient, vendor: VendorAddress, parties: tuple[str, str]
) -> None:
    uuid = client.createMaskingSession(*parties, {})["sessionUuid"]
    client.listMaskingSession({})
    client.getMaskingSession(uuid)
    client.updateMaskingSession(uuid, {"ringTimeout": 20})
    client.deleteMaskingSession(uuid)
    create, listed, get, update, delete = vendor.sent()
    assert [sent.path for sent in (create, listed)] == [vendor.collection] * 2
    assert [sent.path for sent in (get, update, delete)] == [vendor.collection + uuid] * 3
    assert update.json == {"ring_timeout": 20, "session_uuid": uuid}
    assert delete.json == {}
    assert {sent.status for sent in (listed, get, update, delete)} == {200}
    assert {sent.headers["Content-Type"] for sent in (create, update, delete)} == {"application/json"}


@pytest.mark.row("2.3/subaccount and geomatch")
def test_its_names_of_subaccount_and_geomatch_are_read(
    client: NodeClient, vendor: VendorAddress, parties: tuple[str, str]
) -> None:
    wanted = {"subAccount": vendor.subaccount.id, "geoMatch": True}
    created = client.createMaskingSession(*parties, wanted)
    assert {"sub_account", "geo_match"} <= set(vendor.sent()[0].json)
    assert (created["virtualNumber"], created["session"]["subaccount"]) == (SUBACCOUNT_NUMBER, vendor.subaccount.id)
    # No number of ours is British, so a strict geomatch finds none and a lenient one finds any.
    british = f"+4420794{next(_pairs):05}"
    with pytest.raises(NodeError, match=r"^Number pool exhausted or not available$"):
        client.createMaskingSession(british, parties[1], {"geoMatch": True})
    assert client.createMaskingSession(british, parties[1], {"geoMatch": False})["virtualNumber"] in NUMBERS


@pytest.mark.row("2.3/plural filters", "2.3/one underscore")
def test_its_mangled_filters_find_and_leave_out(
    client: NodeClient, vendor: VendorAddress, parties: tuple[str, str]
) -> None:
    session = client.createMaskingSession(*parties, {"sessionExpiry": 4321})["session"]
    created, expires = session["createdTime"][:19], session["expiryTime"][:19]
    vendor.sent()

    def found(**filters: Any) -> list[str]:
        answer = client.listMaskingSession({"firstParty": parties[0], **filters})["response"]
        assert answer["meta"]["totalCount"] == len(answer["objects"])
        return [one["sessionUuid"] for one in answer["objects"]]

    finds = {
        "secondParty": parties[1], "virtualNumber": session["virtualNumber"], "status": "active", "limit": 5,
        "createdTimeEquals": created, "createdTimeGreaterOrEqual": created, "createdTimeLessOrEqual": created,
        "expiryTimeEquals": expires, "expiryTimeGreaterThan": created, "expiryTimeLessOrEqual": expires,
        "durationEquals": 4321, "durationGreaterThan": 4320, "durationLessThan": 4322,
    }  # fmt: skip
    assert found(**finds) == [session["sessionUuid"]]
    names = {name for name, _ in parse_qsl(vendor.sent()[0].query)}
    assert {"created_times", "expiry_times", "durations", "created_time__gte", "duration__lt"} <= names
    assert names.isdisjoint({"created_time", "expiry_time", "duration"})

    for filters in (
        {"createdTimeEquals": expires}, {"expiryTimeEquals": created}, {"durationEquals": 4320},
        {"createdTimeLessThan": created}, {"createdTimeGreaterThan": created}, {"durationGreaterThan": 4321},
        {"status": "expired"}, {"secondParty": "+6599999999"}, {"created_time__lt": created},
        {"duration__gt": 4321}, {"expiry_time__gt": expires},
    ):  # fmt: skip
        assert found(**filters) == [], filters
    # The documented names with two underscores leave the client with one.
    assert {"created_time_lt", "duration_gt", "expiry_time_gt"} <= {
        name for sent in vendor.sent() for name, _ in parse_qsl(sent.query)
    }


def test_a_single_party_and_pins_go_through_its_names(client: NodeClient, parties: tuple[str, str]) -> None:
    single = client.createMaskingSession(parties[0], "", {"createSessionWithSingleParty": True})
    assert single["session"]["createSessionWithSingleParty"] is True
    joined = client.updateMaskingSession(single["sessionUuid"], {"secondParty": parties[1]})
    assert joined["session"]["secondParty"] == parties[1][1:]
    client.deleteMaskingSession(single["sessionUuid"])
    wanted = {
        "isPinAuthenticationRequired": True, "generatePin": True, "generatePinLength": 5, "pinRetry": 2,
        "pinPromptPlay": "https://h.invalid/prompt.mp3", "forcePinAuthentication": True,
    }  # fmt: skip
    session = client.createMaskingSession(*parties, wanted)["session"]
    assert {len(session["firstPartyPin"]), len(session["secondPartyPin"])} == {5}
    assert (session["pinRetry"], session["forcePinAuthentication"]) == (2, True)


def test_pages_are_walked_to_the_end(client: NodeClient) -> None:
    pairs = [(f"+65900{pair:05}", f"+65910{pair:05}") for pair in (next(_pairs) for _ in range(3))]
    made = [client.createMaskingSession(*pair, {"sessionExpiry": 777})["sessionUuid"] for pair in pairs]
    first = client.listMaskingSession({"durationEquals": 777, "limit": 2})["response"]
    rest = client.listMaskingSession({"durationEquals": 777, "limit": 2, "offset": 2})["response"]
    assert [one["sessionUuid"] for one in (*first["objects"], *rest["objects"])] == made[::-1]
    assert first["meta"]["next"] and not rest["meta"]["next"]


def test_a_subaccount_works_with_its_own_credentials(
    client: NodeClient, vendor: VendorAddress, parties: tuple[str, str]
) -> None:
    own = client.as_account(vendor.subaccount)
    created = own.createMaskingSession(*parties, {})
    assert created["virtualNumber"] == SUBACCOUNT_NUMBER
    assert created["sessionUuid"] in [one["sessionUuid"] for one in own.listMaskingSession({})["response"]["objects"]]


@pytest.mark.row("1/number resource", "1/subaccount resource", "1/phone number resource")
def test_numbers_are_listed_moved_and_named_and_subaccounts_come_and_go(
    client: NodeClient, vendor: VendorAddress
) -> None:
    numbers, subaccounts = client.of("numbers"), client.of("subaccounts")
    number = SUBACCOUNT_NUMBER[1:]
    made = subaccounts.create("Parcels", True)
    assert (made["message"], made["authId"][:2]) == ("created", "SA")

    assert numbers.update(number, {"subAccount": made["authId"], "alias": "Parcels"})["message"] == "changed"
    (moved,) = numbers.list({"subAccount": made["authId"], "services": "voice"})
    assert (moved["number"], moved["alias"], moved["voiceEnabled"]) == (number, "Parcels", True)
    assert numbers.get(number)["subaccount"] == made["authId"]
    assert numbers.search("SG", {"type": "local"}) == []
    # From a POST outside of voice this client keeps the server's sentence to itself.
    with pytest.raises(NodeError, match="status code 403"):
        numbers.buy("6531580077")

    assert subaccounts.update(made["authId"], "Letters", False)["message"] == "changed"
    shown = subaccounts.get(made["authId"])
    assert (shown["name"], shown["enabled"], shown["authToken"]) == ("Letters", False, made["authToken"])
    assert {one["authId"] for one in subaccounts.list({})} == {made["authId"], vendor.subaccount.id}
    assert subaccounts.delete(made["authId"], True) is True
    assert numbers.update(number, {"subAccount": vendor.subaccount.id, "alias": ""})["message"] == "changed"
    with pytest.raises(NodeError, match="There is no such subaccount"):
        subaccounts.get(made["authId"])


class Stranger:
    id, auth_token = "MA00000000000000NONE", "wrong"


def test_errors_reach_the_caller_with_status_and_sentence(
    client: NodeClient, vendor: VendorAddress, parties: tuple[str, str]
) -> None:
    uuid = client.createMaskingSession(*parties, {})["sessionUuid"]
    client.deleteMaskingSession(uuid)
    missing = "00000000-0000-4000-8000-000000000000"
    for attempt, status, sentence in (
        (lambda: client.createMaskingSession(parties[0], "", {}), 400,
         "Mandatory parameter missing. second_party must be present"),
        (lambda: client.createMaskingSession(*parties, {"sessionExpiry": 59}), 400,
         "Invalid parameter. session_expiry is outside the allowed range"),
        (lambda: client.deleteMaskingSession(uuid), 400, "Session already expired"),
        (lambda: client.getMaskingSession(missing), 404, "There is no such session in this account"),
        (lambda: client.updateMaskingSession(missing, {"record": True}), 404,
         "There is no such session in this account"),
        (lambda: client.as_account(Stranger).listMaskingSession({}), 401, "The credentials are missing or wrong"),
    ):  # fmt: skip
        with pytest.raises(NodeError) as caught:
            attempt()
        assert (caught.value.status, str(caught.value)) == (status, sentence)
        assert caught.value.api_id
    assert len(vendor.sent()) == 8  # none of them was sent twice


def test_it_asks_three_times_when_answers_are_lost(
    client: NodeClient, vendor: VendorAddress, parties: tuple[str, str]
) -> None:
    uuid = client.createMaskingSession(*parties, {})["sessionUuid"]
    vendor.sent()
    vendor.tap.lose_answers = 2
    assert client.getMaskingSession(uuid)["response"]["sessionUuid"] == uuid
    assert [sent.status for sent in vendor.sent()] == [200, 200, 200]


@pytest.mark.row("6.2/repeated creates")
def test_a_create_whose_answer_is_lost_makes_one_session(
    client: NodeClient, vendor: VendorAddress, parties: tuple[str, str]
) -> None:
    vendor.tap.lose_answers = 2
    created = client.createMaskingSession(*parties, {"sessionExpiry": 600})
    assert [(sent.method, sent.status) for sent in vendor.sent()] == [("POST", 201)] * 3
    listed = client.listMaskingSession({"firstParty": parties[0], "secondParty": parties[1]})["response"]
    assert [one["sessionUuid"] for one in listed["objects"]] == [created["sessionUuid"]]
