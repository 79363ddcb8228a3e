"""maskline doctor on the certificate of SIP over TLS."""

from __future__ import annotations

import time
from pathlib import Path

from maskline.cli.doctor_tls import check_certificates
from maskline.settings import Settings
from tests.support.certificates import Authority


def said(certificate: Path | None = None, **files: Path) -> list[tuple[str, str]]:
    values = {f"sip_tls_{name}": str(path) for name, path in files.items()}
    settings = Settings(sip_tls_certificate=str(certificate or ""), sip_host="192.0.2.1", **values)  # type: ignore[arg-type]
    return [(state, found) for _, state, found, _ in check_certificates(settings, time.time())]


def test_nothing_is_said_without_files():
    assert said() == []


def test_a_good_certificate_is_told_with_its_names_and_days(tmp_path: Path):
    own = Authority(tmp_path).issue("own.pem", ["192.0.2.1", "sip.example"], days=30.5)
    assert said(own) == [("ok", f"{own}, for 30 days"), ("ok", "sip.example, 192.0.2.1")]


def test_a_certificate_for_another_name_is_told_with_how_to_connect(tmp_path: Path):
    own = Authority(tmp_path).issue("own.pem", ["sip.example"], days=30.5)
    assert said(own)[1] == ("ok", "sip.example: peers must connect by that name, not by 192.0.2.1")


def test_an_end_that_is_near_or_over_is_said(tmp_path: Path):
    authority = Authority(tmp_path)
    assert said(authority.issue("soon.pem", ["192.0.2.1"], days=3.5))[0][0] == "warn"
    old = authority.issue("old.pem", ["192.0.2.1"], days=-2)
    assert said(old)[0] == ("fail", f"{old} expired 2 days ago")


def test_a_certificate_without_names_is_a_warning(tmp_path: Path):
    assert said(Authority(tmp_path).issue("bare.pem", [], days=30))[1] == ("warn", "the certificate names nobody")


def test_a_key_of_another_certificate_fails(tmp_path: Path):
    authority = Authority(tmp_path)
    own, other = authority.issue("own.pem", ["a.example"]), authority.issue("other.pem", ["b.example"])
    ((state, found),) = said(own, key=other)
    assert state == "fail"
    assert "key values mismatch" in found


def test_authorities_alone_are_enough_to_call(tmp_path: Path):
    authority = Authority(tmp_path)
    assert said(ca=authority.path)[0][0] == "ok"


def test_a_file_that_is_not_there_fails(tmp_path: Path):
    assert said(tmp_path / "no.pem")[0][0] == "fail"
