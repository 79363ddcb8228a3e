"""Whether a port is bound is read, not tried."""

from __future__ import annotations

import socket

import pytest

from maskline.lab.ports import free_port
from tests.support.bound_ports import is_bound


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.77"), (socket.AF_INET6, "::1")])
def test_a_socket_of_either_kind_and_family_is_seen(family: socket.AddressFamily, host: str):
    port = free_port()
    with socket.socket(family, socket.SOCK_DGRAM) as udp, socket.socket(family) as tcp:
        assert (is_bound(port), is_bound(port, "tcp")) == (False, False)
        udp.bind((host, port))
        tcp.bind((host, port))
        assert (is_bound(port), is_bound(port, "tcp")) == (True, False)
        tcp.listen()
        assert is_bound(port, "tcp")
    assert (is_bound(port), is_bound(port, "tcp")) == (False, False)
