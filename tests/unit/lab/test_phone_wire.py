"""Two lab phones that call each other directly, over what carries their SIP."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.lab.phone import Phone
from maskline.masking.e164 import Number
from maskline.net.tls import Tls, TlsFiles
from tests.support.certificates import Authority
from tests.support.rig import happened
from tests.support.waiting import until

HOST, LOOP = "127.0.0.1", "::1"


def phones() -> tuple[Phone, Phone]:
    anna, ben = Phone("anna", Number("6591110042"), 440), Phone("ben", Number("6598760007"), 1000)
    ben.ring_for = 0.05
    return anna, ben


def certified(folder: Path, authority: Authority, name: str) -> Tls:
    return Tls(TlsFiles(authority.issue(f"{name}.pem", [HOST, name]), trusted=authority.path))


@pytest.mark.parametrize(
    ("host", "transport"), [(HOST, "udp"), (LOOP, "udp"), (HOST, "tcp"), (LOOP, "tcp"), (HOST, "tls")]
)  # fmt: skip
async def test_a_call_over_each_transport(tmp_path: Path, host: str, transport: str) -> None:
    (anna, ben), authority = phones(), Authority(tmp_path)
    believes = Tls(TlsFiles(trusted=authority.path)) if transport == "tls" else None
    shows = certified(tmp_path, authority, "ben.example") if transport == "tls" else None
    try:
        # The caller has no certificate: it takes no connections, and its call goes on over the one it made.
        await anna.open(host, transport, believes)
        await ben.open(host, transport, shows)
        anna.dial(ben.number, ben.address, "ben.example" if transport == "tls" else "")
        assert await happened(anna.answered)
        ben.hang_up()
        assert await happened(anna.ended)
        assert await happened(ben.ended)
        assert any(f"SIP/2.0/{transport.upper()}".encode() in seen.data for seen in ben.trace)
    finally:
        anna.close()
        ben.close()


async def test_where_nobody_listens_the_call_is_over(tmp_path: Path) -> None:
    anna, ben = phones()
    await anna.open(HOST, "tcp")
    await ben.open(HOST, "tcp")
    there = ben.address
    ben.close()
    anna.dial(ben.number, there)
    assert await happened(anna.ended)
    assert anna.final_status == 503
    anna.close()


async def test_a_connection_that_ends_ends_no_call(tmp_path: Path) -> None:
    anna, ben = phones()
    try:
        await anna.open(HOST, "tcp")
        await ben.open(HOST, "tcp")
        anna.dial(ben.number, ben.address)
        await until(lambda: any(seen.data.startswith(b"ACK") for seen in ben.trace))
        for connection in list(ben._wire._streams._table.values()):  # type: ignore[union-attr]
            connection.abort("error")
        ben.hang_up()
        assert await happened(anna.ended)
        assert anna.final_status == 200
    finally:
        anna.close()
        ben.close()
