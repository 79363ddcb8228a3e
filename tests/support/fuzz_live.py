"""What targets that play a conversation share: messages set apart, `$words` for live values, and what we send, read.

What it is: `CUT` between the messages of one input, `Live` for the words in them, `check_sent`. What it is not: a
target. Who uses it: `fuzz_targets`, `fuzz_doors`.
"""

from __future__ import annotations

import re

from maskline.sip.grammar import ParseError
from maskline.sip.message import Request
from maskline.sip.parser import parse

CUT = b"\n%%\n"
MOST_MESSAGES = 12
_LIVE = re.compile(rb"\$(via|from|to|callid|cseq|n|method|ltag|rtag|branch|me|host)\b")


class Live:
    """What `$words` stand for: values of the last message that we sent to this side."""

    def __init__(self, me: bytes, host: bytes) -> None:
        self._values = {b"me": me, b"host": host}

    def note(self, data: bytes) -> None:
        try:
            message = parse(data)
            to_tag, from_tag = message.to_tag, message.from_tag
        except ParseError:
            return
        request = isinstance(message, Request)
        ours, theirs = (from_tag, to_tag) if request else (to_tag, from_tag)
        words = {
            "via": message.headers.get("via", ""), "from": message.headers.get("from", ""),
            "to": message.headers.get("to", ""), "callid": message.call_id, "n": str(message.cseq),
            "cseq": f"{message.cseq} {message.cseq_method}", "method": message.cseq_method, "ltag": ours,
            "rtag": theirs, "branch": message.via.branch,
        }  # fmt: skip
        self._values |= {
            key.encode(): value.replace("\n", "\r\nx: ").encode("utf-8", "replace") for key, value in words.items()
        }

    def fill(self, text: bytes) -> bytes:
        return _LIVE.sub(lambda found: self._values.get(found[1], b"x"), text)


def check_sent(data: bytes, *, answers_nonsense: bool) -> None:
    """Our own parser takes what we send. An error answers with the words it was asked with (§8.2.6.2), so of an answer
    to nonsense only the frame is ours."""
    try:
        message = parse(data)
        read = [message.via, message.from_address, message.to_address, message.contact]
        assert len(read) == 4
        declared = message.headers.get("content-length")
        assert declared is None or int(declared) == len(message.body)
    except ParseError:
        assert answers_nonsense and data.startswith((b"SIP/2.0 4", b"SIP/2.0 5")), data
