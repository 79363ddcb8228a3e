"""Logs: no telephone number reaches a line, in whatever position; ids and times stay readable."""

from __future__ import annotations

import ast
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from maskline import logs
from maskline.ids import SeededIds
from maskline.masking.e164 import Number

DIGITS = "6591234567"
NUMBERS = [DIGITS, "+" + DIGITS, "4155552671", "861381234567890", "12345678901234567", "5552671"]


@pytest.fixture(params=["text", "json"])
def lines(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("debug", request.param, stream)
    yield stream
    root.handlers[:], root.level = before
    structlog.reset_defaults()


class Holder:
    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Holder({self.text})"


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_in_any_position_of_a_line_is_masked(lines: io.StringIO, number: str):
    digits = number.lstrip("+")
    log = structlog.get_logger("test")
    with logs.log_context(caller=number):
        log.info("server_started")
    log.info(number)
    log.info("server_started", **{number: "as key"})
    log.info("server_started", text=f"sip:{number}@192.0.2.1:5060;user=phone", quoted=f'"{number}" <tel:{number}>')
    log.info("server_started", integer=int(digits), raw=number.encode(), nested={number: [(number,), {number}]})
    log.info("server_started", url=f"https://example.com/?a=%2B{digits}&b={digits}", holder=Holder(number))
    log.info("server_started", own=Number(digits), several=[Number(digits)])
    log.info("calling %s", number)
    logging.getLogger("uvicorn.error").warning("request from %s", number)
    logging.getLogger("other").info("%(a)s", {"a": number})
    try:
        raise ValueError(f"no route to {number}")
    except ValueError:
        log.exception("part_failed")
        logging.getLogger("asyncio").exception("task died for %s", number)
    written = lines.getvalue()
    assert written.count("\n") >= 12
    assert digits not in written


@pytest.mark.parametrize("written", ["+65 9123 4567", "+1 (415) 555-2671", "+49-30-1234567", "+4915123456789", "+999"])
def test_a_plus_with_digits_is_a_number_however_it_is_grouped(written: str):
    masked = logs.mask_text(f"call to {written} failed")
    assert sum(c.isdigit() for c in masked) <= 4
    assert masked.startswith("call to +••••")
    assert masked.endswith(" failed")


@pytest.mark.parametrize(
    "kept",
    [
        "550e8400-e29b-41d4-a716-446655440000",
        "00000000-0000-4000-8000-000000000000",
        "MA123456789012345678",
        "SAXX1234567XX1234567",
        "z9hG4bK1234567890123456",
        "127.0.0.1:20000-29999",
        "2026-11-22T07:52:12.148723Z",
        "+65••••1234",
        "+352••••1234",
        "12345678901234567890",
        "port 65535, 100000 calls",
        "a1b2c3d4e5f60718",
    ],
)
def test_ids_times_ports_and_masked_numbers_stay(kept: str):
    assert logs.mask_text(kept) == kept


def test_the_ids_we_make_stay_readable():
    ids = SeededIds(7)
    made = [ids.uuid() for _ in range(200)] + [ids.credential_id("MA") for _ in range(200)]
    assert [logs.mask_text(one) for one in made] == made


def test_a_number_glued_to_letters_is_still_masked():
    assert logs.mask_text("call6591234567end") == "call••••4567end"


def test_plain_values_are_untouched():
    assert logs.mask_value(None) is None
    assert logs.mask_value(True) is True
    assert logs.mask_value(8080) == 8080
    assert logs.mask_value(0.123456789) == 0.123456789


def test_a_json_line_has_name_level_time_and_context():
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logs.configure("info", "json", stream)
        with logs.log_context(call="550e8400-e29b-41d4-a716-446655440000"):
            structlog.get_logger("maskline.app").info("server_started", port=8080)
            structlog.get_logger("maskline.app").debug("server_started")
            logging.getLogger("asyncio").error("task died")
            logging.getLogger("uvicorn.access").error("GET /?first_party=6591234567")
    finally:
        root.handlers[:], root.level = before
        structlog.reset_defaults()
        logging.getLogger("uvicorn.access").disabled = False
    line, library = (json.loads(text) for text in stream.getvalue().splitlines())
    assert line["event"] == "server_started"
    assert (line["level"], line["port"], line["logger"]) == ("info", 8080, "maskline.app")
    assert line["call"] == "550e8400-e29b-41d4-a716-446655440000"
    assert line["timestamp"].endswith("Z")
    assert (library["event"], library["message"]) == ("library", "task died")


def test_a_time_is_readable_in_text_and_a_number_in_json(lines: io.StringIO):
    log = structlog.get_logger("maskline.webhooks.deliver")
    log.warning("webhook_retried", at=1_795_349_078.26, attempt=2)
    log.error("request_failed", at="routes.py:82")
    retried, failed = lines.getvalue().splitlines()
    if "{" in retried:
        assert json.loads(retried)["at"] == 1_795_349_078.26
    else:
        assert "at=2026-11-22T12:04:38Z" in retried
    assert "routes.py:82" in failed


def test_every_event_name_has_a_sentence():
    for name, text in logs.EVENTS.items():
        assert name == name.lower()
        assert text.endswith("."), name


def event_names() -> dict[str, str]:
    """Every name that source code passes to a log method → where."""
    found = {}
    for path in Path(logs.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            is_logger = "log" in ast.unparse(node.func.value).lower()
            first = node.args[0]
            if is_logger and node.func.attr in ("debug", "info", "warning", "error", "exception", "critical"):
                name = first.value if isinstance(first, ast.Constant) else ast.unparse(first)
                found[str(name)] = path.name
    return found


def test_every_name_in_the_source_is_listed_and_every_listed_name_is_used():
    used = event_names()
    assert {name: where for name, where in used.items() if name not in logs.EVENTS} == {}
    # Set by the log set-up itself, for lines of libraries.
    assert set(logs.EVENTS) - set(used) - {"library"} == set()
