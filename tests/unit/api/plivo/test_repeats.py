"""A POST that is sent again, with an Idempotency-Key and without one."""

from __future__ import annotations

import pytest

from tests.support.api_world import PARTIES, ApiWorld, credentials

pytestmark = pytest.mark.usefixtures("each_store")
OTHER_PAIR = {"first_party": "+6590000071", "second_party": "+6590000072"}
MISMATCH = "This Idempotency-Key was used with another request"


class Api(ApiWorld):
    """One account with five numbers; time moves by a second with each request."""

    async def start(self, **settings):
        await self.store.open()
        self.acme = await self.account()
        for number in range(5):
            await self.number(self.acme, f"+65315800{number:02}")
        self.http = self.client(**settings)
        return self

    async def post(self, body, key=None, path="", account=None):
        """Status, session id or error, and whether the answer is marked as repeated."""
        account = account or self.acme
        self.clock.advance(1)
        headers = dict(credentials(account)) | ({} if key is None else {"Idempotency-Key": key})
        url = f"/v1/Account/{account.id}/Masking/Session/{path}"
        response = await self.http.post(url, json=body, headers=headers)
        answer = response.json()
        told = answer["error"] if "error" in answer else answer["session"]["session_uuid"]
        return response.status_code, told, response.headers.get("idempotent-replayed") == "true"

    async def delete(self, session_id):
        url = f"/v1/Account/{self.acme.id}/Masking/Session/{session_id}/"
        assert (await self.http.delete(url, headers=dict(credentials(self.acme)))).status_code == 200


class TestWithAKey:
    @pytest.mark.row("6.2/repeated creates")
    async def test_a_create_makes_one_session_however_often_it_is_sent(self):
        api = await Api().start()
        status, session_id, again = await api.post(PARTIES, "k")
        assert (status, again) == (201, False)
        assert await api.post(PARTIES, "k") == (201, session_id, True)
        api.clock.advance(24 * 3600 - 5)
        assert await api.post(PARTIES, "k") == (201, session_id, True)

    async def test_it_is_forgotten_after_a_day(self):
        api = await Api().start()
        _, session_id, _ = await api.post(PARTIES, "k")
        api.clock.advance(24 * 3600)
        status, another, again = await api.post(PARTIES, "k")
        assert (status, again) == (201, False)
        assert another != session_id

    async def test_a_session_that_is_over_is_shown_as_it_is_now(self):
        api = await Api().start()
        _, session_id, _ = await api.post(PARTIES, "k")
        await api.delete(session_id)
        assert await api.post(PARTIES, "k") == (201, session_id, True)

    async def test_the_same_values_in_other_words_are_the_same_request(self):
        api = await Api().start()
        _, session_id, _ = await api.post(PARTIES | {"record": "true", "session_expiry": "600", "ring_timeout": 0}, "k")
        backwards = {"session_expiry": 600, "record": True} | dict(reversed(PARTIES.items()))
        assert await api.post(backwards, "k") == (201, session_id, True)

    async def test_another_request_under_it_is_422(self):
        api = await Api().start()
        _, session_id, _ = await api.post(PARTIES, "k")
        assert await api.post(PARTIES | {"record": True}, "k") == (422, MISMATCH, False)
        assert await api.post({"record": True}, "k", session_id) == (422, MISMATCH, False)

    async def test_another_key_is_another_request(self):
        api = await Api().start(create_window=15.0)
        _, first, _ = await api.post(PARTIES, "a")
        status, second, again = await api.post(PARTIES, "b")
        assert (status, again) == (201, False)
        assert second != first

    async def test_accounts_and_their_subaccounts_have_keys_of_their_own(self):
        api = await Api().start()
        rides = await api.subaccount(api.acme)
        await api.number(rides, "+6531580009")
        _, first, _ = await api.post(PARTIES, "k")
        status, second, again = await api.post(PARTIES, "k", account=rides)
        assert (status, again) == (201, False)
        assert second != first

    async def test_a_refused_create_leaves_no_trace(self):
        api = await Api().start()
        assert (await api.post(PARTIES | {"geomatch": True, "first_party": "+14155550100"}, "k"))[0] == 400
        status, _, again = await api.post(PARTIES, "k")
        assert (status, again) == (201, False)

    async def test_an_update_takes_effect_once(self):
        api = await Api().start()
        _, session_id, _ = await api.post(PARTIES)
        wish = {"session_expiry": 600}
        assert await api.post(wish, "u", session_id) == (200, session_id, False)
        ends = (await api.store.session(api.acme.id, session_id)).expires_at
        assert await api.post(wish, "u", session_id) == (200, session_id, True)
        assert (await api.store.session(api.acme.id, session_id)).expires_at == ends
        assert await api.post({"session_expiry": 700}, "u", session_id) == (422, MISMATCH, False)

    async def test_an_update_sent_again_after_the_end_is_answered_as_before(self):
        api = await Api().start()
        _, session_id, _ = await api.post(PARTIES)
        await api.post({"record": True}, "u", session_id)
        await api.delete(session_id)
        assert await api.post({"record": True}, "u", session_id) == (200, session_id, True)
        assert await api.post({"record": False}, "v", session_id) == (400, "Session already expired", False)

    @pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\u00e9"])
    async def test_a_key_that_is_none_is_400(self, key):
        api = await Api().start()
        sentence = "Invalid request. Idempotency-Key should be 1 to 255 visible ASCII characters"
        assert await api.post(PARTIES, key.encode()) == (400, sentence, False)


