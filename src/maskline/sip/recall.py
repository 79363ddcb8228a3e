"""Messages whose mandatory headers are, word for word, what was written or read before: compared, not parsed again.

What it is: for a response, what our request said; for a request inside a dialog, what the dialog's earlier ones said.
All that the grammar would say of those headers is known, so they take one comparison. What it is not: a judge. What is
read here is what parsing would make of it, whose it is is found out later in both cases, and whatever is written in
another order, differs by a byte or has a fault is parsed. Who uses it: `parser`, for `agent`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from maskline.sip.grammar import HEADER_KEYS, ParseError, add_header
from maskline.sip.message import HOPS, Request, Response
from maskline.sip.uri import is_plain
from maskline.values import leaf

if TYPE_CHECKING:
    from maskline.sip.build import Builder
    from maskline.sip.invite_usage import InviteUsage
    from maskline.sip.transaction_client import ClientTransaction

_ID = 16
"""Characters of our tags and, behind its cookie, of our branches (`Ids.token`)."""
_BRANCH = 7 + _ID
_MAX_LINES = 200
MAX_REMEMBERED = 1_024
_CALL_ID, _CSEQ = "\r\nCall-ID: ", "\r\nCSeq: "
_TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]"
_METHOD = "(INVITE|ACK|BYE|CANCEL|PRACK|UPDATE|INFO|OPTIONS)"
_NUMBER = re.compile(rf"([0-9]{{1,9}}) {_METHOD}")
_STATUS = re.compile(r"SIP/2\.0 ([1-6][0-9]{2}) ([^\r\n]{0,64})")
_TARGET = re.compile(rf"{_METHOD} ([^ \r\n]{{1,256}}) SIP/2\.0")
_TAG = re.compile(rf";tag={_TOKEN}++")
_ADDED = re.compile(r"(?:;rport(?:=[0-9]{1,5}+|)|;received=[0-9A-Fa-f.:]++)*+")
"""What RFC 3581 makes of the end of our Via."""
_VIA = re.compile(
    rf"Via: SIP/2\.0/[A-Z]+ ([A-Za-z0-9.\-]++(?::(?:[1-9][0-9]{{0,3}}+|[1-5][0-9]{{4}}+)|))(?:;rport|)"
    rf";branch=(z9hG4bK{_TOKEN}++)(?:;rport|)"
)

# Nearly all calls have the same few. What is kept of a peer's is bounded in number and length.
_numbers: dict[str, tuple[int, str]] = {}
_statuses: dict[str, tuple[int, str]] = {}
_targets: dict[str, tuple[str, str]] = {}


@leaf
class Dialogue:
    """What the far side of a dialog writes in each request: From, To, Call-ID, in this order."""

    __slots__ = ("before", "call_id", "from_tag", "from_value", "lines", "to_tag", "to_value")

    def __init__(self, from_value: str, to_value: str, call_id: str, from_tag: str, to_tag: str) -> None:
        self.from_value = from_value
        self.to_value = to_value
        self.call_id = call_id
        self.from_tag = from_tag
        self.to_tag = to_tag
        front = f"\r\nFrom: {from_value}\r\nTo: {to_value}"
        self.before = len(front)
        self.lines = f"{front}{_CALL_ID}{call_id}{_CSEQ}"


def dialogue_of(request: Request, local_tag: str) -> Dialogue:
    """As it goes on after this request, which is as usual; `local_tag`: ours, if its To has none of us yet."""
    to_value, to_tag = request.headers["to"], request.to_tag
    if not to_tag:
        to_value, to_tag = f"{to_value};tag={local_tag}", local_tag
    return Dialogue(request.headers["from"], to_value, request.call_id, request.from_tag, to_tag)


class Memory:
    """What one agent has sent and read."""

    __slots__ = ("_transactions", "_usages", "_vias")

    def __init__(
        self, transactions: dict[str, ClientTransaction], usages: dict[str, InviteUsage], build: Builder
    ) -> None:
        self._transactions = transactions
        self._usages = usages
        self._vias = [(way, f"\r\nVia: {via}") for way, via in build.vias.items() if not way.endswith("6")]

    def recall(self, head: str, body: bytes) -> Request | Response | None:
        """The message; None: it has to be parsed. `head` is all before the blank line."""
        if head.startswith("SIP/2.0 "):
            return self._answer(head, body)
        return self._inside(head, body)

    def _answer(self, head: str, body: bytes) -> Response | None:
        at = head.find("\r\n")
        status = _status(head[:at])
        way, start = self._way(head, at)
        end = head.find("\r\n", start)
        cseq_at = head.find(_CSEQ, end)
        rest = head.find("\r\n", cseq_at + 8)
        text = head[cseq_at + 8 :] if rest < 0 else head[cseq_at + 8 : rest]
        number = _number(text)
        if status is None or not way or end < 0 or cseq_at < 0 or number is None:
            return None
        branch = head[start : start + _BRANCH]
        transaction = self._transactions.get(branch + number[1])
        if transaction is None or transaction.envelope.way != way or transaction.envelope.cseq != number[0]:
            return None
        added = head[start + _BRANCH : end]
        if added != ";rport" and _ADDED.fullmatch(added) is None:
            return None
        from_value, to_value = transaction.envelope.from_value, transaction.envelope.to_value
        call_id = transaction.envelope.call_id
        front, back = f"\r\nFrom: {from_value}\r\nTo: {to_value}", _CALL_ID + call_id
        tag_at, tag_end = end + len(front), cseq_at - len(back)
        tag = head[tag_at:tag_end]
        if tag_end < tag_at or head[end:tag_at] != front or head[tag_end:cseq_at] != back or not _is_tag(tag):
            return None
        headers = {
            "via": head[at + 7 : end], "from": from_value, "to": to_value + tag, "call-id": call_id, "cseq": text,
        }  # fmt: skip
        if rest >= 0 and not _add(headers, head[rest + 2 :].split("\r\n")):
            return None
        if not _is_whole(headers, body):
            return None
        response = Response(status[0], status[1], headers, body)
        response.call_id, response.cseq, response.cseq_method = call_id, number[0], number[1]
        response.note_usual(branch, "", None, tag[5:] if tag else None)
        return response

    def _way(self, head: str, at: int) -> tuple[str, int]:
        """Which way of ours the Via line names that begins at `at`, and where its branch begins."""
        for way, via in self._vias:
            start = at + len(via)
            if head[at:start] == via:
                return way, start
        return "", at

    def _inside(self, head: str, body: bytes) -> Request | None:
        call_at = head.find(_CALL_ID)
        usage = self._usages.get(head[call_at - _ID : call_at]) if call_at > _ID else None
        if usage is None or usage.known is None:
            return None
        known = usage.known
        start = call_at - known.before
        end = start + len(known.lines)
        if start < 0 or head[start:end] != known.lines:
            return None
        rest = head.find("\r\n", end)
        text = head[end:] if rest < 0 else head[end:rest]
        lines = head[:start].split("\r\n")
        number, target = _number(text), _target(lines[0])
        via = _VIA.fullmatch(lines[1]) if len(lines) > 1 else None
        if number is None or target is None or via is None or number[1] != target[0]:
            return None
        headers = {
            "via": lines[1][5:], "from": known.from_value, "to": known.to_value, "call-id": known.call_id, "cseq": text,
        }  # fmt: skip
        others = lines[2:]
        if rest >= 0:
            others += head[rest + 2 :].split("\r\n")
        hops = headers.get("max-forwards") if _add(headers, others) else ""
        if (hops is not None and hops not in HOPS) or not _is_whole(headers, body):
            return None
        request = Request(target[0], target[1], headers, body)
        request.call_id, request.cseq, request.cseq_method = known.call_id, number[0], number[1]
        host, branch = via.groups()
        request.note_usual(branch, host, known.from_tag, known.to_tag)
        return request


def _add(headers: dict[str, str], lines: list[str]) -> bool:
    """Whether there is no fault in these header lines; `headers` have them then."""
    together = "".join(lines)
    if "\n" in together or "\r" in together or len(lines) > _MAX_LINES:
        return False
    for line in lines:
        name, _, value = line.partition(": ")
        key, known = HEADER_KEYS.get(name), len(headers)
        if key is not None and value:
            headers.setdefault(key, value.strip(" \t"))
        if len(headers) == known:
            try:
                add_header(headers, line)
            except ParseError:
                return False
    return True


def _is_whole(headers: dict[str, str], body: bytes) -> bool:
    """Whether the body is as long as it says, and one."""
    length, kind = headers.get("content-length"), headers.get("content-type")
    return (length is None or length == str(len(body))) and (
        kind is None or kind == "application/sdp" or not kind[:10].lower().startswith("multipart/")
    )


def _is_tag(text: str) -> bool:
    """Whether this is a tag parameter or nothing."""
    if not text or (text.startswith(";tag=") and text.isascii() and text[5:].isalnum()):
        return True
    return _TAG.fullmatch(text) is not None


def _number(text: str) -> tuple[int, str] | None:
    """Number and method of a CSeq of a method that we know."""
    found = _numbers.get(text)
    if found is None:
        match = _NUMBER.fullmatch(text)
        if match is None:
            return None
        if len(_numbers) >= MAX_REMEMBERED:
            _numbers.clear()
        found = _numbers[text] = (int(match[1]), match[2])
    return found


def _status(line: str) -> tuple[int, str] | None:
    """Code and reason of a Status-Line."""
    found = _statuses.get(line)
    if found is None:
        match = _STATUS.fullmatch(line)
        if match is None:
            return None
        if len(_statuses) >= MAX_REMEMBERED:
            _statuses.clear()
        found = _statuses[line] = (int(match[1]), match[2])
    return found


def _target(line: str) -> tuple[str, str] | None:
    """Method and Request-URI of a Request-Line inside a dialog, where the latter is one of our own Contacts."""
    found = _targets.get(line)
    if found is None:
        match = _TARGET.fullmatch(line)
        if match is None or not is_plain(match[2]):
            return None
        if len(_targets) >= MAX_REMEMBERED:
            _targets.clear()
        found = _targets[line] = (match[1], match[2])
    return found
