"""What every answer of the dialect has in common: ids, statuses, shapes of errors, and paths that are not served."""

from __future__ import annotations

import re
import uuid

import pytest

from maskline.errors import ConfigurationError, MasklineError, StoreUnavailable
from tests.support.api_world import PARTIES, ApiWorld, basic, credentials


class Api(ApiWorld):
    async def start(self, **settings):
        self.acme = await self.account()
        await self.number(self.acme)
        self.http = self.client(**settings)
        self.path = f"/v1/Account/{self.acme.id}/Masking/Session/"
        return self

    async def ask(self, method, path="", headers=None, **more):
        headers = credentials(self.acme) if headers is None else headers
        response = await self.http.request(method, self.path + path, headers=dict(headers), **more)
        return response.status_code, response.json()

    async def one_of_each(self):
        """(status, body) of each operation and of each kind of refusal."""
        status, created = await self.ask("POST", json=PARTIES)
        session_id = created["session_uuid"]
        answers = [(status, created)]
        for method, path, more in (
            ("GET", session_id, {}), ("GET", "", {}), ("POST", session_id, {"json": {"record": True}}),
            ("POST", "", {"json": {}}), ("GET", "x", {}), ("PUT", "", {}), ("GET", "", {"headers": {}}),
            ("DELETE", session_id, {}), ("DELETE", session_id, {}),
        ):  # fmt: skip
            answers.append(await self.ask(method, path, **more))
        return answers


@pytest.mark.row("1.2/status codes")
async def test_each_operation_and_each_refusal_has_its_status_and_shape(monkeypatch):
    api = await Api().start()
    answers = await api.one_of_each()

    async def broken(*_args, **_more):
        raise RuntimeError("a bug")

    monkeypatch.setattr(api.store, "session", broken)
    answers.append(await api.ask("GET", "x"))
    api.http = api.client(rate_limit=1)
    await api.ask("GET")
    answers.append(await api.ask("GET"))
    assert [status for status, _ in answers] == [201, 200, 200, 200, 400, 404, 405, 401, 200, 400, 500, 429]
    for status, body in answers:
        assert ("error" in body) == (status >= 400)
        if status >= 400:
            assert {*body} == {"api_id", "error"}
            assert body["error"] and isinstance(body["error"], str)


VENDORS, OUR_OWN = {400, 401, 404, 405, 429, 500}, {403, 408, 409, 410, 413, 422, 503}


def every_error(cls=MasklineError):
    yield cls
    for one in cls.__subclasses__():
        yield from every_error(one)


@pytest.mark.row("1.2/status codes")
async def test_every_error_there_is_has_one_of_the_statuses_and_the_shape(monkeypatch):
    api = await Api().start()
    seen = {405}  # the test above
    # A setting that is wrong ends the start, before anything is answered.
    for cls in {*every_error()} - {ConfigurationError}:

        async def fails(*_args, cls=cls, **_more):
            raise cls

        monkeypatch.setattr(api.store, "session", fails)
        status, body = await api.ask("GET", "x")
        assert (status, {*body}) == (cls.http_status, {"api_id", "error"}), cls
        seen.add(status)
    assert seen == VENDORS | OUR_OWN


@pytest.mark.row("1.1/api_id")
async def test_every_answer_has_an_api_id_of_its_own():
    ids = [body["api_id"] for _, body in await (await Api().start()).one_of_each()]
    assert all(str(uuid.UUID(one)) == one for one in ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.row("1.2/success messages")
async def test_success_has_one_of_three_messages():
    answers = await (await Api().start()).one_of_each()
    assert [body["message"] for _, body in answers if "message" in body] == [
        "Session created", "Session updated", "Session expired",
    ]  # fmt: skip


@pytest.mark.row("1.1/auth")
async def test_credentials_are_an_id_of_twenty_characters_and_its_token():
    api = await Api().start()
    rides = await api.subaccount(api.acme)
    assert re.fullmatch(r"MA[A-Z0-9]{18}", api.acme.id)
    assert re.fullmatch(r"SA[A-Z0-9]{18}", rides.id)
    assert (await api.ask("GET"))[0] == 200
    for headers in (
        {},
        basic(api.acme.id, ""),
        basic(api.acme.id, rides.auth_token),
        basic(api.acme.id.lower(), api.acme.auth_token),
        {"Authorization": "Bearer " + api.acme.auth_token},
        {"Authorization": "Basic !"},
    ):
        assert (await api.ask("GET", headers=headers))[0] == 401


@pytest.mark.row("1/private beta path")
@pytest.mark.parametrize("path", ["Session", "Session/", "Session/5b1a7f2e-0000-4000-8000-000000000001"])
async def test_the_path_of_the_private_beta_is_not_served(path):
    api = await Api().start()
    url = f"/v1/Account/{api.acme.id}/{path}"
    for method in ("GET", "POST"):
        response = await api.http.request(method, url, headers=dict(credentials(api.acme)))
        assert response.status_code == 404
        assert "error" in response.json()


@pytest.mark.row("1/no pool resource")
@pytest.mark.parametrize("path", ["Masking/Pool/", "NumberPool/", "Powerpack/"])
async def test_there_is_no_resource_for_pools(path):
    api = await Api().start()
    response = await api.http.get(f"/v1/Account/{api.acme.id}/{path}", headers=dict(credentials(api.acme)))
    assert response.status_code == 404


async def test_a_database_that_is_away_has_the_same_shape(monkeypatch):
    api = await Api().start()

    async def away(*_args, **_more):
        raise StoreUnavailable

    monkeypatch.setattr(api.store, "session", away)
    status, body = await api.ask("GET", "x")
    assert (status, {*body}) == (503, {"api_id", "error"})
