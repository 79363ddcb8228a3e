"""The literal requests of the clients we do not run: Go, Java, .NET, Ruby, PHP, and examples of the vendors' pages.

Bodies and paths are as those clients put them on the wire (plivo-vts.md §2.2, §2.3, §9.1, and their sources): zeros
for everything unset, keys in odd spellings, numbers as text, doubled slashes. They go as raw HTTP to a real server.
"""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import pytest

from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.sqlite import SqliteStore
from maskline.workflows.add_number import add_number
from maskline.workflows.create_account import create_account
from tests.support.http_server import ServerThread, serving

_pairs = count(1)


class Wire:
    """One account's raw requests."""

    def __init__(self, server: ServerThread, account: Any) -> None:
        self._address = urlsplit(server.url).netloc
        self.collection = f"/v1/Account/{account.id}/Masking/Session/"
        token = base64.b64encode(f"{account.id}:{account.auth_token}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}

    def send(self, method: str, path: str, body: bytes = b"", expected: int = 200) -> Any:
        """The parsed answer of `method` on a path below the collection."""
        connection = http.client.HTTPConnection(self._address, timeout=60)
        connection.request(method, self.collection + path, body, self._headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        assert response.status == expected, answer
        return answer

    def create(self, body: bytes) -> Any:
        return self.send("POST", "", body, 201)["session"]

    def found(self, query: str) -> list[str]:
        return [session["session_uuid"] for session in self.send("GET", f"?{query}")["response"]["objects"]]


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with serving(lambda: SqliteStore(None, Sealer(bytes(KEY_BYTES)))) as server:
        account = server.run(create_account(server.store, server.clock, server.ids, "Acme"))
        for number in ("+6531580001", "+6531580002"):
            server.run(add_number(server.store, server.clock, number, account.id))
        yield Wire(server, account)


@pytest.fixture
def parties() -> dict[str, str]:
    """Two numbers no other test here has used."""
    pair = next(_pairs)
    return {"a": f"+65900{pair:05}", "b": f"+65910{pair:05}"}


def filled(template: str, parties: dict[str, str]) -> bytes:
    """The bytes of `template`, with @a and @b replaced by the parties."""
    return template.replace("@a", parties["a"]).replace("@b", parties["b"]).encode()


def limits(session: dict[str, Any]) -> tuple[int, int, int, int]:
    return session["duration"], session["call_time_limit"], session["ring_timeout"], session["session_expiry"]


DEFAULTS = (3600, 3600, 120, 3600)


@pytest.mark.row("2.2/zeros of typed clients", "2.2/zero is unset")
class TestGo:
    """Every field is omitted when it is zero, but for session_expiry; encoding/json ends with a line feed."""

    def test_a_create_with_nothing_but_the_parties(self, wire: Wire, parties: dict[str, str]) -> None:
        session = wire.create(filled('{"first_party":"@a","second_party":"@b","session_expiry":0}\n', parties))
        assert limits(session) == DEFAULTS

    @pytest.mark.row("2.3/create_session_with_single_Party")
    def test_its_capital_p_opens_a_session_of_one_party(self, wire: Wire, parties: dict[str, str]) -> None:
        body = '{"first_party":"@a","session_expiry":0,"create_session_with_single_Party":true}\n'
        session = wire.create(filled(body, parties))
        assert (session["create_session_with_single_party"], session["second_party"]) == (True, "")
        filled_in = wire.send("POST", f"{session['session_uuid']}/", filled('{"second_party":"@b"}\n', parties))
        assert filled_in["session"]["second_party"] == parties["b"][1:]
        wire.send("DELETE", f"{session['session_uuid']}/")

    def test_an_update_and_a_delete_with_an_empty_body(self, wire: Wire, parties: dict[str, str]) -> None:
        uuid = wire.create(filled('{"first_party":"@a","second_party":"@b","session_expiry":0}\n', parties))[
            "session_uuid"
        ]
        updated = wire.send("POST", f"{uuid}/", b'{"call_time_limit":900,"record":true}\n')["session"]
        assert (updated["call_time_limit"], updated["record"], updated["duration"]) == (900, True, 3600)
        assert wire.send("DELETE", f"{uuid}/")["message"] == "Session expired"


JAVA_CREATE = (
    '{"first_party":"@a","second_party":"@b","record_file_format":null,'
    '"recording_callback_url":null,"callback_url":null,"callback_method":null,"first_party_play_url":null,'
    '"second_party_play_url":null,"recording_callback_method":null,"first_party_pin":null,"second_party_pin":null,'
    '"pin_prompt_play":null,"incorrect_pin_play":null,"unknown_caller_play":null,"subaccount":null,'
    '"initiate_call_to_first_party":false,"is_pin_authentication_required":false,"geomatch":true,'
    '"generate_pin":false,"record":false,"ring_timeout":0,"generate_pin_length":0,"pin_retry":0,"pin_retry_wait":0,'
    '"session_expiry":0,"call_time_limit":0,"create_session_with_single_party":false,'
    '"force_pin_authentication":false,"virtual_number_cooloff_period":0,"pin_authentication_required":false}'
)
JAVA_UPDATE = (
    '{"session_expiry":0,"call_time_limit":0,"ring_timeout":0,"subaccount":null,"recording_callback_method":null,'
    '"second_party_play_url":null,"first_party_play_url":null,"callback_method":null,"callback_url":null,'
    '"recording_callback_url":null,"record_file_format":null,"geomatch":null,"record":true,'
    '"create_session_with_single_party":false}'
)


@pytest.mark.row("2.2/zeros of typed clients", "2.2/zero is unset", "2.2/unknown keys and null")
class TestJava:
    """Every int and boolean is always there, with a key that comes of the name of a getter."""

    def test_a_create_with_nothing_but_the_parties(self, wire: Wire, parties: dict[str, str]) -> None:
        session = wire.create(filled(JAVA_CREATE, parties))
        assert limits(session) == DEFAULTS
        assert (session["is_pin_authentication_required"], session["pin_retry"]) == (False, None)
        assert session["virtual_number_cooloff_period"] == 0

    def test_an_update_of_one_thing_changes_only_that(self, wire: Wire, parties: dict[str, str]) -> None:
        body = '{"first_party":"@a","second_party":"@b","session_expiry":600,"call_time_limit":700,"ring_timeout":40}'
        before = wire.create(filled(body, parties))
        after = wire.send("POST", f"{before['session_uuid']}/", JAVA_UPDATE.encode())["session"]
        changed = {name for name, value in after.items() if value != before[name]}
        assert "record" in changed
        assert changed <= {"record", "modified_time"}

    @pytest.mark.row("2/second_party", "1.2/mandatory parameter")
    def test_the_party_it_cannot_leave_out_is_empty_and_counts_as_missing(
        self, wire: Wire, parties: dict[str, str]
    ) -> None:
        refused = wire.send("POST", "", filled(JAVA_CREATE.replace("@b", ""), parties), 400)
        assert refused["error"] == "Mandatory parameter missing. second_party must be present"
        single = JAVA_CREATE.replace("@b", "").replace('_single_party":false', '_single_party":true')
        session = wire.create(filled(single, parties))
        assert (session["first_party"], session["second_party"]) == (parties["a"][1:], "")
        # Its update says false to everything it was not told, single party included, and means nothing by it.
        updated = wire.send("POST", f"{session['session_uuid']}/", JAVA_UPDATE.encode())["session"]
        assert updated["create_session_with_single_party"] is True
        wire.send("DELETE", f"{session['session_uuid']}/")

    @pytest.mark.row("2.3/PIN authentication")
    def test_its_stray_key_yields_to_the_real_one(self, wire: Wire, parties: dict[str, str]) -> None:
        wanted = JAVA_CREATE.replace('is_pin_authentication_required":false', 'is_pin_authentication_required":true')
        wanted = wanted.replace('"pin_prompt_play":null', '"pin_prompt_play":"https://h.invalid/pin.mp3"')
        session = wire.create(filled(wanted.replace('"generate_pin":false', '"generate_pin":true'), parties))
        assert '"pin_authentication_required":false' in wanted
        assert session["is_pin_authentication_required"] is True
        assert (len(session["first_party_pin"]), len(session["second_party_pin"])) == (4, 4)
        assert session["pin_retry_wait"] == 5
        wire.send("DELETE", f"{session['session_uuid']}/")

    @pytest.mark.row("2.3/one underscore")
    def test_its_filters_have_one_underscore(self, wire: Wire, parties: dict[str, str]) -> None:
        session = wire.create(filled('{"first_party":"@a","second_party":"@b","session_expiry":4000}', parties))
        created, expires = (session[name][:19].replace(" ", "%20") for name in ("created_time", "expiry_time"))
        mine = f"first_party={parties['a'][1:]}"
        inside = f"created_time_gte={created}&created_time_lte={created}&expiry_time_gte={expires}&duration_gt=3999"
        assert wire.found(f"{mine}&{inside}&duration_lt=4001") == [session["session_uuid"]]
        for outside in (
            f"created_time_gt={created}", f"created_time_lt={created}", f"expiry_time_gt={expires}",
            f"expiry_time_lt={expires}", "duration_gte=4001", "duration_lte=3999",
        ):  # fmt: skip
            assert wire.found(f"{mine}&{outside}") == [], outside


@pytest.mark.row("2.2/zeros of typed clients", "1/trailing slash")
class TestDotNet:
    """Sends its own flag beside ours, a cool-off of 0, and two slashes before the uuid."""

    CREATE = (
        '{"first_party":"@a","second_party":"@b","virtual_number_cooloff_period":0,'
        '"create_session_with_single_party":false,"force_pin_authentication":false}'
    )

    def test_a_session_lives_from_create_to_delete(self, wire: Wire, parties: dict[str, str]) -> None:
        session = wire.create(filled(self.CREATE, parties))
        assert limits(session) == DEFAULTS
        doubled = f"/{session['session_uuid']}/"
        updated = wire.send("POST", doubled, b'{"session_expiry":600,"is_voice_request":true}')["session"]
        assert (updated["session_uuid"], updated["session_expiry"]) == (session["session_uuid"], 600)
        assert wire.send("GET", f"{doubled}?is_voice_request=True")["response"]["session_expiry"] == 600
        assert wire.send("DELETE", doubled, b"{}")["message"] == "Session expired"


@pytest.mark.row("2.3/integers as text")
class TestRuby:
    """Update and list refuse Ruby's integers, so its users send texts."""

    def test_numbers_as_text(self, wire: Wire, parties: dict[str, str]) -> None:
        body = '{"first_party":"@a","second_party":"@b","session_expiry":"600","ring_timeout":"30"}'
        session = wire.create(filled(body, parties))
        assert limits(session) == (600, 3600, 30, 600)
        path = f"{session['session_uuid']}/"
        updated = wire.send("POST", path, b'{"session_expiry":"1200","call_time_limit":"900"}')["session"]
        assert limits(updated)[1:] == (900, 30, 1200)
        assert wire.found(f"first_party={parties['a'][1:]}&duration__gte=1200&limit=5&offset=0") == [
            session["session_uuid"]
        ]
        # Ruby's JSON of a call without arguments.
        assert wire.send("DELETE", path, b"null")["message"] == "Session expired"


class TestPhp:
    """Guzzle sends an array that is empty as [] or {}, and its own flag in the query of a GET."""

    def test_get_and_delete(self, wire: Wire, parties: dict[str, str]) -> None:
        body = '{"first_party":"@a","second_party":"@b","isVoiceRequest":true}'
        path = f"{wire.create(filled(body, parties))['session_uuid']}/"
        assert wire.send("GET", f"{path}?isVoiceRequest=1")["response"]["status"] == "active"
        assert wire.send("DELETE", path, b"[]")["message"] == "Session expired"


class TestPagesOfTheVendors:
    @pytest.mark.row("2.3/pin as number", "2.3/PIN authentication")
    def test_the_pins_of_the_questions_page_are_numbers(self, wire: Wire, parties: dict[str, str]) -> None:
        body = (
            '{"first_party":"@a","second_party":"@b","is_pin_authentication":true,"first_party_pin":1234,'
            '"second_party_pin":43210,"pin_prompt_play":"https://h.invalid/pin.mp3","force_pin_authentication":true}'
        )
        session = wire.create(filled(body, parties))
        assert session["is_pin_authentication_required"] is True
        assert (session["first_party_pin"], session["second_party_pin"]) == ("1234", "43210")
        assert session["force_pin_authentication"] is True
        wire.send("DELETE", session["session_uuid"])

    @pytest.mark.row("2.3/booleans as text")
    def test_the_update_of_the_vts_page_says_true_as_text(self, wire: Wire, parties: dict[str, str]) -> None:
        session = wire.create(filled('{"first_party":"@a","second_party":"@b"}', parties))
        updated = wire.send("POST", session["session_uuid"], b'{"record":"true"}')["session"]
        assert updated["record"] is True

    @pytest.mark.row("2.3/session_duration")
    def test_the_oldest_name_of_the_duration_filter(self, wire: Wire, parties: dict[str, str]) -> None:
        session = wire.create(filled('{"first_party":"@a","second_party":"@b","session_expiry":5000}', parties))
        mine = f"first_party={parties['a'][1:]}"
        assert wire.found(f"{mine}&session_duration=5000&session_duration__gt=4999") == [session["session_uuid"]]
        assert wire.found(f"{mine}&session_duration=5001") == []
        assert wire.found(f"{mine}&session_duration__lt=5000") == []

    @pytest.mark.row("2.2/unknown keys and null")
    def test_unknown_keys_and_null_are_not_there(self, wire: Wire, parties: dict[str, str]) -> None:
        body = '{"first_party":"@a","second_party":"@b","powerpack_uuid":"x","ring_timeout":null,"record":null}'
        session = wire.create(filled(body, parties))
        assert (limits(session), session["record"]) == (DEFAULTS, False)
