"""SIPp scenarios, told as ladders: a `Caller` and a `Callee` that collect steps and write the XML SIPp reads.

What it is: message texts and the order of sending and expecting, for one call. What it is not: a SIP stack; parsing,
matching and repeating are SIPp's, and the texts are written here and not by our own agent, so that our reading of the
RFC is not its own judge. Who uses it: `tests/support/sipp_field.py` and the tests `tests/wire/test_sipp_*.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self
from xml.sax.saxutils import quoteattr

PATIENCE = 20.0
"""Seconds a side waits for a message unless told otherwise."""

FOLD = "\n\\x20"
"""A folded line. SIPp strips the white space a line begins with, unless it is written as a number."""
_ECHOED = ("Via", "From", "To", "CSeq")


def sdp(direction: str = "sendrecv", *, version: int = 1, codecs: Sequence[int] = (0, 8, 101), owner: str = "-") -> str:
    """An offer or answer at the port SIPp has for media."""
    names = {0: "PCMU/8000", 8: "PCMA/8000", 96: "telephone-event/8000", 101: "telephone-event/8000"}
    maps = "".join(f"a=rtpmap:{codec} {names[codec]}\n" for codec in codecs)
    events = "".join(f"a=fmtp:{codec} 0-15\n" for codec in codecs if codec in (96, 101))
    return (
        f"v=0\no={owner} 4711 {version} IN IP4 [media_ip]\ns={owner}\nc=IN IP4 [media_ip]\nt=0 0\n"
        f"m=audio [media_port] RTP/AVP {' '.join(map(str, codecs))}\n{maps}{events}a=ptime:20\na={direction}\n"
    )


def isup(handling: str, number: str) -> str:
    """A body of one part, as of a gateway between SIP and the telephone network."""
    head = f"Content-Type: application/ISUP;version=itu-t92+\nContent-Disposition: signal;handling={handling}\n"
    return f"--b1\n{head}\n{number}\n--b1--\n"


def message(first_line: str, headers: Sequence[str], body: str, kind: str = "application/sdp") -> str:
    lines = [first_line, *headers]
    if body:
        lines.append(f"Content-Type: {kind}")
    lines += ["Content-Length: [len]", ""]
    return "\n".join(lines) + "\n" + body


class Script:
    """Steps of one side. `expect` waits for a request (name) or a response (status)."""

    mark = "x"

    def __init__(self) -> None:
        self.steps: list[str] = []
        self._branches = 0

    def send(self, text: str, *, repeat: bool = False) -> Self:
        """One message; `repeat` lets SIPp send it again until something comes."""
        attribute = ' retrans="500"' if repeat else ""
        self.steps.append(f"<send{attribute}><![CDATA[\n\n{text}\n]]></send>")
        return self

    def expect(self, what: int | str, *, optional: bool = False, within: float = PATIENCE, action: str = "") -> Self:
        key = "response" if isinstance(what, int) else "request"
        extra = ' optional="true"' if optional else f' timeout="{int(within * 1000)}"'
        # The messages a dialog, also an early one, takes its route set from (RFC 3261 §12.1).
        learns = ' rrs="true"' if what in (180, 183, 200, "INVITE") else ""
        inner = f"<action>{action}</action>" if action else ""
        self.steps.append(f"<recv {key}={quoteattr(str(what))}{extra}{learns}>{inner}</recv>")
        return self

    def keep(self, method: str) -> Self:
        """Expect a request that will be answered later, by `reply_kept`."""
        action = "".join(
            f'<ereg regexp=".*" search_in="hdr" header="{name}:" assign_to="{method}{name}"/>' for name in _ECHOED
        )
        return self.expect(method, action=action)

    def reply_kept(self, method: str, status: str = "200 OK", *, body: str = "", headers: Sequence[str] = ()) -> Self:
        lines = [f"{name}:[${method}{name}]" for name in _ECHOED]
        return self.send(message(f"SIP/2.0 {status}", [*lines, "Call-ID: [call_id]", *headers], body))

    def play(self, capture: Path, seconds: float) -> Self:
        """Send the RTP of a pcap from our media port, and wait until it is over."""
        self.steps.append(f'<nop><action><exec play_pcap_audio="{capture}"/></action></nop>')
        return self.pause(seconds)

    def play_digits(self, digits: str, seconds: float) -> Self:
        """SIPp's own telephone-events, of payload type 96."""
        self.steps.append(f'<nop><action><exec play_dtmf="{digits}"/></action></nop>')
        return self.pause(seconds)

    def cue(self) -> Self:
        """Wait for a sign of the test (`Side.cue`): SIPp cannot hear when a prompt is over."""
        return self.expect("MESSAGE", within=60.0)

    def pause(self, seconds: float) -> Self:
        self.steps.append(f'<pause milliseconds="{int(seconds * 1000)}"/>')
        return self

    def reply(
        self, status: str, *, body: str = "", to_tag: str = "", method: str = "", headers: Sequence[str] = ()
    ) -> Self:
        """Answer the last request; `method`: an earlier one with the same Via and sequence number."""
        cseq = f"CSeq: [last_cseq_number] {method}" if method else "[last_CSeq:]"
        lines = ["[last_Via:]", "[last_Record-Route:]", "[last_From:]", f"[last_To:]{to_tag}", "[last_Call-ID:]", cseq]
        if to_tag:
            lines.append(f"Contact: {self.contact}")
        return self.send(message(f"SIP/2.0 {status}", [*lines, *headers], body))

    @property
    def contact(self) -> str:
        return f"<sip:{self.mark}@[local_ip]:[local_port]>"

    def branch(self, *, new: bool = True) -> str:
        self._branches += new
        return f"z9hG4bK{self.mark}[pid]x[call_number]x{self._branches}"

    def via(self, *, new: bool = True) -> str:
        return f"Via: SIP/2.0/UDP [local_ip]:[local_port];branch={self.branch(new=new)}"

    def write(self, path: Path) -> None:
        body = "\n".join(self.steps)
        path.write_text(
            f'<?xml version="1.0" encoding="UTF-8" ?>\n<scenario name={quoteattr(path.stem)}>\n{body}\n</scenario>\n'
        )


