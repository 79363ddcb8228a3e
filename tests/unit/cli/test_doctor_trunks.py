"""maskline doctor on trunks."""

from __future__ import annotations

from dataclasses import replace

from maskline.cli.doctor_trunks import check_trunks
from maskline.masking.trunk import NumberFormat, Presentation, Trunk, TrunkMedia
from maskline.setting_values import MediaChoice
from maskline.settings import Settings

PLAIN = Trunk("1", "plain", None, "192.0.2.1", 5060)
OTHER = Trunk("2", "other", None, "192.0.2.2", 5060)


def states(*trunks: Trunk, settings: Settings | None = None) -> list[tuple[str, str]]:
    return [(state, found) for _, state, found, _ in check_trunks(list(trunks), settings or Settings())]


def test_plain_trunks_of_different_hosts_are_fine():
    assert states(PLAIN, OTHER) == []


def test_an_encrypted_trunk_needs_the_driver_that_encrypts():
    safe = replace(OTHER, media=TrunkMedia.SRTP)
    assert states(safe, settings=Settings(media=MediaChoice.RTPENGINE)) == []
    assert states(PLAIN, safe) == [("fail", "no call can go out by other")]


def test_a_user_name_without_a_password_is_said():
    (said,) = states(PLAIN, replace(OTHER, username="u"))
    assert said == ("warn", "no challenge to other can be answered: user name, no password")
    assert states(PLAIN, replace(OTHER, username="u", password="p")) == []


def test_a_trunk_over_tls_without_a_certificate_of_ours_is_said():
    (said,) = states(PLAIN, replace(OTHER, transport="tls"))
    assert said[0] == "warn" and said[1].startswith("other can be called over TLS, but nobody listens")
    ours = Settings(sip_tls_certificate="maskline.pem")
    assert states(PLAIN, replace(OTHER, transport="tls"), settings=ours) == []


def test_trunks_that_cannot_be_told_apart_are_said():
    wide = replace(OTHER, sources=("192.0.2.0/28",))
    assert states(PLAIN, wide) == [("warn", "plain and other have addresses in common")]
    assert states(PLAIN, replace(wide, transport="tcp")) == []
    assert states(replace(PLAIN, host="2001:db8::1"), wide) == []
    assert states(replace(PLAIN, host="sip.carrier.example"), wide) == []


def test_trunks_of_one_address_that_can_be_told_apart_are_fine():
    same = replace(OTHER, host=PLAIN.host)
    assert states(PLAIN, same) == [("warn", "plain and other have addresses in common")]
    assert states(replace(PLAIN, account_id="A"), replace(same, account_id="B")) == []
    assert states(replace(PLAIN, account_id="A"), same) == []
    named = [replace(one, username=one.name, password="p", challenge=True) for one in (PLAIN, same)]
    assert states(*named) == []
    over_tls = [replace(one, transport="tls", tls_name=f"{one.name}.example") for one in (PLAIN, same)]
    assert states(*over_tls, settings=Settings(sip_tls_certificate="maskline.pem")) == []


def test_what_still_goes_wrong_at_one_address_is_said():
    same = replace(OTHER, host=PLAIN.host, account_id="B")
    asked = replace(PLAIN, account_id="A", username="u", password="p", challenge=True)
    assert states(asked, same) == [("warn", "plain and other have addresses in common, and only one is challenged")]
    national = replace(same, presentation=Presentation(number_format=NumberFormat.NATIONAL, country_code="+44"))
    assert states(replace(PLAIN, account_id="A"), national) == [
        ("warn", "plain and other have addresses in common and write numbers in different ways")
    ]
