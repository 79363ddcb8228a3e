"""A judge of all SIP of all wire tests: nothing that one side says of itself reaches another, nor a log.

What it is: `Judge`, which reads what came since the last time. It knows no test: where the platforms are it is told,
who is a party it learns from the messages. Each dialog of a platform has one far side; a word of that side's own making
(Call-ID, tag, branch, host, software, SDP origin) or the number of a party, in any spelling of `read_as`, may be in no
message of another dialog, unless that one's far side said it too or is the one who has it; and the number of a party
may be in nothing that a platform writes for its operator. What it is not: a tap (`wire_tap.py`), or a proof against
spellings that nobody thought of (tests/sim/test_identity_interference.py). Who uses it: tests/wire/conftest.py, after
each test.
"""

from __future__ import annotations

import base64
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from tests.support.wire_tap import End, Message

SHORTEST_WORD = 6
"""Bytes of an id that is looked for; a shorter one stands in other words by chance."""
SHORTEST_NUMBER = 9
"""Digits; with fewer there would be chance hits among ids."""


_CALL_ID = re.compile(rb"^(?:Call-ID|i)[ \t]*:[ \t]*(\S+)", re.M | re.I)
_WORDS = (
    re.compile(rb"^(?:From|f)[ \t]*:[^\r]*;tag=([^;\r>]+)", re.M | re.I),
    re.compile(rb"^(?:Via|v)[ \t]*:[^\r]*;branch=([^;,\r]+)", re.M | re.I),
    re.compile(rb"^(?:User-Agent|Server)[ \t]*:[ \t]*([^\r]+)", re.M | re.I),
    re.compile(rb"^o=([^\r]*)", re.M), re.compile(rb"^s=([^\r]{6,})", re.M),
)  # fmt: skip
_TO_TAG = re.compile(rb"^(?:To|t)[ \t]*:[^\r]*;tag=([^;\r>]+)", re.M | re.I)
_HOSTS = re.compile(
    rb"^(?:Contact|m)[ \t]*:[^\r]*sips?:(?:[^@>\r]*@)?(\[[^\]\r]*\]|[^;:>\r]+)"
    rb"|^(?:Via|v)[ \t]*:[ \t]*SIP/2.0/\w+ (\[[^\]\r]*\]|[^;:,\r]+)",
    re.M | re.I,
)
_PARTY = re.compile(
    rb"^(?:From|f|P-Asserted-Identity|Remote-Party-ID)[ \t]*:[^\r]*?(?:sips?|tel):\+?(\d+)", re.M | re.I
)
_DIALLED = re.compile(rb"^INVITE (?:sips?|tel):\+?(\d+)")
_RUN = re.compile(rb"\d{%d,}" % SHORTEST_NUMBER)


@dataclass(slots=True)
class Dialog:
    """A platform's dealings with one far side under one Call-ID."""

    far: End
    said: bytearray = field(default_factory=bytearray)
    """Everything that the far side sent: it may have it back."""
    own: set[bytes] = field(default_factory=set)
    """Numbers of the far side itself."""


