"""Numbers over HTTP: lists and shapes, moves between subaccounts, and giving back, on both stores."""

from __future__ import annotations

import pytest

from maskline.api.plivo.openapi_account import NUMBER_FIELDS
from maskline.masking.decision import NumberState
from maskline.workflows.add_number import add_number
from tests.support.api_world import PARTIES, ApiWorld, credentials

pytestmark = pytest.mark.usefixtures("each_store")
FIRST, SECOND, RIDES = "+6531580001", "+6531580002", "+6531580009"
MOBILE, TOLL_FREE = "+6591580001", "+18005550100"
OTHERS = {"first_party": "+6590000003", "second_party": "+6590000004"}


class Api(ApiWorld):
    """Acme has two numbers, its subaccount one."""

    async def start(self):
        await self.store.open()
        self.acme = await self.account()
        self.rides = await self.subaccount(self.acme)
        self.clock.advance(1_000_000)
        for text in (FIRST, SECOND):
            await self.number(self.acme, text)
        await self.number(self.rides, RIDES)
        self.http = self.client(rate_limit=0)
        return self

    async def ask(self, method, path, *, by=None, of=None, **more):
        by = by or self.acme
        url = f"/v1/Account/{(of or by).id}{path}"
        response = await self.http.request(method, url, headers=dict(credentials(by)), **more)
        if response.status_code == 204:
            assert response.content == b""
            assert "content-length" not in response.headers
            return 204, None
        body = response.json()
        assert len(body.pop("api_id")) == 36
        return response.status_code, body

    async def digits(self, query="", **who):
        status, body = await self.ask("GET", "/Number/" + query, **who)
        assert status == 200
        assert body["meta"]["total_count"] >= len(body["objects"])
        return ["+" + one["number"] for one in body["objects"]]


@pytest.mark.row("1/number resource")
async def test_a_number_has_the_shape_of_plivos_pages():
    api = await Api().start()
    status, body = await api.ask("GET", "/Number/6531580001/")
    assert status == 200
    assert body == {
        "added_on": "1970-01-12", "alias": None, "application": None, "carrier": "", "city": None, "cnam": None,
        "cnam_lookup": None, "country": "SG", "mms_enabled": False, "mms_rate": None,
        "monthly_rental_rate": "0.00000", "number": "6531580001", "number_type": "local", "reference_id": "",
        "region": "SG", "renewal_date": None, "resource_uri": f"/v1/Account/{api.acme.id}/Number/6531580001/",
        "sms_enabled": False, "sms_rate": None, "state": "active", "sub_account": None, "subaccount": None,
        "tendlc_campaign_id": None, "tendlc_registration_status": None, "toll_free_sms_verification": None,
        "voice_enabled": True, "voice_rate": "0.00000",
    } | {"added_on": body["added_on"]}  # fmt: skip
    assert len(body["added_on"]) == len("2024-01-31")
    assert set(body) == set(NUMBER_FIELDS)


@pytest.mark.row("1/number resource")
async def test_the_main_account_sees_all_numbers_and_a_subaccount_its_own():
    api = await Api().start()
    assert await api.digits() == [FIRST, SECOND, RIDES]
    assert await api.digits(by=api.rides) == [RIDES]
    assert await api.digits(of=api.rides) == [RIDES]
    _, body = await api.ask("GET", f"/Number/{RIDES}/")
    assert body["sub_account"] == f"/v1/Account/{api.acme.id}/Subaccount/{api.rides.id}/"
    assert body["subaccount"] == api.rides.id
    for number in (FIRST, SECOND):
        assert (await api.ask("GET", f"/Number/{number}/", by=api.rides))[0] == 404


async def test_another_accounts_numbers_do_not_exist():
    api = await Api().start()
    other = await api.account("Other")
    assert await api.digits(by=other) == []
    for method in ("GET", "POST", "DELETE"):
        status, body = await api.ask(method, f"/Number/{FIRST}/", by=other, json={"alias": "mine"})
        assert (status, body["error"]) == (404, "There is no such number in this account")
    assert await api.digits() == [FIRST, SECOND, RIDES]


@pytest.mark.parametrize("item", ["+6539999999", "no-number", "1", "%C3%BC"])
async def test_what_is_no_number_of_the_account_is_404(item):
    api = await Api().start()
    assert (await api.ask("GET", f"/Number/{item}/"))[0] == 404


