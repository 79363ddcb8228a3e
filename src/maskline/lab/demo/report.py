"""What the demo says of a call: the ladder, the tones, the quality, the webhooks, the leak check.

What it is: checks over what arrived, and their printing. What it is not: an actor in the call. Who uses it: the
scenarios of `lab/demo`.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from maskline.lab.inbox import Received
from maskline.lab.ladder import draw
from maskline.lab.leaks import find_leaks
from maskline.lab.likeness import ENOUGH, Match
from maskline.lab.phone import Phone
from maskline.lab.tones import heard_tone
from maskline.masking.e164 import Number

TONES = (440, 1000)
_WIDTH = 35
"""Of a name among checks that are printed before the longest is known."""


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool
    detail: str


def sounds_like(name: str, what: str, match: Match) -> Check:
    """Whether a phone heard a known sound."""
    where = f" after {match.seconds:.1f} s" if match.heard else ""
    return Check(name, match.heard, f"{what}: likeness {match.likeness:.2f}{where} ({ENOUGH} counts as heard)")


def shows_number(phone: Phone, number: str) -> Check:
    """Whether it was called with this E.164 number."""
    invite = next((item.data for item in phone.trace if not item.sent and item.data.startswith(b"INVITE ")), b"")
    shown = next((line for line in invite.split(b"\r\n") if line.lower().startswith(b"from:")), b"")
    ok = number.encode() in shown
    return Check(f"{phone.name}'s phone shows", ok, number if ok else "not the virtual number")


def print_checks(checks: Sequence[Check], say: Callable[[str], None]) -> None:
    width = max(len(check.name) for check in checks)
    for check in checks:
        say(_line(check, width))


def _line(check: Check, width: int) -> str:
    return f"  {'ok  ' if check.ok else 'FAIL'} {check.name:<{width}}  {check.detail}"


class Pointless(Exception):
    """A check failed without which the rest cannot hold."""


class Checks:
    """Checks that are printed as they fall."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.good = True

    def add(self, *checks: Check) -> None:
        for check in checks:
            self.good = self.good and check.ok
            self._say(_line(check, _WIDTH))

    def need(self, check: Check) -> None:
        """Raises `Pointless` when it does not hold."""
        self.add(check)
        if not check.ok:
            raise Pointless


def print_title(title: str, say: Callable[[str], None]) -> None:
    say(f"\n── {title} ".ljust(92, "─"))


@dataclass(slots=True)
class CallReport:
    """One call, as seen from outside the platform."""

    number: int
    title: str
    caller: Phone
    callee: Phone
    virtual_number: Number
    hooks: dict[str, list[Received]]
    auth_token: str = field(repr=False)
    callback_url: str
    checks: list[Check] = field(default_factory=list)

    def add(self, name: str, ok: bool, detail: str) -> None:
        self.checks.append(Check(name, ok, detail))


def judge(
    report: CallReport, final_status: int, eight_status: str, wavecell_status: str, plivo_events: frozenset[str]
) -> None:
    """Fill `report.checks`."""
    status = report.caller.final_status
    report.add("caller's phone saw", status == final_status, f"{status} (expected {final_status})")
    _judge_caller_id(report)
    if final_status == 200:
        _judge_audio(report)
    else:
        _judge_silence(report)
    _judge_eight(report, eight_status, with_quality=final_status == 200)
    _judge_wavecell(report, wavecell_status)
    _judge_plivo(report, plivo_events)
    _judge_leaks(report)


def _judge_caller_id(report: CallReport) -> None:
    """The callee's display shows the virtual number."""
    invite = next((t.data for t in report.callee.trace if not t.sent and t.data.startswith(b"INVITE ")), b"")
    shown = next((line for line in invite.split(b"\r\n") if line.lower().startswith(b"from:")), b"")
    ok = report.virtual_number.digits.encode() in shown
    report.add("callee's phone shows", ok, report.virtual_number.e164 if ok else "not the virtual number")