class Judge:
    def __init__(self, platforms: Collection[End]) -> None:
        """`platforms`: where they are; it may grow. Others on the same loopback, of other tests, are not judged."""
        self._ours = platforms
        self._dialogs: dict[tuple[End, bytes], Dialog] = {}
        self._words: dict[End, dict[bytes, tuple[bytes, str]]] = defaultdict(dict)
        """By platform: a word, whose it is (a Call-ID), and the host of who said it."""
        self._numbers: dict[End, set[bytes]] = defaultdict(set)
        self._dialled: dict[End, set[bytes]] = defaultdict(set)
        """Virtual numbers, mostly: whoever dials knows what it dials."""
        self.read = 0
        """Messages of platforms."""

    def look(self, messages: list[Message]) -> list[str]:
        """What crossed, in words. All that the far sides said is read first: what comes later may be theirs, too."""
        ours = self._ours
        mine = [(one, _first(_CALL_ID, one.data)) for one in messages if one.source in ours or one.target in ours]
        for message, call_id in mine:
            if message.target in self._ours:
                self._hear(message, call_id)
            elif message.data.startswith(b"INVITE "):
                self._dial(message, call_id)
        self.read += len(mine)
        found: list[str] = []
        for message, call_id in mine:
            if message.source in self._ours:
                found += self._judge(message, call_id)
        return found

    def _dialog(self, platform: End, call_id: bytes, far: End) -> Dialog:
        return self._dialogs.setdefault((platform, call_id), Dialog(far))

    def _hear(self, message: Message, call_id: bytes) -> None:
        """What a far side says of itself."""
        platform, data = message.target, message.data
        dialog = self._dialog(platform, call_id, message.source)
        dialog.said += data
        response = data.startswith(b"SIP/")
        words = {call_id}
        patterns = (_TO_TAG, *_WORDS[2:]) if response else _WORDS
        for pattern in patterns:
            words.update(pattern.findall(data))
        for word in words:
            if len(word) >= SHORTEST_WORD:
                self._words[platform].setdefault(word, (call_id, message.source[0]))
        for contact, via in _HOSTS.findall(data):
            host = (contact or via).strip(b"[]")
            if (host.count(b".") == 3 or b":" in host) and host.decode() != platform[0]:
                self._words[platform].setdefault(host, (b"", message.source[0]))
        if response:
            return
        numbers = {number for number in _PARTY.findall(data) if len(number) >= SHORTEST_NUMBER}
        dialog.own |= numbers
        if data.startswith(b"INVITE "):
            self._dialled[platform].update(_DIALLED.findall(data))
            self._numbers[platform] |= numbers

    def _dial(self, message: Message, call_id: bytes) -> None:
        """Whoever we call has the number that we call it by."""
        dialog = self._dialog(message.source, call_id, message.target)
        numbers = {number for number in _DIALLED.findall(message.data) if len(number) >= SHORTEST_NUMBER}
        dialog.own |= numbers
        self._numbers[message.source] |= numbers

    def _judge(self, message: Message, call_id: bytes) -> list[str]:
        platform, data = message.source, message.data
        dialog = self._dialog(platform, call_id, message.target)
        found = []
        for how, text in read_as(data):
            numbers = {number for run in set(_RUN.findall(text)) for number in self._parties_in(platform, run)}
            strange = numbers - dialog.own - self._dialled[platform]
            found += [self._tell(message, f"the number{how}", one) for one in strange if one not in dialog.said]
        for word in self._words_in(platform, data):
            whose, host = self._words[platform][word]
            stranger = whose != call_id if whose else host != message.target[0]
            if stranger and word not in dialog.said:
                found.append(self._tell(message, "the word", word))
        return found

    def find_persons(self, platform: End, text: bytes) -> list[str]:
        """Lines of what an operator reads (logs, metrics) that name a party."""
        found = []
        for line in text.splitlines():
            runs = _RUN.findall(line)
            named = {number for run in set(runs) for number in self._parties_in(platform, run)}
            found += [line.decode("utf-8", "replace") for _ in named - self._dialled[platform]]
        return found

    def _parties_in(self, platform: End, run: bytes) -> list[bytes]:
        numbers = self._numbers[platform]
        if run in numbers:
            return [run]
        sizes = range(SHORTEST_NUMBER, min(len(run), 15))
        pieces = {run[at : at + size] for size in sizes for at in range(len(run) - size + 1)}
        return sorted(pieces & numbers)

    def _words_in(self, platform: End, data: bytes) -> list[bytes]:
        """Known words in the message, by its own words: a search for each known one would take minutes."""
        known = self._words[platform]
        pieces = {*_PIECES.findall(data), *_LONG.findall(data), *_LINES.findall(data)}
        return sorted(piece for piece in pieces if piece in known)

    @staticmethod
    def _tell(message: Message, what: str, word: bytes) -> str:
        first = message.data.split(b"\r\n", 1)[0].decode("utf-8", "replace")
        return f"{what} {word.decode('utf-8', 'replace')} of another side, to {message.target}: {first}"


_PIECES = re.compile(rb"[A-Za-z0-9\-_.!%*+`'~]{6,}")
"""Tokens: tags, branches, hosts."""
_LONG = re.compile(rb"[A-Za-z0-9\-_.!%*+`'~@]{6,}")
"""Call-IDs with their host."""
_LINES = re.compile(rb"^(?:[os]=|[A-Za-z\-]+:[ \t]*)([^\r]{6,})\r?$", re.M)
"""Whole values."""


def _first(pattern: re.Pattern[bytes], data: bytes) -> bytes:
    found = pattern.search(data)
    return found[1] if found else b""


_SEPARATORS = re.compile(rb"(?<=\d)[ .()\-/]+(?=\d)")
_BASE64 = re.compile(rb"[A-Za-z0-9+/\-_]{12,}")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}){9,}")


def read_as(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The message as it is, and as somebody would read it who knows what to look for: (how, text)."""
    yield "", data
    yield ", backwards", data[::-1]
    yield ", taken apart", _SEPARATORS.sub(b"", data)
    if b"%" in data:
        yield ", percent-encoded", unquote_to_bytes(data)
    words = set(_BASE64.findall(data))
    texts = [_unbase64(word[shift:]) for word in words for shift in range(4)]
    texts += [bytes.fromhex(run.decode()) for run in {run for word in words for run in _HEX.findall(word)}]
    texts += [bytes.fromhex(run.decode()) for run in {run for word in words for run in _HEX.findall(word[1:])}]
    yield ", encoded", b"\n".join(texts)


def _unbase64(word: bytes) -> bytes:
    """Of either alphabet; what is left over at the end says less than a byte."""
    return base64.b64decode(word[: len(word) // 4 * 4].translate(bytes.maketrans(b"-_", b"+/")))