async def test_lists_are_filtered_as_plivos_are():
    api = await Api().start()
    for text in (MOBILE, TOLL_FREE):
        await add_number(api.store, api.clock, text, api.acme.id)
    await api.ask("POST", f"/Number/{SECOND}/", json={"alias": "Support"})
    assert await api.digits("?number_startswith=653158") == [FIRST, SECOND, RIDES]
    assert await api.digits("?number_startswith=%2B1") == [TOLL_FREE]
    assert await api.digits("?alias=Support") == [SECOND]
    assert await api.digits(f"?subaccount={api.rides.id}") == [RIDES]
    assert await api.digits(f"?sub_account={api.rides.id}") == [RIDES]
    assert await api.digits("?type=mobile") == [MOBILE]
    assert await api.digits("?number_type=tollfree") == [TOLL_FREE]
    assert await api.digits("?type=toll-free") == [TOLL_FREE]
    assert await api.digits("?type=fixed") == await api.digits("?type=local") == [FIRST, SECOND, RIDES]
    assert len(await api.digits("?services=voice")) == 5
    assert await api.digits("?services=voice,sms") == []
    assert await api.digits("?tendlc_registration_status=COMPLETED") == []


async def test_a_long_list_is_narrowed_in_turns(monkeypatch):
    monkeypatch.setattr("maskline.api.plivo.numbers._AT_A_TIME", 2)
    api = await Api().start()
    assert await api.digits("?type=local") == [FIRST, SECOND, RIDES]
    assert await api.digits(f"?subaccount={api.rides.id}") == [RIDES]


async def test_lists_are_cut_into_pages():
    api = await Api().start()
    status, body = await api.ask("GET", "/Number/?limit=2&services=voice")
    path = f"/v1/Account/{api.acme.id}/Number/"
    assert (status, len(body["objects"])) == (200, 2)
    assert body["meta"] == {
        "limit": 2, "offset": 0, "total_count": 3, "previous": None, "next": f"{path}?limit=2&offset=2&services=voice",
    }  # fmt: skip
    assert await api.digits("?limit=2&offset=2") == [RIDES]
    assert (await api.ask("GET", "/Number/?limit=21"))[0] == 400


@pytest.mark.parametrize("prefix", ["/v1", "/vts/v1"])
@pytest.mark.parametrize("name", ["Number", "Subaccount"])
async def test_pages_lead_on_under_the_address_they_were_asked_at(prefix, name):
    api = await Api().start()
    await api.subaccount(api.acme)
    url = f"{prefix}/Account/{api.acme.id}/{name}/"
    first = await api.http.get(url + "?limit=1", headers=dict(credentials(api.acme)))
    following = first.json()["meta"]["next"]
    assert following == url + "?limit=1&offset=1"
    second = await api.http.get(following, headers=dict(credentials(api.acme)))
    assert second.json()["meta"]["previous"] == url + "?limit=1&offset=0"


@pytest.mark.row("1/number resource")
async def test_a_number_is_moved_and_moved_back():
    api = await Api().start()
    assert await api.ask("POST", f"/Number/{FIRST}/", json={"subaccount": api.rides.id}) == (
        202,
        {"message": "changed"},
    )
    assert await api.digits(by=api.rides) == [RIDES, FIRST]
    assert (await api.ask("POST", "/Masking/Session/", json=PARTIES, by=api.rides))[1]["virtual_number"] == RIDES
    assert (await api.ask("POST", "/Masking/Session/", json=PARTIES, by=api.rides))[1]["virtual_number"] == FIRST
    for back in ("", api.acme.id):
        await api.ask("POST", f"/Number/{FIRST}/", json={"subaccount": api.rides.id})
        assert (await api.ask("POST", f"/Number/{FIRST}/", json={"subaccount": back}))[0] == 202
        assert await api.digits(by=api.rides) == [RIDES]


async def test_nodes_spelling_of_subaccount_moves_too():
    api = await Api().start()
    await api.ask("POST", f"/Number/{FIRST}/", json={"sub_account": api.rides.id})
    assert await api.digits(by=api.rides) == [RIDES, FIRST]


async def test_a_session_on_a_moved_number_stays_and_keeps_its_party_from_strangers():
    api = await Api().start()
    _, session = await api.ask("POST", "/Masking/Session/", json=PARTIES)
    assert session["virtual_number"] == FIRST
    await api.ask("POST", f"/Number/{FIRST}/", json={"subaccount": api.rides.id})
    _, got = await api.ask("GET", f"/Masking/Session/{session['session_uuid']}/")
    assert (got["response"]["status"], got["response"]["virtual_number"]) == ("active", FIRST[1:])
    assert (await api.ask("GET", f"/Masking/Session/{session['session_uuid']}/", by=api.rides))[0] == 404
    _, one = await api.ask("POST", "/Masking/Session/", json=PARTIES, by=api.rides)
    status, refusal = await api.ask("POST", "/Masking/Session/", json=PARTIES, by=api.rides)
    assert one["virtual_number"] == RIDES
    assert (status, refusal["error"]) == (400, "Number pool exhausted or not available")


