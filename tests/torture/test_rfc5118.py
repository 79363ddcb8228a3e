"""Every message of RFC 5118 (torture tests for IPv6) is decided, each by a whole agent on an IPv6 address.

The messages are written anew after the RFC's sections, since its text is not part of the repository.
"""

from __future__ import annotations

import pytest

from maskline.ids import SeededIds
from maskline.sip.agent import Agent, AgentConfig
from maskline.sip.events import Flow

SOURCE = Flow("udp", "2001:db8::9:1", 5060)
INVITE, READ = "InviteReceived", "RequestReceived"
CONTACT = "Contact: <sip:caller@[2001:db8::9:1]>\n"
SDP = "v=0\no=assistant 971731711 1 IN IP6 2001:db8::20\ns=-\nc=IN IP6 2001:db8::20\nt=0 0\nm=audio 6000 RTP/AVP 0\n"
TWO_FAMILIES = (
    "v=0\no=bob 280744730 1 IN IP4 192.0.2.1\ns=-\nt=0 0\nm=audio 22334 RTP/AVP 0\nc=IN IP4 192.0.2.1\n"
    "m=video 6024 RTP/AVP 107\nc=IN IP6 2001:db8::1\na=rtpmap:107 H263-1998/90000\n"
)
MAPPED = SDP.replace("2001:db8::20", "::ffff:192.0.2.10")


def message(
    method: str = "REGISTER", uri: str = "sip:[2001:db8::10]", via: str = "[2001:db8::9:1]", *, more: str = "",
    body: str = "",
) -> bytes:  # fmt: skip
    kind = "Content-Type: application/sdp\n" if body else ""
    body = body.replace("\n", "\r\n")
    text = (
        f"{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP {via};branch=z9hG4bKas3-111\n{more}To: <sip:user@example.com>\n"
        "From: <sip:user@example.com>;tag=81x2\nCall-ID: SSG9559905523997077@hlau_4100\nMax-Forwards: 70\n"
        f"{CONTACT}CSeq: 98176 {method}\n{kind}Content-Length: {len(body)}\n\n"
    )
    return text.replace("\n", "\r\n").encode() + body.encode()


DECISIONS: dict[str, tuple[bytes, int | str]] = {
    "4.1 a reference in the request URI": (message(), 405),
    "4.2 an address without brackets": (message(uri="sip:2001:db8::10"), 400),
    "4.3 digits in the reference that may have been meant as a port": (message(uri="sip:[2001:db8::10:5070]"), 405),
    "4.4 a port behind the reference": (message(uri="sip:[2001:db8::10]:5070"), 405),
    "4.5 received with brackets": (message("BYE", via="[2001:db8::9:1];received=[2001:db8::9:255]"), 481),
    "4.5 received without brackets": (message("BYE", via="[2001:db8::9:1];received=2001:db8::9:255"), 481),
    "4.6 an address in SDP": (message("INVITE", "sip:user@[2001:db8::10]", body=SDP), INVITE),
    "4.7 both families in headers": (
        message(
            "INVITE", "sip:user@[2001:db8::10]", "[2001:db8::9:1]:6050",
            more="Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144\n", body=SDP,
        ),
        INVITE,
    ),
    "4.8 both families in SDP": (message("INVITE", "sip:user@[2001:db8::10]", body=TWO_FAMILIES), INVITE),
    "4.9 mapped addresses": (message("INVITE", "sip:user@example.com", "[::ffff:192.0.2.2]", body=MAPPED), INVITE),
    # Robust elements read it all the same: what stands in the brackets of a request URI leads us nowhere.
    "4.10 three colons, by RFC 3261's grammar": (message("OPTIONS", "sip:user@[2001:db8:::192.0.2.1]"), READ),
}  # fmt: skip


@pytest.mark.parametrize("case", DECISIONS)
def test_message_is_decided(case: str) -> None:
    data, decision = DECISIONS[case]
    agent = Agent(AgentConfig("2001:db8::1", 5060), SeededIds())
    agent.receive(data, SOURCE, 0.0)
    events, datagrams = agent.events(), agent.datagrams()
    if isinstance(decision, str):
        assert [type(event).__name__ for event in events] == [decision]
        assert all(b"Via: SIP/2.0/UDP [" in sent[0] for sent in datagrams)
        return
    assert not events
    (sent,) = datagrams
    assert sent[0].startswith(b"SIP/2.0 %d " % decision)
    assert sent[1] == SOURCE  # whatever Via says of another address
