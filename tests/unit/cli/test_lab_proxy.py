"""`maskline lab proxy`: it says where it is, leads a client to the server, and ends on a signal."""

from __future__ import annotations

import os
import signal
import socket
import ssl
from pathlib import Path

import pytest

from maskline.lab import proxy as proxy_module
from maskline.lab.ports import free_port
from maskline.lab.proxy import Proxy
from tests.support.command_line import Cli


def end_when_open(monkeypatch: pytest.MonkeyPatch, number: signal.Signals = signal.SIGINT) -> list[Proxy]:
    """Send the signal once the proxy listens; the proxies that were opened."""
    opened: list[Proxy] = []

    class Ending(Proxy):
        async def open(self, host: str = "127.0.0.1", port: int = 0, tls_port: int = 0) -> None:
            await super().open(host, port, tls_port)
            opened.append(self)
            os.kill(os.getpid(), number)

    monkeypatch.setattr(proxy_module, "Proxy", Ending)
    return opened


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_tells_proxy_authority_and_target_and_ends_on_a_signal(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: signal.Signals
) -> None:
    end_when_open(monkeypatch, number)
    port = free_port()
    told = cli("lab", "proxy", "--listen", f"127.0.0.1:{port}", "--to", "192.0.2.1:80")
    assert (told.code, told.err) == (0, "")
    authority = tmp_path / "maskline-lab-authority.pem"
    assert told.out.splitlines() == [
        "api.plivo.com, api.vtscom.net are led to 192.0.2.1:80; end with Ctrl-C.",
        f"HTTPS proxy for the vendor's client: http://127.0.0.1:{port}",
        f"Certificate authority to trust:      {authority}",
    ]
    assert ssl.create_default_context(cafile=str(authority)).cert_store_stats()["x509_ca"] >= 1


def test_as_json_it_prints_one_document(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened = end_when_open(monkeypatch)
    monkeypatch.setenv("MASKLINE_HTTP_PORT", "8099")
    authority = str(tmp_path / "ca.pem")
    told = cli("lab", "proxy", "--listen", "127.0.0.1:0", "--host", "a.example", "--authority", authority, "--json")
    assert told.document["hosts"] == ["a.example"]
    assert told.document["to"] == "127.0.0.1:8099"
    assert told.document["authority"] == authority
    assert (tmp_path / "ca.pem").read_bytes() == opened[0].authority


def test_a_port_in_use_is_one_sentence_and_exit_code_2(cli: Cli) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        told = cli("lab", "proxy", "--listen", f"127.0.0.1:{other.getsockname()[1]}")
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("error: The lab's proxy cannot use 127.0.0.1:")
    assert told.err.count("\n") == 1


def test_an_authority_that_cannot_be_written_is_one_sentence(cli: Cli, tmp_path: Path) -> None:
    told = cli("lab", "proxy", "--listen", "127.0.0.1:0", "--authority", str(tmp_path))
    assert (told.code, told.out) == (2, "")
    assert str(tmp_path) in told.err


@pytest.mark.parametrize("address", ["8443", "127.0.0.1:http", "127.0.0.1:99999", ":80"])
def test_an_address_without_host_or_port_is_refused_by_its_option(cli: Cli, address: str) -> None:
    told = cli("lab", "proxy", "--to", address)
    assert (told.code, told.err) == (1, "error: --to takes an address like 127.0.0.1:8443.\n")