class Caller(Script):
    """The carrier of somebody who dials a virtual number. It says its number wherever carriers do, and in a few
    places more, so that there is something to leak."""

    mark = "a"

    def __init__(self, number: str, virtual: str) -> None:
        super().__init__()
        self.number, self.virtual = number, virtual
        self.sequence = 0
        self.invited = 1
        """Sequence number of the last INVITE, which its ACK repeats."""
        self.offer = sdp(owner=number)

    @property
    def contact(self) -> str:
        return f"<sip:{self.number}@[local_ip]:[local_port]>"

    @property
    def uri(self) -> str:
        return f"sip:+{self.virtual}@[remote_ip]:[remote_port]"

    @property
    def me(self) -> str:
        return f'"Caller {self.number}" <sip:+{self.number}@[local_ip]:[local_port]>;tag=a[pid]x[call_number]'

    def invite(
        self, *, body: str | None = None, headers: Sequence[str] = (), max_forwards: int = 70, vias: Sequence[str] = (),
        contact: str = "", repeat: bool = True, again: bool = False, kind: str = "application/sdp",
    ) -> Self:  # fmt: skip
        """The first INVITE; `again`: the same bytes a second time, as when the answer was lost."""
        self.sequence = 1
        self.send(
            message(
                f"INVITE {self.uri} SIP/2.0",
                [
                    self.via(new=not again), *vias, f"Max-Forwards: {max_forwards}", f"From: {self.me}",
                    f"To: <{self.uri}>", "Call-ID: [call_id]", "CSeq: 1 INVITE", f"Contact: {contact or self.contact}",
                    f"P-Asserted-Identity: <sip:+{self.number}@[local_ip]>",
                    f"User-Agent: phone of {self.number}", f"Subject: {self.number} calls",
                    f"X-Original-Caller: +{self.number}",
                    f"Remote-Party-ID: <sip:{self.number}@[local_ip]>;party=calling",
                    *headers,
                ],
                self.offer if body is None else body,
                kind,
            ),
            repeat=repeat,
        )  # fmt: skip
        return self if again else self.expect(100, optional=True)

    def request(
        self,
        method: str,
        *,
        body: str = "",
        kind: str = "application/sdp",
        headers: Sequence[str] = (),
        repeat: bool = True,
    ) -> Self:
        """A request inside the dialog."""
        self.sequence += method != "ACK"
        if method == "INVITE":
            self.invited = self.sequence
        sequence = self.invited if method == "ACK" else self.sequence
        lines = [
            self.via(), "[routes]", "Max-Forwards: 70", f"From: {self.me}", f"To: <{self.uri}>[peer_tag_param]",
            "Call-ID: [call_id]", f"CSeq: {sequence} {method}", f"Contact: {self.contact}", *headers,
        ]  # fmt: skip
        return self.send(message(f"{method} [next_url] SIP/2.0", lines, body, kind), repeat=repeat and method != "ACK")

    def ack(self, body: str = "") -> Self:
        """Of a 2xx."""
        return self.request("ACK", body=body)

    def ack_refusal(self) -> Self:
        """Of a 3xx-6xx: same branch and address as the INVITE (RFC 3261 §17.1.1.3)."""
        return self._hop("ACK", "[peer_tag_param]")

    def cancel(self) -> Self:
        return self._hop("CANCEL", "")

    def _hop(self, method: str, tag: str) -> Self:
        lines = [
            self.via(new=False), "Max-Forwards: 70", f"From: {self.me}", f"To: <{self.uri}>{tag}",
            "Call-ID: [call_id]", f"CSeq: 1 {method}",
        ]  # fmt: skip
        return self.send(message(f"{method} {self.uri} SIP/2.0", lines, ""), repeat=method == "CANCEL")

    def refused(self, status: int, **expect: float) -> Self:
        return self.expect(status, **expect).ack_refusal()  # type: ignore[arg-type]

    def answered(self) -> Self:
        return self.expect(200).ack()

    def hang_up(self) -> Self:
        return self.request("BYE").expect(200)


