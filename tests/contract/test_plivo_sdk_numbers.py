"""The vendor's own client, unmodified, lists and moves numbers and manages subaccounts on a real server.

Pointed at us as in test_plivo_sdk.py (plivo-vts.md §9.4, way a).
"""

from __future__ import annotations

import plivo
import plivo.rest.client
import pytest
from plivo.exceptions import AuthenticationError, ForbiddenError, ResourceNotFoundError, ValidationError

from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.memory import MemoryStore
from maskline.storage.sqlite import SqliteStore
from maskline.workflows.add_number import add_number
from maskline.workflows.create_account import create_account
from tests.support.http_server import serving

NUMBERS = ("+6531580001", "+6531580002", "+6531580003")
PARTIES = {"first_party": "+6590000001", "second_party": "+6590000002"}
STORES = {"memory": MemoryStore, "sqlite": lambda: SqliteStore(None, Sealer(bytes(KEY_BYTES)))}


@pytest.fixture(params=list(STORES))
def server(request, monkeypatch):
    with serving(STORES[request.param]) as running:
        for constant in (
            "PLIVO_API_BASE_URI", "API_VOICE_BASE_URI", "API_VOICE_BASE_URI_FALLBACK_1", "API_VOICE_BASE_URI_FALLBACK_2"
        ):  # fmt: skip
            monkeypatch.setattr(plivo.rest.client, constant, running.url + "/v1/Account")
        yield running


@pytest.fixture
def client(server):
    account = server.run(create_account(server.store, server.clock, server.ids, "Acme"))
    for number in NUMBERS:
        server.run(add_number(server.store, server.clock, number, account.id))
    with plivo.RestClient(account.id, account.auth_token) as client:
        yield client


def listed(client, **filters):
    return ["+" + number.number for number in client.numbers.list(**filters)]


@pytest.mark.row("1/number resource", "1/subaccount resource")
def test_a_number_is_moved_to_a_new_subaccount_which_masks_with_it(client):
    made = client.subaccounts.create("Rides", enabled=True)
    assert made.message == "created"
    assert client.numbers.update("6531580002", subaccount=made.auth_id, alias="Rides").message == "changed"

    number = client.numbers.get("6531580002")
    assert (number.id, number.alias, number.subaccount) == ("6531580002", "Rides", made.auth_id)
    assert made.auth_id in number.sub_account
    assert (number.voice_enabled, number.number_type, number.application) == (True, "local", None)
    assert listed(client, subaccount=made.auth_id) == listed(client, alias="Rides") == [NUMBERS[1]]

    with plivo.RestClient(made.auth_id, made.auth_token) as rides:
        assert listed(rides) == [NUMBERS[1]]
        assert rides.masking_sessions.create_masking_session(**PARTIES).virtual_number == NUMBERS[1]
        with pytest.raises(ForbiddenError, match="Only the main account may move a number"):
            rides.numbers.update("6531580002", subaccount="")

    assert number.update(subaccount="").message == "changed"
    assert client.numbers.get(NUMBERS[1]).sub_account is None


@pytest.mark.row("1/number resource")
def test_numbers_are_listed_in_pages_and_by_filter(client):
    first = client.numbers.list(limit=2, services=["voice"])
    assert (first.meta.total_count, len(first)) == (3, 2)
    following = plivo.base._next_page_params(first, 2)
    assert following == {"limit": 2, "offset": 2}
    assert listed(client, **following) == [NUMBERS[2]]
    assert listed(client, number_startswith="65315800") == list(NUMBERS)
    assert listed(client, services=["voice", "sms"]) == []


@pytest.mark.row("1/number resource")
def test_a_number_is_given_back(client):
    assert client.numbers.delete("6531580001") is None
    assert listed(client) == list(NUMBERS[1:])
    with pytest.raises(ResourceNotFoundError, match="no such number"):
        client.numbers.get("6531580001")
    assert client.masking_sessions.create_masking_session(**PARTIES).virtual_number == NUMBERS[1]


@pytest.mark.row("1/phone number resource")
def test_there_is_nothing_to_rent(client):
    found = client.numbers.search("SG", type="local")
    assert (found.objects, found.meta.total_count) == ([], 0)
    with pytest.raises(ForbiddenError, match="This server rents no numbers"):
        client.numbers.buy("6531580077")
    with pytest.raises(ForbiddenError, match="This server rents no numbers"):
        client.numbers.create("6531580077", "carrier", "Singapore")


@pytest.mark.row("1/subaccount resource")
def test_a_subaccount_lives_from_create_to_delete(client):
    made = client.subaccounts.create("Rides")
    shown = client.subaccounts.get(made.auth_id)
    assert (shown.id, shown.name, shown.enabled, shown.modified) == (made.auth_id, "Rides", False, None)
    assert shown.auth_token == made.auth_token
    with plivo.RestClient(made.auth_id, made.auth_token) as rides, pytest.raises(AuthenticationError):
        rides.numbers.get("6531580003")  # its list cannot tell an error: it asks the body for its length

    assert client.subaccounts.update(made.auth_id, "Deliveries", enabled=True).message == "changed"
    (one,) = client.subaccounts.list()
    assert (one.auth_id, one.name, one.enabled) == (made.auth_id, "Deliveries", True)
    with plivo.RestClient(made.auth_id, made.auth_token) as rides:
        assert listed(rides) == []

    client.numbers.update("6531580003", subaccount=made.auth_id)
    assert client.subaccounts.delete(made.auth_id, cascade=True) is None
    assert len(client.subaccounts.list()) == 0
    assert listed(client) == list(NUMBERS)
    with plivo.RestClient(made.auth_id, made.auth_token) as rides, pytest.raises(AuthenticationError):
        rides.numbers.get("6531580003")
    with pytest.raises(ResourceNotFoundError, match="no such subaccount"):
        client.subaccounts.get(made.auth_id)


def test_a_wrong_value_becomes_the_clients_validation_error(client):
    with pytest.raises(ValidationError, match="subaccount is not a subaccount of this account"):
        client.numbers.update("6531580001", subaccount="SA" + "X" * 18)
    with pytest.raises(ValidationError, match="name must be present"):
        client.subaccounts.create("")
