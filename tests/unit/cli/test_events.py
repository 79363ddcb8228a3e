"""`maskline events trigger`: what was sent and answered, for people and programs, and the exit code."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.support.command_line import Cli


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Answers with an empty call flow on /vca, and with 500 elsewhere."""
    monkeypatch.setenv("MASKLINE_EGRESS_ALLOW", "127.0.0.0/8")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200 if self.path == "/vca" else 500)
            self.end_headers()
            self.wfile.write(b'{"callflow": []}')

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def allowed(services: object) -> None:
    """The commands of these tests may call loopback, as MASKLINE_EGRESS_ALLOW opens it."""
    settings = services.settings  # type: ignore[attr-defined]
    object.__setattr__(services, "settings", settings.model_copy(update={"egress_allow": "127.0.0.0/8"}))


def test_status_time_body_and_answer_are_shown(cli: Cli, receiver: str) -> None:
    told = cli("events", "trigger", "vca", "--url", f"{receiver}/vca")
    assert (told.code, told.err) == (0, "")
    first, *rest = told.out.splitlines()
    assert first.startswith(f"eight.call_action to {receiver}/vca: HTTP 200 after ")
    assert '  "eventType": "CALL_ACTION",' in rest
    assert rest[-3:] == ["Answer:", '{"callflow": []}', "That answer would do."]


def test_as_json_it_is_one_document(cli: Cli, receiver: str) -> None:
    told = cli("events", "trigger", "VSS", "--url", f"{receiver}/vss", "--json")
    assert told.code == 1
    document = told.document
    assert (document["kind"], document["status"]) == ("eight.session_summary", 500)
    assert document["fault"] == "HTTP 500: a real event would be sent again."
    assert document["body"]["eventType"] == "SESSION_SUMMARY"
    assert json.loads(document["answer"]) == {"callflow": []}
    assert document["milliseconds"] == 0.0  # by the virtual clock


def test_no_answer_is_exit_code_1(cli: Cli) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        told = cli("events", "trigger", "VCS", "--url", f"http://127.0.0.1:{unused.getsockname()[1]}/")
    assert told.code == 1
    assert "no answer after" in told.out
    assert told.out.splitlines()[-1].startswith("No answer: ")


def test_whose_endpoint_is_meant_is_said_once(cli: Cli) -> None:
    told = cli("events", "trigger", "VCS", "--account", "MA1", "--subaccount", "SA1")
    assert (told.code, told.err) == (1, "error: Give --account or --subaccount, not both.\n")
    assert cli("events", "trigger", "VCS").err.startswith("error: Give --url URL")
