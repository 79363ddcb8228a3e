"""Sources whose datagrams the kernel drops before they reach a socket: a classic BPF program of their addresses.

What it is: the program (attached without privilege or library) and how a socket gets
and loses it. A datagram that is dropped there costs us nothing and takes no room in the receive buffer, where it would
push out those of calls. What it is not: a rule who is shut out (`engine/guard.py`). Who uses it: `net/udp.py`.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import sys
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

MOST = 200
"""Addresses; the kernel takes 4,096 instructions, and an address of IPv6 is nine."""

_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_INSTRUCTION = struct.Struct("=HBBI")
_PROGRAM = struct.Struct("@HP")
_LOAD_BYTE, _LOAD_WORD, _SHIFT_RIGHT, _JUMP, _IF_EQUAL, _RETURN = 0x30, 0x20, 0x74, 0x05, 0x15, 0x06
_NETWORK = 0xFFF00000
"""SKF_NET_OFF: offsets from the IP header, which a UDP socket's filter does not begin at."""
_SOURCE4, _SOURCE6 = _NETWORK + 12, _NETWORK + 8
_DROP = (_RETURN, 0, 0, 0)
_KEEP = (_RETURN, 0, 0, 0xFFFF)

Instruction = tuple[int, int, int, int]
"""Operation, how far to jump when it is true and when not, operand."""


def program(hosts: Sequence[str]) -> list[Instruction]:
    """What drops datagrams from these addresses, of either family, and keeps all others. Raises `ValueError` for what
    is no address."""
    old, new = [], []
    for host in hosts:
        address = ip_address(host)
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else address
        if isinstance(mapped, IPv4Address):
            old += [(_IF_EQUAL, 0, 1, int(mapped)), _DROP]
        else:
            words = struct.unpack("!4I", address.packed)
            for position, word in enumerate(words):
                new.append((_LOAD_WORD, 0, 0, _SOURCE6 + 4 * position))
                new.append((_IF_EQUAL, 0, 7 - 2 * position, word))
            new.append(_DROP)
    new.append(_KEEP)
    head = [(_LOAD_BYTE, 0, 0, _NETWORK), (_SHIFT_RIGHT, 0, 0, 4), (_IF_EQUAL, 0, 1, 4), (_JUMP, 0, 0, len(new))]
    return [*head, *new, (_LOAD_WORD, 0, 0, _SOURCE4), *old, _KEEP]


def shut_out(sock: socket.socket, hosts: Sequence[str]) -> None:
    """Drop in the kernel what comes from these addresses and from no others; none: from nobody. Raises `OSError` where
    the kernel does not do that."""
    if not sys.platform.startswith("linux"):
        raise OSError("only Linux filters sockets")
    if not hosts:
        with contextlib.suppress(FileNotFoundError):  # there was none
            sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
        return
    code = [_INSTRUCTION.pack(*one) for one in program(hosts[:MOST])]
    buffer = ctypes.create_string_buffer(b"".join(code))
    described = _PROGRAM.pack(len(code), ctypes.addressof(buffer))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)
