"""Which addresses a webhook may reach."""

from __future__ import annotations

import ipaddress

import pytest

from maskline.net.guard import AddressGuard

INTERNAL = [
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7",
    "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1",
    "2001::1", "2001:2::1", "2001:10::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1", "fc00::1",
    "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "192.169.0.1", "::ffff:8.8.8.8", "2606:4700::1111"]


@pytest.mark.parametrize("address", INTERNAL)
def test_internal_addresses_are_refused(address):
    assert AddressGuard().allows(address) is False


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address):
    assert AddressGuard().allows(address) is True


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "2130706433", "1.2.3.4.5"])
def test_what_is_no_address_is_refused(text):
    assert AddressGuard().allows(text) is False


def test_an_operator_may_allow_a_network_and_nothing_beside_it():
    guard = AddressGuard([ipaddress.ip_network("10.7.0.0/16"), ipaddress.ip_network("fd00:1::/32")])
    assert guard.allows("10.7.1.2")
    assert guard.allows("::ffff:10.7.1.2")
    assert guard.allows("fd00:1::5")
    assert not guard.allows("10.8.0.1")
    assert not guard.allows("fd00:2::5")


@pytest.mark.parametrize("host", ["10.0.0.5", "::1", "[::1]", "fe80::1%eth0", "::ffff:10.0.0.5"])
def test_an_internal_address_is_refused_where_it_stands_for_a_name(host):
    assert AddressGuard().refuses_literal(host)
    assert not AddressGuard([ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]).refuses_literal(host)


@pytest.mark.parametrize("host", ["", "files.example", "localhost", "10.0.0", "8.8.8.8", "[2606:4700::1111]"])
def test_a_name_or_a_public_address_is_left_to_the_moment_of_connecting(host):
    assert not AddressGuard().refuses_literal(host)
