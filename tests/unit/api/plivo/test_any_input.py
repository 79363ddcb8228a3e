"""Whatever is sent, the answer is one of the dialect's own: never a 500, never a traceback."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskline.api.plivo.attributes import BY_KEY
from maskline.api.plivo.filters import _RANGE_KEYS
from tests.support.api_world import FIRST, PARTIES, ApiWorld, credentials

TEXTS = st.one_of(st.text(max_size=30), st.sampled_from(["", "0", "true", "null", FIRST, "https://h.example/", "mp3"]))
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))
BODIES = st.one_of(
    st.dictionaries(st.one_of(st.sampled_from(sorted(BY_KEY)), TEXTS), VALUES, max_size=6).map(json.dumps),
    st.text(max_size=60),
    st.binary(max_size=60),
)
FILTERS = [*sorted(_RANGE_KEYS), "first_party", "virtual_number", "status", "limit", "offset", "subaccount"]
QUERIES = st.dictionaries(st.sampled_from(FILTERS), st.one_of(TEXTS, st.integers().map(str)), max_size=4)
RARELY = settings(
    max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


# With what a create needs, so that the rest of it is looked at too.
WISHES = st.builds(
    lambda base, more: json.dumps(PARTIES | base | more),
    st.sampled_from([
        {}, {"create_session_with_single_party": True, "second_party": ""},
        {"is_pin_authentication_required": True, "generate_pin": True, "pin_prompt_play": "https://h.example/"},
    ]),
    st.dictionaries(st.sampled_from(sorted(BY_KEY)), VALUES | st.integers(-1, 20), max_size=4),
)  # fmt: skip


async def asked(method, path="", flavour="", **more):
    world = ApiWorld()
    account = await world.account()
    await world.number(account)
    async with world.client() as client:
        base = f"{flavour}/v1/Account/{account.id}/Masking/Session"
        headers = dict(credentials(account))
        created = await client.post(base, json=PARTIES, headers=headers)
        url = base + path.format(created.json()["session_uuid"])
        response = await client.request(method, url, headers=headers, **more)
    body = response.json()
    assert ("error" in body) == (response.status_code >= 400)
    assert "api_id" in body or flavour
    return response.status_code


def as_bytes(body):
    return body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")


@RARELY
@given(BODIES)
async def test_a_create_of_anything_is_made_or_refused(body):
    assert await asked("POST", content=as_bytes(body)) in (201, 400)


@RARELY
@given(WISHES, st.sampled_from(["", "/vts"]))
async def test_a_create_with_any_attributes_is_made_or_refused_in_either_flavour(body, flavour):
    assert await asked("POST", flavour=flavour, content=as_bytes(body)) in (201, 400)


@RARELY
@given(WISHES, st.sampled_from(["", "/vts"]))
async def test_an_update_with_any_attributes_is_done_or_refused_in_either_flavour(body, flavour):
    assert await asked("POST", "/{}/", flavour=flavour, content=as_bytes(body)) in (200, 400)


@RARELY
@given(BODIES)
async def test_an_update_of_anything_is_done_or_refused(body):
    assert await asked("POST", "/{}/", content=as_bytes(body)) in (200, 400)


@RARELY
@given(QUERIES)
async def test_a_list_of_anything_is_answered_or_refused(query):
    assert await asked("GET", "/?" + urlencode(query, errors="surrogatepass")) in (200, 400)
