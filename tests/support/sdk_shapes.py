"""What each official client of Plivo needs of an answer, as strict checks; written apart from the serializer.

Derived from plivo-vts.md §5, §9.2 and §10 and from reading the clients' own sources: Go's structs (int64 next to
float64, slices, nothing that may be null where a field is no pointer), Java's and .NET's response classes, the keys
PHP indexes without asking, and what Ruby makes an attribute of. Python's and Node's clients run for real
(`test_plivo_python_by_proxy.py`, `test_plivo_node.py`) and are here for their error bodies alone.

Who uses it: `test_sdk_shapes.py`. A new kind of session needs no change here: it is one more answer to check.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.shapes import (
    Check,
    anything,
    array,
    both,
    fields,
    flag,
    matching,
    null,
    nullable,
    number,
    record,
    text,
    whole,
)

OPERATIONS = ("create", "get", "list", "update", "delete", "error")
STATUS = {"create": 201, "get": 200, "list": 200, "update": 200, "delete": 200}
"""Of a success (§1); an error has 400 or more, and below 500 for everything that would fail again (§10)."""


@dataclass(frozen=True)
class Answer:
    """What the server said to one operation; `about` names the kind of session for whoever reads a failure."""

    operation: str
    about: str
    status: int
    content_type: str
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


# --- §5 and §5.1: the object itself, whoever reads it

_uuid = matching("UUID", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_digits = matching("number in digits", r"[1-9]\d{5,14}")
_party = matching("number in digits, or empty", r"(?:[1-9]\d{5,14})?")
_time = matching("time", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC")
_time_or_empty = matching("time, or empty", r"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC)?")
_url = matching("absolute URL", r"https?://\S+")
_url_or_empty = matching("absolute URL, or empty", r"(?:https?://\S+)?")
_call_url = matching("URL of a call", r"https?://[^/]+/v1/Account/(?:MA|SA)[A-Z0-9]{18}/Call/[0-9a-f-]{36}")
_method = matching("GET or POST", "GET|POST")
_account = matching("account id", "(?:MA|SA)[A-Z0-9]{18}")

INTERACTION = record(
    {
        **fields(_time, "start_time end_time"),
        **fields(nullable(_call_url), "first_party_resource_url second_party_resource_url"),
        **fields(nullable(_url), "recording_resource_url"),
        **fields(number, "total_call_amount duration"),
        **fields(whole, "call_billed_duration total_call_count"),
        "type": matching("call", "call"),
        "auth_id": _account,
    }
)
_PIN = "generate_pin generate_pin_length first_party_pin second_party_pin pin_prompt_play pin_retry pin_retry_wait"
_PIN_OFF = record(fields(null, _PIN + " incorrect_pin_play"))
_pin = matching("PIN", r"\d{4,15}")
_PIN_ON = record(
    {
        **fields(flag, "generate_pin"),
        **fields(nullable(whole), "generate_pin_length"),
        **fields(whole, "pin_retry pin_retry_wait"),
        **fields(nullable(_pin), "first_party_pin second_party_pin"),
        **fields(_url_or_empty, "pin_prompt_play"),  # empty where the pool, not the request, asks for PINs
        **fields(nullable(_url_or_empty), "incorrect_pin_play"),
    }
)


def _pin_details(session: Any, path: str) -> Iterator[str]:
    required = isinstance(session, dict) and session.get("is_pin_authentication_required")
    return (_PIN_ON if required else _PIN_OFF)(session, path)


def _parties(session: Any, path: str) -> Iterator[str]:
    if not isinstance(session, dict):
        return
    given = [name for name in ("first_party", "second_party") if session.get(name)]
    if len(given) < (1 if session.get("create_session_with_single_party") else 2):
        yield f"{path} has the parties {given}"


SESSION = both(
    record(
        {
            **fields(_uuid, "session_uuid"),
            **fields(nullable(_party), "first_party second_party"),
            **fields(_digits, "virtual_number"),
            **fields(matching("status", "active|in-progress|expired"), "status"),
            **fields(_time, "created_time modified_time expiry_time"),
            **fields(_time_or_empty, "last_interaction_time"),
            **fields(_url_or_empty, "callback_url recording_callback_url first_party_play_url second_party_play_url"),
            **fields(_url_or_empty, "unknown_caller_play"),
            **fields(_method, "callback_method recording_callback_method"),
            **fields(matching("mp3 or wav", "mp3|wav"), "record_file_format"),
            **fields(whole, "duration session_expiry call_time_limit ring_timeout virtual_number_cooloff_period"),
            **fields(whole, "amount total_call_count total_call_billed_duration"),
            **fields(number, "total_call_amount total_session_amount"),
            **fields(flag, "initiate_call_to_first_party record is_pin_authentication_required"),
            **fields(flag, "create_session_with_single_party force_pin_authentication"),
            **fields(matching("account id, or empty", "(?:SA[A-Z0-9]{18})?"), "subaccount"),
            **fields(nullable(array(INTERACTION, least=1)), "interaction"),
        }
    ),
    _pin_details,
    _parties,
)
_META = record({**fields(whole, "limit offset total_count"), **fields(nullable(text), "next previous")})
_LISTED = both(
    SESSION, record({"resource_uri": matching("path", r"/v1/Account/\w{20}/Masking/Session/[0-9a-f-]{36}/")})
)
_PLUS = matching("number with +", r"\+[1-9]\d{5,14}")
_MESSAGE = {"api_id": _uuid, "message": text}
DOCUMENTED: dict[str, Check] = {
    "create": record(
        {**_MESSAGE, "session_uuid": _uuid, "virtual_number": _PLUS, "session": SESSION}, without=("error",)
    ),
    "get": record({"api_id": _uuid, "response": SESSION}, without=("error",)),
    "list": record(
        {"api_id": _uuid, "response": record({"meta": _META, "objects": array(_LISTED)})}, without=("error",)
    ),
    "update": record({**_MESSAGE, "session": SESSION}, without=("error",)),
    "delete": record(_MESSAGE, without=("error",)),
    "error": record({"api_id": _uuid, "error": text}),
}

# --- Go: encoding/json into structs. null leaves a field at its zero, so it is an error only where the value matters.

_GO_INTERACTION = record(
    {
        **fields(text, "start_time end_time type auth_id"),
        **fields(nullable(text), "first_party_resource_url second_party_resource_url recording_resource_url"),
        **fields(whole, "call_billed_duration total_call_count"),
        **fields(number, "total_call_amount duration"),
    }
)
_GO_SESSION = record(
    {
        **fields(text, "virtual_number status session_uuid callback_url callback_method"),
        **fields(nullable(text), "first_party second_party"),
        **fields(text, "created_time modified_time expiry_time first_party_play_url second_party_play_url"),
        **fields(text, "record_file_format recording_callback_url recording_callback_method last_interaction_time"),
        **fields(nullable(text), "first_party_pin second_party_pin pin_prompt_play incorrect_pin_play"),
        **fields(nullable(text), "unknown_caller_play"),
        **fields(flag, "initiate_call_to_first_party record is_pin_authentication_required"),
        **fields(nullable(flag), "generate_pin force_pin_authentication"),
        **fields(whole, "duration amount call_time_limit ring_timeout total_call_count total_call_billed_duration"),
        **fields(nullable(whole), "generate_pin_length pin_retry pin_retry_wait virtual_number_cooloff_period"),
        **fields(number, "total_call_amount total_session_amount"),
        "interaction": nullable(array(_GO_INTERACTION)),
    }
)
_GO_META = record({**fields(whole, "limit offset total_count"), **fields(nullable(text), "next previous")})
GO: dict[str, Check] = {
    "create": record({**fields(text, "api_id session_uuid virtual_number message"), "session": _GO_SESSION}),
    "get": record({"api_id": text, "response": _GO_SESSION}),
    "list": record({"api_id": text, "response": record({"meta": _GO_META, "objects": array(_GO_SESSION)})}),
    "update": record({**fields(text, "api_id message"), "session": _GO_SESSION}),
    "delete": record(fields(text, "api_id message")),
    "error": anything,  # the raw body becomes the error's text
}

# --- Java: Jackson into classes whose `session` and `response` are Objects; Long and String are not lenient to objects.

_an_object = record({})
JAVA: dict[str, Check] = {
    "create": record({**fields(text, "api_id message session_uuid virtual_number"), "session": _an_object}),
    "get": record({"api_id": text, "response": _an_object}),
    "list": record({"api_id": text, "response": record({"meta": _META, "objects": array(_an_object)})}),
    "update": record({**fields(text, "api_id message"), "session": _an_object}),
    "delete": record(fields(text, "api_id message")),
    "error": record({"error": text}),
}

# --- Ruby: every key becomes an instance variable and a reader on the object that holds it.

_RUBY_NAME = r"[a-z_][A-Za-z0-9_]*"
# A reader by one of these names would replace a method the client itself calls.
_RUBY_TAKEN = {"class", "send", "id", "update", "delete", "to_s", "hash", "method", "instance_variable_get"}


def _ruby_attributes(value: Any, path: str) -> Iterator[str]:
    fits = matching("name of a Ruby variable", _RUBY_NAME)
    for key in value if isinstance(value, dict) else ():
        yield from fits(key, f"{path}: key")
        if key in _RUBY_TAKEN:
            yield f"{path}.{key} would replace a method of the client"


_ruby_object = both(_an_object, _ruby_attributes)
RUBY: dict[str, Check] = {
    "create": both(_ruby_attributes, record({"session": _an_object})),
    "get": record({"response": both(_ruby_object, record({"session_uuid": text}))}),
    "list": record({"api_id": text, "response": record({"meta": _an_object, "objects": array(_ruby_object)})}),
    "update": both(_ruby_attributes, record({"api_id": text, "message": text, "session": _ruby_object})),
    "delete": _ruby_object,
    "error": record({"error": text}),  # an object would be asked for its own `error`
}

# --- PHP: indexes these keys unasked; any body with the key `error` is a failure.

PHP: dict[str, Check] = {
    "create": record(fields(anything, "api_id session_uuid virtual_number message session"), without=("error",)),
    "get": record({"api_id": anything, "response": record({"session_uuid": text})}, without=("error",)),
    "list": record(
        {"api_id": anything, "response": record({"meta": _an_object, "objects": array(_an_object)})},
        without=("error",),
    ),
    "update": record(fields(anything, "api_id message session"), without=("error",)),
    "delete": record({}, without=("error",)),
    "error": record({"error": text}),
}

# --- .NET: Newtonsoft into classes; counts are uint, so they may not be negative.

_uint = both(whole, lambda value, path: iter([f"{path} is negative"] if type(value) is int and value < 0 else []))
_NET_META = record({**fields(_uint, "limit offset total_count"), **fields(nullable(text), "next previous")})
NET: dict[str, Check] = {
    "create": record({**fields(text, "api_id message session_uuid virtual_number"), "session": _an_object}),
    "get": record({"api_id": text, "response": _an_object}),
    "list": record({"api_id": text, "response": record({"meta": _NET_META, "objects": array(_an_object)})}),
    "update": record({**fields(text, "api_id message"), "session": record({"session_uuid": text})}),
    "delete": record(fields(text, "api_id message")),
    "error": record({"error": text}),
}

CLIENTS: dict[str, dict[str, Check]] = {
    "documented": DOCUMENTED, "go": GO, "java": JAVA, "ruby": RUBY, "php": PHP, "net": NET
}  # fmt: skip


def faults(client: str, answer: Answer) -> list[str]:
    """What of `answer` this client could not read, or would read wrongly; empty when all is well."""
    found = []
    if answer.operation == "error":
        if not 400 <= answer.status < 500:
            found.append(f"status {answer.status} makes every client send the request again")
    elif answer.status != STATUS[answer.operation]:
        found.append(f"status {answer.status}, not {STATUS[answer.operation]}")
    # Ruby parses what calls itself JSON, and Java refuses an empty body even of a delete.
    if answer.content_type.partition(";")[0].strip() != "application/json":
        found.append(f"content type {answer.content_type!r}")
    if not answer.body:
        return [*found, "an empty body"]
    return found + list(CLIENTS[client][answer.operation](answer.json, "$"))