class Callee(Script):
    """The carrier of the person who is called; says its own number wherever it can."""

    mark = "b"

    def __init__(self, number: str) -> None:
        super().__init__()
        self.number = number
        self.sequence = 100
        self.answer_body = sdp(owner=number, codecs=(0, 101))

    @property
    def contact(self) -> str:
        return f"<sip:{self.number}@[local_ip]:[local_port]>"

    @property
    def tag(self) -> str:
        return ";tag=b[pid]x[call_number]"

    def invited(self) -> Self:
        keep = "".join(
            f'<ereg regexp=".*" search_in="hdr" header="{header}:" assign_to="{name}"/>'
            for header, name in (("From", "far"), ("To", "near"), ("Via", "via"), ("CSeq", "cseq"))
        )
        return self.expect("INVITE", action=keep)

    def progress(
        self, status: str = "180 Ringing", body: str = "", *, headers: Sequence[str] = (), fork: str = ""
    ) -> Self:
        """`fork`: another tag, as of another phone behind a proxy."""
        return self.reply(status, body=body, to_tag=self.tag + fork, headers=[*self._own(), *headers])

    def answer(self, body: str | None = None, headers: Sequence[str] = ()) -> Self:
        body = self.answer_body if body is None else body
        return self.reply("200 OK", body=body, to_tag=self.tag, headers=[*self._own(), *headers]).expect("ACK")

    def answer_again(self, *, fork: str = "", headers: Sequence[str] = ()) -> Self:
        """The 200 to the INVITE once more, as when its ACK was lost, or after requests in between."""
        return self.reply_to_invite("200 OK", self.answer_body, fork=fork, headers=headers).expect("ACK")

    def reply_to_invite(self, status: str, body: str = "", *, fork: str = "", headers: Sequence[str] = ()) -> Self:
        """A response to the INVITE, whatever came after it."""
        lines = [
            "Via:[$via]", "From:[$far]", f"To:[$near]{self.tag}{fork}", "Call-ID: [call_id]", "CSeq:[$cseq]",
            f"Contact: {self.contact}", *self._own(), *headers,
        ]  # fmt: skip
        return self.send(message(f"SIP/2.0 {status}", lines, body))

    def refuse(self, status: str, headers: Sequence[str] = ()) -> Self:
        return self.reply(status, to_tag=self.tag, headers=[*self._own(), *headers]).expect("ACK")

    def request(
        self, method: str, *, body: str = "", kind: str = "application/sdp", repeat: bool = True,
        headers: Sequence[str] = (),
    ) -> Self:  # fmt: skip
        """A request inside the dialog."""
        self.sequence += method != "ACK"
        lines = [
            self.via(), "[routes]", "Max-Forwards: 70", f"From:[$near]{self.tag}", "To:[$far]",
            "Call-ID: [call_id]", f"CSeq: {self.sequence} {method}", f"Contact: {self.contact}", *headers,
        ]  # fmt: skip
        return self.send(message(f"{method} [next_url] SIP/2.0", lines, body, kind), repeat=repeat and method != "ACK")

    def ack(self) -> Self:
        return self.request("ACK")

    def let_go(self) -> Self:
        """The other side hangs up."""
        return self.expect("BYE").reply("200 OK")

    def hang_up(self) -> Self:
        return self.request("BYE").expect(200)

    def cross_byes(self) -> Self:
        """Our BYE goes out before theirs is answered; theirs is answered last."""
        return self.keep("BYE").request("BYE", repeat=False).expect(200).reply_kept("BYE")

    def answer_after_cancel(self) -> Self:
        """The 200 to the INVITE goes out when the CANCEL is here; the CANCEL is answered last."""
        self.keep("CANCEL").reply("200 OK", method="INVITE", to_tag=self.tag, body=self.answer_body)
        return self.expect("ACK").let_go().reply_kept("CANCEL")

    def _own(self) -> list[str]:
        return [f"P-Asserted-Identity: <sip:+{self.number}@[local_ip]>", f"Server: phone of {self.number}"]

    def write(self, path: Path) -> None:
        self.steps.append('<Reference variables="far,near,via,cseq"/>')
        super().write(path)