async def test_the_same_update_again_changes_nothing_not_even_the_order_of_the_pool():
    api = await Api().start()
    for _ in range(2):
        await api.ask("POST", f"/Number/{FIRST}/", json={"subaccount": "", "alias": ""})
    assert await api.digits() == [FIRST, SECOND, RIDES]


async def test_an_alias_is_set_kept_and_cleared():
    api = await Api().start()
    await api.ask("POST", f"/Number/{FIRST}/", json={"alias": " Night line ", "app_id": "29986316244302815"})
    await api.ask("POST", f"/Number/{FIRST}/", json={"subaccount": api.rides.id, "alias": None})
    assert (await api.ask("GET", f"/Number/{FIRST}/"))[1]["alias"] == "Night line"
    await api.ask("POST", f"/Number/{FIRST}/", json={"alias": ""}, by=api.rides)
    assert (await api.ask("GET", f"/Number/{FIRST}/"))[1]["alias"] is None


@pytest.mark.parametrize(
    ("body", "parameter"),
    [({"alias": "x" * 201}, "alias"), ({"alias": "a\nb"}, "alias"), ({"alias": 7}, "alias"),
     ({"subaccount": "SAXXXXXXXXXXXXXXXXXX"}, "subaccount"), ({"subaccount": []}, "subaccount")],
)  # fmt: skip
async def test_a_wrong_value_is_named_and_nothing_is_changed(body, parameter):
    api = await Api().start()
    status, refusal = await api.ask("POST", f"/Number/{FIRST}/", json=body)
    assert status == 400
    assert refusal["error"].startswith(f"Invalid parameter. {parameter} ")
    assert await api.digits() == [FIRST, SECOND, RIDES]


async def test_a_foreign_subaccount_is_refused():
    api = await Api().start()
    theirs = await api.subaccount(await api.account("Other"))
    status, refusal = await api.ask("POST", f"/Number/{FIRST}/", json={"subaccount": theirs.id})
    assert (status, refusal["error"]) == (
        400, "Invalid parameter. subaccount is not a subaccount of this account",
    )  # fmt: skip


async def test_a_subaccount_may_rename_but_neither_move_nor_give_back():
    api = await Api().start()
    assert (await api.ask("POST", f"/Number/{RIDES}/", json={"alias": "ours"}, by=api.rides))[0] == 202
    assert (await api.ask("POST", f"/Number/{RIDES}/", json={"subaccount": api.rides.id}, by=api.rides))[0] == 202
    for method, json in (("POST", {"subaccount": ""}), ("POST", {"subaccount": api.acme.id}), ("DELETE", {})):
        status, refusal = await api.ask(method, f"/Number/{RIDES}/", json=json, by=api.rides)
        assert status == 403
        assert refusal["error"].startswith("Only the main account may ")
    assert await api.digits(by=api.rides) == [RIDES]


async def test_a_number_given_back_leaves_the_lists_and_gets_no_new_sessions():
    api = await Api().start()
    _, session = await api.ask("POST", "/Masking/Session/", json=PARTIES)
    assert session["virtual_number"] == FIRST
    assert await api.ask("DELETE", f"/Number/{FIRST}/", json={}) == (204, None)
    assert await api.digits() == [SECOND, RIDES]
    for method in ("GET", "DELETE"):
        assert (await api.ask(method, f"/Number/{FIRST}/"))[0] == 404
    _, got = await api.ask("GET", f"/Masking/Session/{session['session_uuid']}/")
    assert got["response"]["status"] == "active"
    assert (await api.ask("POST", "/Masking/Session/", json=OTHERS))[1]["virtual_number"] == SECOND
    kept = {number.number.e164: number.state for number in await api.store.numbers(api.acme.id)}
    assert kept[FIRST] is NumberState.RETIRED


@pytest.mark.row("1/phone number resource")
async def test_a_search_finds_nothing_and_renting_is_refused_with_the_reason():
    api = await Api().start()
    status, body = await api.ask("GET", "/PhoneNumber/?country_iso=SG&limit=5&type=local")
    assert (status, body["objects"]) == (200, [])
    assert body["meta"] == {"limit": 5, "next": None, "offset": 0, "previous": None, "total_count": 0}
    for path, json in (("/PhoneNumber/6531580077/", {}), ("/Number/", {"numbers": "6531580077", "carrier": "c"})):
        status, refusal = await api.ask("POST", path, json=json)
        assert status == 403
        assert refusal["error"].startswith("This server rents no numbers. Its operator adds")
    assert len(await api.digits()) == 3