class TestWithoutAKey:
    @pytest.mark.row("6.2/repeated creates", "6.2/every pair its own session")
    async def test_the_same_create_within_the_window_returns_the_live_session(self):
        api = await Api().start(create_window=15.0)
        _, session_id, _ = await api.post(PARTIES)
        for _ in range(2):
            assert await api.post(PARTIES) == (201, session_id, True)
        api.clock.advance(15)
        status, another, again = await api.post(PARTIES)
        assert (status, again) == (201, False)
        assert another != session_id

    async def test_a_session_that_is_over_does_not_come_back(self):
        api = await Api().start(create_window=15.0)
        _, session_id, _ = await api.post(PARTIES)
        await api.delete(session_id)
        status, another, again = await api.post(PARTIES)
        assert (status, again) == (201, False)
        assert another != session_id
        assert await api.post(PARTIES) == (201, another, True)

    async def test_anything_else_in_it_makes_another_session(self):
        api = await Api().start(create_window=15.0)
        made = {(await api.post(body))[1] for body in (PARTIES, OTHER_PAIR, PARTIES | {"ring_timeout": 30})}
        assert len(made) == 3

    async def test_without_a_window_every_create_makes_its_own(self):
        api = await Api().start()
        assert (await api.post(PARTIES))[1] != (await api.post(PARTIES))[1]

    async def test_an_update_counts_each_time(self):
        api = await Api().start(create_window=15.0)
        _, session_id, _ = await api.post(PARTIES)
        ends = []
        for _ in range(2):
            assert await api.post({"session_expiry": 600}, path=session_id) == (200, session_id, False)
            ends.append((await api.store.session(api.acme.id, session_id)).expires_at)
        assert ends[1] == ends[0] + 1


class TestChangesOfTheAccount:
    """POST /Number/{n}/ and POST /Subaccount/{id}/ with a key."""

    async def start(self):
        api = await Api().start()
        self.rides = await api.subaccount(api.acme)
        return api

    async def change(self, api, path, body, key="k", account=None):
        account = account or api.acme
        api.clock.advance(1)
        headers = dict(credentials(account)) | {"Idempotency-Key": key}
        response = await api.http.post(f"/v1/Account/{account.id}{path}", json=body, headers=headers)
        told = response.json().get("error", response.json().get("message"))
        return response.status_code, told, response.headers.get("idempotent-replayed") == "true"

    async def test_a_number_is_changed_once_however_often_that_is_sent(self):
        api = await self.start()
        path, body = "/Number/6531580000/", {"alias": "Desk", "subaccount": self.rides.id}
        assert await self.change(api, path, body) == (202, "changed", False)
        assert await self.change(api, path, {"alias": "Night", "subaccount": ""}, "other") == (202, "changed", False)
        assert await self.change(api, "/Number/+6531580000/", dict(reversed(body.items()))) == (202, "changed", True)
        number = next(one for one in await api.store.numbers(api.acme.id) if one.number.digits == "6531580000")
        assert (number.alias, number.subaccount_id) == ("Night", None)

    async def test_a_subaccount_is_changed_once_however_often_that_is_sent(self):
        api = await self.start()
        path = f"/Subaccount/{self.rides.id}/"
        assert await self.change(api, path, {"name": "Rides", "enabled": False}) == (202, "changed", False)
        assert await self.change(api, path, {"enabled": True}, "other") == (202, "changed", False)
        assert await self.change(api, path, {"name": "Rides", "enabled": "false"}) == (202, "changed", True)
        account = await api.store.account(self.rides.id)
        assert (account.name, account.enabled) == ("Rides", True)

    async def test_a_change_that_says_nothing_new_takes_its_key_too(self):
        api = await self.start()
        path = "/Number/6531580000/"
        assert await self.change(api, path, {"alias": ""}) == (202, "changed", False)
        assert await self.change(api, path, {"alias": ""}) == (202, "changed", True)
        assert await self.change(api, path, {"alias": "x"}) == (422, MISMATCH, False)

    async def test_a_key_is_for_one_request_of_all(self):
        api = await self.start()
        number, subaccount = "/Number/6531580000/", f"/Subaccount/{self.rides.id}/"
        assert (await self.change(api, number, {"alias": "x"}))[0] == 202
        for path, body in (
            (number, {"alias": "y"}), ("/Number/6531580001/", {"alias": "x"}), (subaccount, {"name": "x"}),
            ("/Masking/Session/", PARTIES), ("/Subaccount/", {"name": "x"}),
        ):  # fmt: skip
            assert await self.change(api, path, body) == (422, MISMATCH, False)
        assert [one.alias for one in await api.store.numbers(api.acme.id)] == ["x", "", "", "", ""]
        assert (await api.store.account(self.rides.id)).name == self.rides.name

    async def test_a_key_that_is_none_is_refused(self):
        api = await self.start()
        for path, body in (("/Number/6531580000/", {"alias": "x"}), (f"/Subaccount/{self.rides.id}/", {"name": "x"})):
            for key in ("", "a b", "x" * 256):
                status, told, _ = await self.change(api, path, body, key)
                assert (status, told) == (
                    400, "Invalid request. Idempotency-Key should be 1 to 255 visible ASCII characters",
                )  # fmt: skip
        assert (await api.store.account(self.rides.id)).name == self.rides.name