def _judge_audio(report: CallReport) -> None:
    for listener, speaker in ((report.caller, report.callee), (report.callee, report.caller)):
        audio = listener.audio
        heard = heard_tone(audio.heard, TONES) if audio else None
        packets = audio.heard_packets if audio else 0
        detail = f"{heard} Hz in {packets} packets ({speaker.name} plays {speaker.tone} Hz)"
        report.add(f"{listener.name} heard", heard == speaker.tone and packets > 50, detail)


def _judge_silence(report: CallReport) -> None:
    """A call that was never answered carries no audio, hence no tone and no MOS."""
    packets = sum(phone.audio.heard_packets for phone in (report.caller, report.callee) if phone.audio)
    report.add("tones and MOS", packets == 0, f"none: never answered, {packets} RTP packets heard")


def _judge_eight(report: CallReport, expected: str, *, with_quality: bool) -> None:
    bodies = report.hooks["/8x8"]
    payload: dict[str, Any] = bodies[0].values["payload"] if bodies else {}
    status = payload.get("sessionStatus", "nothing")
    report.add("8x8 SESSION_SUMMARY", len(bodies) == 1 and status == expected, f"{status} (expected {expected})")
    if with_quality:
        qualities = {leg: payload.get("details", {}).get(leg, {}).get("callQuality", {}) for leg in ("callA", "callB")}
        mos = {leg: quality.get("mos", 0.0) for leg, quality in qualities.items()}
        detail = ", ".join(f"{leg} {value}" for leg, value in mos.items())
        report.add("MOS", all(value >= 4.0 for value in mos.values()), detail)


def _judge_wavecell(report: CallReport, expected: str) -> None:
    bodies = report.hooks["/wavecell"]
    status = bodies[0].values.get("status") if bodies else "nothing"
    report.add("Wavecell call status", len(bodies) == 1 and status == expected, f"{status} (expected {expected})")


def _judge_plivo(report: CallReport, expected: frozenset[str]) -> None:
    bodies = report.hooks["/plivo"]
    events = [item.event for item in sorted(bodies, key=lambda r: int(r.values.get("SequenceNumber") or 0))]
    report.add("Plivo events", sorted(events) == sorted(expected), ", ".join(events) or "nothing")
    signed = [item for item in bodies if _signature_holds(report, item)]
    report.add("Plivo V3 signatures", len(signed) == len(bodies) > 0, f"{len(signed)} of {len(bodies)} hold")


def _signature_holds(report: CallReport, item: Received) -> bool:
    """What a customer's receiver does: Plivo's V3 text of a POST without query, keyed with the auth token.
    Written here a second time on purpose; the product's signer must not be its own judge."""
    nonce = item.headers.get("X-Plivo-Signature-V3-Nonce", "")
    fields = "".join(key + value for key, value in sorted(item.values.items()))
    digest = hmac.digest(report.auth_token.encode(), f"{report.callback_url}?{fields}.{nonce}".encode(), "sha256")
    return base64.b64encode(digest).decode() in item.headers.get("X-Plivo-Signature-V3", "").split(",")


def _judge_leaks(report: CallReport) -> None:
    report.checks += leak_checks(report.caller, report.callee)


def leak_checks(*phones: Phone) -> list[Check]:
    """Whether what one phone received names another of them."""
    checks = []
    for phone, other in ((one, other) for one in phones for other in phones if one is not other):
        received = phone.received
        secrets = [_call_id(other), f"{other.address[0]}:{other.address[1]}".encode()]
        leaks = find_leaks(received, other.number, secrets=secrets)
        size = sum(len(data) for data in received)
        detail = f"{size} bytes searched, " + (f"FOUND as {', '.join(leaks)}" if leaks else "nothing found")
        checks.append(Check(f"leak check: {other.name} in {phone.name}'s bytes", not leaks, detail))
    return checks


def _call_id(phone: Phone) -> bytes:
    for item in phone.trace:
        for line in item.data.split(b"\r\n"):
            if line.lower().startswith((b"call-id:", b"i:")):
                return line.partition(b":")[2].strip()
    return b""


def print_report(report: CallReport, say: Callable[[str], None]) -> None:
    print_title(f"Call {report.number}: {report.title}", say)
    for line in draw(report.caller, report.callee):
        say(line)
    say("")
    print_checks(report.checks, say)
