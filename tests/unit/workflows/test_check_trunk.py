"""What may be said of a trunk, and changing it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.errors import InvalidParameter, MissingParameter, NotFound, NotSupported
from maskline.masking.trunk import IdentityHeader, NumberFormat, Presentation, Reliable, TrunkLimits
from maskline.workflows.add_trunk import add_trunk
from maskline.workflows.check_trunk import TrunkWish, trunk_of, wish_of
from maskline.workflows.set_trunk import find_trunk, set_trunk
from tests.support.api_world import World
from tests.support.store_values import TRUNK

PLAIN = TrunkWish("a", "192.0.2.1")


def test_a_trunk_that_says_nothing_of_itself_is_a_plain_one():
    trunk = trunk_of(PLAIN, "t")
    assert (trunk.port, trunk.transport, trunk.presentation, trunk.limits) == (
        5060,
        "udp",
        Presentation(),
        TrunkLimits(),
    )
    assert (trunk.reliable, trunk.session_seconds, trunk.weight) == (Reliable.ON, 1800, 1)


def test_everything_said_is_in_the_trunk():
    wish = replace(
        PLAIN, username="u", password="p", realm="r", challenge=True, sources=("198.51.100.7", "192.0.2.9/24"),
        tls_name="SIP.example", headers=("rpid", "diversion"), number_format="national", country_code="+44",
        national_prefix="", international_prefix="011", dial_prefix="99", privacy=True, calls_per_second=2.5,
        concurrent=7, codecs=("pcma", "pcma", "G722"), from_domain="US.example",
        redirects=True, reliable="required", session_seconds=90, options_seconds=10, priority=3, weight=4,
    )  # fmt: skip
    trunk = trunk_of(wish, "t")
    assert trunk.sources == ("198.51.100.7/32", "192.0.2.0/24")
    assert trunk.tls_name == "sip.example"
    assert trunk.presentation == Presentation(
        (IdentityHeader.REMOTE_PARTY, IdentityHeader.DIVERSION),
        NumberFormat.NATIONAL,
        "+44",
        "99",
        True,
        "",
        "011",
        "us.example",
    )
    assert trunk.limits == TrunkLimits(2.5, 7)
    assert trunk.codecs == ("PCMA", "G722")


def test_a_name_without_port_leaves_it_to_srv():
    trunk = trunk_of(replace(PLAIN, host="SIP.Carrier.example."), "t")
    assert (trunk.host, trunk.port, trunk.named) == ("sip.carrier.example", 0, True)
    assert trunk_of(wish_of(trunk), "t") == trunk
    assert trunk_of(replace(PLAIN, host="sip.carrier.example", port=5070), "t").port == 5070


def test_what_was_asked_for_makes_the_same_trunk_again():
    trunk = replace(TRUNK, transport="udp", alias=False)
    for same in (trunk, replace(TRUNK, transport="tcp", alias=True)):
        assert trunk_of(replace(wish_of(same), encrypts=True), same.id) == same


@pytest.mark.parametrize(
    ("wrong", "error", "parameter"),
    [
        ({"sources": ("carrier.example",)}, InvalidParameter, "source"),
        ({"sources": ("0.0.0.0/0",)}, InvalidParameter, "source"),
        ({"sources": ("2001::/15",)}, InvalidParameter, "source"),
        ({"transport": "auto"}, InvalidParameter, "transport"),
        ({"alias": True}, InvalidParameter, "alias"),
        ({"tls_name": "no name"}, InvalidParameter, "tls_name"),
        ({"from_domain": "a@b"}, InvalidParameter, "from_domain"),
        ({"codecs": ("PC MA",)}, InvalidParameter, "codec"),
        ({"country_code": "65"}, InvalidParameter, "country_code"),
        ({"dial_prefix": "+9"}, InvalidParameter, "dial_prefix"),
        ({"national_prefix": "+0"}, InvalidParameter, "national_prefix"),
        ({"international_prefix": "00 "}, InvalidParameter, "international_prefix"),
        ({"international_prefix": ""}, InvalidParameter, "international_prefix"),
        ({"username": "a\r\nb"}, InvalidParameter, "username"),
        ({"realm": "ä"}, InvalidParameter, "realm"),
        ({"username": "u", "challenge": True}, MissingParameter, "password"),
        ({"headers": ("from", "identity")}, InvalidParameter, "header"),
        ({"number_format": "e.164"}, InvalidParameter, "number_format"),
        ({"number_format": "national"}, MissingParameter, "country_code"),
        ({"reliable": "always"}, InvalidParameter, "reliable"),
        ({"priority": -1}, InvalidParameter, "priority"),
        ({"weight": 0}, InvalidParameter, "weight"),
        ({"calls_per_second": -0.5}, InvalidParameter, "calls_per_second"),
        ({"concurrent": -1}, InvalidParameter, "concurrent"),
        ({"session_seconds": 89}, InvalidParameter, "session_seconds"),
        ({"options_seconds": 4}, InvalidParameter, "options_seconds"),
        ({"media": "srtp"}, NotSupported, "media"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(wrong, error, parameter):
    with pytest.raises(error) as caught:
        trunk_of(replace(PLAIN, **wrong), "t")
    assert caught.value.parameter == parameter


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"session_seconds": 60}, "session_seconds must be 0, or from 90 to 86400"),
        ({"weight": 0}, "weight must be from 1 to 65535"),
        ({"port": 65_536}, "port must be from 1 to 65535"),
    ],
)
def test_what_is_out_of_range_is_told_the_range(wrong, words):
    with pytest.raises(InvalidParameter, match=f"^Invalid parameter. {words}$"):
        trunk_of(replace(PLAIN, **wrong), "t")


async def test_a_change_keeps_what_it_does_not_name():
    world = World()
    wish = replace(PLAIN, username="u", password="p", prefixes=("+65",))
    trunk = await add_trunk(world.store, world.clock, world.ids, wish)
    changed = await set_trunk(world.store, "a", {"weight": 5, "prefixes": ()})
    assert changed == replace(trunk, weight=5, prefixes=())
    assert await find_trunk(world.store, "a") == changed


async def test_a_change_that_says_nothing_new_is_not_written():
    world = World()
    trunk = await add_trunk(world.store, world.clock, world.ids, PLAIN)
    version = await world.store.configuration_version()
    assert await set_trunk(world.store, "a", {"weight": 1}) == trunk
    assert await world.store.configuration_version() == version


async def test_a_change_of_nobody_or_to_a_wrong_trunk_is_refused():
    world = World()
    await add_trunk(world.store, world.clock, world.ids, PLAIN)
    with pytest.raises(NotFound):
        await set_trunk(world.store, "b", {"weight": 2})
    with pytest.raises(NotFound):
        await set_trunk(world.store, "a", {"account_id": "MA0"})
    with pytest.raises(MissingParameter):
        await set_trunk(world.store, "a", {"challenge": True})
