"""From the JSON body of an answer to the values of `results.py`.

What it is: where a flavour keeps its session and its list, and one reader for all records, driven by the types at their
fields. Nothing is lost: what no field takes goes to `extra`. Who uses it: `core.py`.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from maskline.client import values
from maskline.client.errors import UnreadableAnswer
from maskline.client.results import Interaction, Message, Meta, Session, SessionPage, SessionReply

R = TypeVar("R", Interaction, Session, SessionReply, Meta, Message)
Reader = Callable[[object], Any]
Body = Mapping[str, Any]
Headers = Mapping[str, str]
"""Names in lower case."""
REPLAYED = "idempotent-replayed"


def parse_body(content: bytes) -> dict[str, Any]:
    """The JSON object of an answer; nothing is an empty one. Raises `UnreadableAnswer`."""
    if not content.strip():
        return {}
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise UnreadableAnswer("The answer is not JSON.") from None
    if not isinstance(body, dict):
        raise UnreadableAnswer("The answer is not a JSON object.")
    return body


def read_reply(body: Body, headers: Headers) -> SessionReply:
    """Of create, update (`session`), get (`response`), and the flat ones of VTS."""
    for name in ("session", "response"):
        if isinstance(body.get(name), dict):
            # The inner object is the session; what stands beside it and is no field of its own is kept as well.
            body = {**{key: value for key, value in body.items() if key != name}, **body[name]}
            break
    if not body.get("session_uuid"):
        raise UnreadableAnswer("The answer holds no session.")
    reply = _record(SessionReply, body)
    return dataclasses.replace(reply, replayed=True) if headers.get(REPLAYED) == "true" else reply


def read_page(body: Body, _headers: Headers) -> SessionPage:
    """Of `response.objects` (Plivo) or a flat `sessions` (VTS)."""
    inner = body["response"] if isinstance(body.get("response"), dict) else body
    name = "sessions" if isinstance(inner.get("sessions"), list) else "objects"
    if not isinstance(inner.get(name), list):
        raise UnreadableAnswer("The answer holds no list.")
    meta = inner.get("meta")
    # A session without an id is none: it is left where it can be seen.
    strange = [raw for raw in inner[name] if not _is_session(raw)]
    extra = {key: value for key, value in inner.items() if key not in (name, "meta", "api_id")}
    return SessionPage(
        meta=_record(Meta, meta if isinstance(meta, dict) else {}),
        objects=tuple(_record(Session, raw) for raw in inner[name] if _is_session(raw)),
        api_id=str(body.get("api_id") or inner.get("api_id") or ""),
        extra=extra | ({name: strange} if strange else {}),
    )


def read_message(body: Body, _headers: Headers) -> Message:
    return _record(Message, body)


def _is_session(raw: object) -> bool:
    return isinstance(raw, dict) and bool(raw.get("session_uuid"))


def _record(cls: type[R], body: Body) -> R:
    readers = _READERS[cls]
    fields: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, raw in body.items():
        reader = readers.get(name)
        if reader is None:
            extra[name] = raw
        elif not values.is_nothing(raw):
            try:
                fields[name] = reader(raw)
            except (ValueError, RecursionError):
                extra[name] = raw
    return cls(**fields, extra=extra)


def _readers(cls: type[R]) -> dict[str, Reader]:
    return {field.name: _reader(str(field.type)) for field in dataclasses.fields(cls) if field.name != "extra"}


def _reader(type_name: str) -> Reader:
    if type_name == "tuple[Interaction, ...]":
        return _interactions
    plain, _, nullable = type_name.partition(" | ")
    reader = values.BY_TYPE[plain]
    if plain == "str":
        return reader
    # No number is written "" in both flavours; it is told, unlike a field that is not there.
    return functools.partial(_unless_empty, reader, None if nullable and plain != "E164" else _ZEROS.get(plain))


_ZEROS: dict[str, Any] = {"int": 0, "bool": False, "Decimal": values.amount(0), "E164": ""}


def _unless_empty(reader: Reader, empty: object, raw: object) -> Any:
    return empty if raw == "" else reader(raw)


def _interactions(raw: object) -> tuple[Interaction, ...]:
    """An array; VTS' page shows the text `{}` for none."""
    if isinstance(raw, str):
        raw = json.loads(raw)
    if raw in ({}, []) or raw is None:
        return ()
    if isinstance(raw, dict):
        raw = [raw]
    if not isinstance(raw, list) or not all(isinstance(one, dict) for one in raw):
        raise ValueError
    return tuple(_record(Interaction, one) for one in raw)


_READERS: Mapping[type, Mapping[str, Reader]] = {
    Interaction: _readers(Interaction),
    Session: _readers(Session),
    SessionReply: _readers(SessionReply),
    Meta: _readers(Meta),
    Message: _readers(Message),
}
