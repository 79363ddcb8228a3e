"""Every message of RFC 4475, and of our own corpus, is decided: accepted, refused with a status, or dropped.

The RFC's files are not part of the repository; `MASKLINE_TORTURE_DIR` says where they are. Each file goes
through a whole agent, because some decisions (405, 415, 420 …) are the agent's and not the parser's.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import sipmessage

from maskline.ids import SeededIds
from maskline.sip.agent import Agent, AgentConfig
from maskline.sip.events import Flow
from maskline.sip.parser import parse

ROOT = Path(__file__).parents[2]
RFC4475 = Path(os.environ.get("MASKLINE_TORTURE_DIR", ROOT / ".." / "shared" / "data" / "rfc4475"))
CORPUS = Path(__file__).parent / "corpus"
SOURCE = Flow("udp", "192.0.2.7", 5060)

INVITE, OPTIONS = "InviteReceived", "RequestReceived"
STRAY = "stray"
"""Well-formed, but nothing of ours: a response without a request."""
DROPPED = "dropped"
"""Malformed, and nothing to answer: a response, an ACK, or no Via."""

DECISIONS: dict[str, int | str] = {
    # 3.1.1 valid messages
    "valid/wsinv": 481,  # well-formed, but its To tag names a dialog we do not have (RFC 3261 §12.2.2)
    "valid/intmeth": 501,
    "valid/esc01": INVITE,
    "valid/escnull": 405,
    "valid/esc02": 501,
    "valid/lwsdisp": OPTIONS,
    "valid/longreq": INVITE,
    "valid/dblreq": 405,
    "valid/semiuri": OPTIONS,
    "valid/transports": OPTIONS,
    "valid/mpart01": 405,
    "valid/unreason": STRAY,
    "valid/noreason": STRAY,
    # 3.1.2 invalid messages
    "invalid/badinv01": 400,
    "invalid/clerr": 400,
    "invalid/ncl": 400,
    "invalid/scalar02": 400,
    "invalid/scalarlg": DROPPED,
    "invalid/quotbal": 400,
    "invalid/ltgtruri": 400,
    "invalid/lwsruri": 400,
    "invalid/lwsstart": 400,
    "invalid/trws": 400,
    "invalid/escruri": 400,
    "invalid/baddate": INVITE,  # 3.1.2.12 lets an element ignore a Date it does not use
    "invalid/regbadct": 405,
    "invalid/badaspec": 400,
    "invalid/baddn": 400,  # the stored file ends inside its headers
    "invalid/badvers": 505,
    "invalid/mismatch01": 400,
    "invalid/mismatch02": 400,
    "invalid/bigcode": DROPPED,
    # 3.2 transaction layer
    "invalid/badbranch": 400,
    # 3.3 application layer
    "invalid/insuf": 400,
    "invalid/unkscm": 416,
    "invalid/novelsc": 416,
    "invalid/unksm2": 405,
    "invalid/bext01": 420,
    "invalid/invut": 415,
    "invalid/regaut01": 405,
    "invalid/multi01": 400,
    "invalid/mcl01": 400,
    "invalid/bcast": STRAY,
    "invalid/zeromf": OPTIONS,  # 3.3.11: an endpoint answers as if Max-Forwards were positive
    "invalid/cparam01": 405,
    "invalid/cparam02": 405,
    "invalid/regescrt": 405,
    "invalid/sdp01": 406,
    # 3.4 backward compatibility
    "invalid/inv2543": INVITE,
    # not in the RFC, but in the stored set: no version, no Via
    "invalid/test": DROPPED,
}

OWN_DECISIONS: dict[str, int | str] = {
    "upper-case-transport": INVITE,
    "max-forwards-zero-invite": 483,
    "tel-request-uri": INVITE,
    "sips-over-udp": 416,
    "gzip-body": 415,
    "require-100rel": INVITE,
    "multipart-invite": 415,
    "isup-body": 415,
    "ipv6-via-and-contact": INVITE,
    "latin1-display-name": INVITE,
    "unquoted-comma-name": INVITE,
    "anonymous-with-pai": INVITE,
    "malformed-pai": 400,
    "malformed-contact": 400,
    "malformed-record-route": 400,
    "bare-lf-lines": DROPPED,
    "smuggled-header": DROPPED,
    "no-blank-line": 400,
    "bye-without-tag": 481,
    "bye-to-nothing": 481,
    "cancel-to-nothing": 481,
    "ack-to-nothing": STRAY,
    "malformed-ack": DROPPED,
    "cseq-too-large": 400,
    "port-zero": 400,
    "three-hundred-headers": 400,
    "long-line": 400,
    "folded-everything": INVITE,
    "response-without-via": DROPPED,
    "accept-wildcard": INVITE,
}


def decide(data: bytes) -> int | str:
    """What a fresh agent makes of one datagram."""
    agent = Agent(AgentConfig("192.0.2.1", 5060), SeededIds())
    agent.receive(data, SOURCE, 0.0)
    events, datagrams = agent.events(), agent.datagrams()
    if events:
        return type(events[0]).__name__
    if datagrams:
        assert datagrams[0][1] == SOURCE
        status = int(datagrams[0][0].split(b" ", 2)[1])
        if status != 400:  # a 400 may have to echo what nobody can parse
            assert parse(datagrams[0][0]).to_tag
        return status
    counters = agent.counters
    assert counters.stray + counters.malformed == 1
    return STRAY if counters.stray else DROPPED


needs_files = pytest.mark.skipif(
    not RFC4475.is_dir(), reason=f"RFC 4475 files are not at MASKLINE_TORTURE_DIR ({RFC4475.name})"
)


@needs_files
def test_every_file_of_the_rfc_has_a_decision() -> None:
    files = {f"{path.parent.name}/{path.stem}" for path in RFC4475.glob("*/*.dat")}
    assert files == set(DECISIONS)
    assert len(files) == 50


def test_every_file_of_our_corpus_has_a_decision() -> None:
    assert {path.stem for path in CORPUS.glob("*.dat")} == set(OWN_DECISIONS)


@needs_files
@pytest.mark.parametrize("name", DECISIONS)
def test_rfc_message_is_decided(name: str) -> None:
    assert decide((RFC4475 / f"{name}.dat").read_bytes()) == DECISIONS[name]


@pytest.mark.parametrize("name", OWN_DECISIONS)
def test_own_message_is_decided(name: str) -> None:
    assert decide((CORPUS / f"{name}.dat").read_bytes()) == OWN_DECISIONS[name]


@needs_files
@pytest.mark.parametrize("name", [name for name in DECISIONS if name.startswith("valid/")])
def test_a_foreign_parser_reads_the_same(name: str) -> None:
    data = (RFC4475 / f"{name}.dat").read_bytes()
    ours = parse(data)
    try:
        theirs = sipmessage.Message.parse(data)
        values = theirs.call_id, theirs.cseq.sequence, theirs.cseq.method, theirs.from_address.parameters.get("tag")
    except Exception as error:  # noqa: BLE001 - the oracle raises what it likes on messages it cannot read
        pytest.skip(f"sipmessage cannot read it: {type(error).__name__}")
    assert values == (ours.call_id, ours.cseq, ours.cseq_method, ours.from_tag)
