import os
import ssl
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from maskline.errors import ConfigurationError
from maskline.net.tls import Tls, TlsFiles, peer_names, read_certificate
from tests.support.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_without_a_certificate_there_is_no_server(authority: Authority) -> None:
    assert Tls(TlsFiles()).server is None


def test_nothing_older_than_tls_1_2_is_spoken_and_peers_must_prove_their_name(authority: Authority) -> None:
    own = authority.issue("own.pem", ["sip.example"])
    tls = Tls(TlsFiles(own, None, authority.path, authority.path))
    assert tls.server is not None
    assert tls.server.minimum_version == tls.client.minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls.server.verify_mode is tls.client.verify_mode is ssl.CERT_REQUIRED
    assert tls.client.check_hostname
    without = Tls(TlsFiles(own, own)).server
    assert without is not None and without.verify_mode is ssl.CERT_NONE


def test_a_file_that_was_replaced_is_noticed_and_read(authority: Authority) -> None:
    own = authority.issue("own.pem", ["sip.example"])
    tls = Tls(TlsFiles(own))
    before = tls.server
    assert not tls.has_changed()
    authority.issue("own.pem", ["sip.example"])
    assert tls.has_changed()
    tls.reload()
    assert tls.server is not before and not tls.has_changed()


def test_a_broken_renewal_changes_nothing(authority: Authority) -> None:
    own = authority.issue("own.pem", ["sip.example"])
    tls = Tls(TlsFiles(own))
    before = (tls.server, tls.client)
    own.write_text("nothing")
    with pytest.raises(ConfigurationError, match="MASKLINE_SIP_TLS_CERTIFICATE"):
        tls.reload()
    assert (tls.server, tls.client) == before
    os.unlink(own)
    assert tls.has_changed()


def test_files_that_cannot_be_used_are_named(authority: Authority, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    own = authority.issue("own.pem", ["sip.example"])
    other = authority.issue("other.pem", ["sip.example"])
    sealed = tmp_path / "sealed.pem"
    sealed.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
        )
    )
    for files, sentence in (
        (TlsFiles(missing), "missing.pem or its key cannot be used: No such file or directory"),
        (TlsFiles(own, other), "key values mismatch"),
        (TlsFiles(own, sealed), "the key is encrypted"),
        (TlsFiles(trusted=missing), "MASKLINE_SIP_TLS_CA"),
        (TlsFiles(own, client_trusted=missing), "MASKLINE_SIP_TLS_CLIENT_CA"),
        (TlsFiles(trusted=sealed), "MASKLINE_SIP_TLS_CA"),
    ):
        with pytest.raises(ConfigurationError, match=sentence):
            Tls(files)


@pytest.mark.parametrize(
    ("certificate", "names"),
    [
        (None, ()),
        ({}, ()),
        ({"subject": ((("commonName", "Only.Name"),),)}, ("only.name",)),
        ({"subject": ((("organizationName", "x"),),)}, ()),
        (
            {
                "subject": ((("commonName", "not.this"),),),
                "subjectAltName": (
                    ("DNS", "A.example"), ("URI", "sip:b.example"), ("URI", "sip:user@c.example"),
                    ("URI", "https://d.example"), ("IP Address", "192.0.2.1"), ("email", "e@e"), ("DNS", "b.example"),
                ),
            },
            ("b.example", "a.example", "192.0.2.1"),
        ),
    ],
)  # fmt: skip
def test_what_a_certificate_proves(certificate: dict | None, names: tuple[str, ...]) -> None:
    assert peer_names(certificate) == names


def test_an_operator_can_see_what_a_file_is(authority: Authority) -> None:
    facts = read_certificate(authority.issue("own.pem", ["a.example", "192.0.2.1"], days=10), time.time())
    assert facts.names == ("a.example", "192.0.2.1")
    assert 9.9 < facts.days_left < 10.1
    assert read_certificate(authority.issue("old.pem", [], days=-1), time.time()).days_left < 0
