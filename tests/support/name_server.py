"""A name server for tests: answers from a table, over UDP on loopback.

What it is: dnspython on the other side of the wire. What it is not: recursion; names that are not in the table get
NXDOMAIN with a SOA. `silent` makes it drop every question.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

SOA = "ns.test. hostmaster.test. 1 3600 600 86400 {minimum}"


class NameServer(asyncio.DatagramProtocol):
    def __init__(self, minimum: int = 30) -> None:
        self.records: dict[tuple[str, str], tuple[int, list[str]]] = {}
        self.asked: Counter[tuple[str, str]] = Counter()
        self.silent = False
        self.refuses = False
        self.fails: set[str] = set()
        """Kinds of questions that this server cannot answer, as some do with all but A."""
        self._minimum = minimum
        self.port = 0

    def add(self, name: str, kind: str, *values: str, ttl: int = 60) -> None:
        self.records[(name, kind)] = (ttl, list(values))

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", 0))
        self.port = self._transport.get_extra_info("sockname")[1]

    def close(self) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, address: Any) -> None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.asked[(name, kind)] += 1
        if not self.silent:
            self._transport.sendto(self._answer(query, name, kind).to_wire(), address)

    def _answer(self, query: dns.message.QueryMessage, name: str, kind: str) -> dns.message.Message:
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA | dns.flags.RA
        if self.refuses or kind in self.fails:
            reply.set_rcode(dns.rcode.REFUSED if self.refuses else dns.rcode.SERVFAIL)
        elif (name, kind) in self.records:
            ttl, values = self.records[(name, kind)]
            reply.answer.append(dns.rrset.from_text(query.question[0].name, ttl, "IN", kind, *values))
        else:
            reply.authority.append(dns.rrset.from_text("test.", 3600, "IN", "SOA", SOA.format(minimum=self._minimum)))
            if not any(known == name for known, _ in self.records):
                reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply
