"""Our answers to the challenges of one peer: which we answer, and the request sent again.

What it is: per INVITE usage (or OPTIONS) the credentials, the last challenge and its count. The rules that keep our
answer from the wrong hands are here: it goes to the places the credentials are for and to no other, port and transport
included, for their realm, and inside a dialog only where that realm is known beforehand, with no weaker algorithm than
the INVITE was asked with. A callee that the carrier lets talk to us directly can
challenge our BYE with the carrier's realm; answered, it could call on our account (FreeSWITCH GHSA-3v3f-99mv-qvj4).
What it is not: sums (`digest`) or transactions (`agent_client`, its user).
"""

from __future__ import annotations

from maskline.ids import Ids
from maskline.sip.digest import Challenge, Credentials, authorization, parse_challenges, strength_of
from maskline.sip.flow import Flow
from maskline.sip.message import Response

_HEADERS = {401: ("www-authenticate", "Authorization"), 407: ("proxy-authenticate", "Proxy-Authorization")}
_OWN_LINES = ("authorization:", "proxy-authorization:")


class _Answered:
    """The challenge that holds for one of the two headers, and how often it was answered."""

    __slots__ = ("challenge", "count")

    def __init__(self, challenge: Challenge) -> None:
        self.challenge = challenge
        self.count = 0


class DigestClient:
    """Answers for one peer."""

    __slots__ = ("_answered", "_credentials", "_floor", "_ids", "_realm")

    def __init__(self, credentials: Credentials, ids: Ids, realm: str = "", floor: int = 0) -> None:
        """`realm`: of the challenge that was answered last, before a restart; `floor`: `weakest` then."""
        self._credentials = credentials
        self._ids = ids
        self._realm = credentials.realm or realm
        self._floor = floor
        self._answered: dict[str, _Answered] = {}

    @property
    def realm(self) -> str:
        """The only one whose challenges are answered; empty: any."""
        return self._realm

    @property
    def weakest(self) -> int:
        """Strength of the weakest challenge that holds; 0: none was answered."""
        return min((strength_of(each.challenge.algorithm) for each in self._answered.values()), default=self._floor)

    def takes(self, response: Response, flow: Flow, tries: dict[str, int], *, in_dialog: bool) -> bool:
        """Whether the challenge is one to answer, and if so, note it: the request goes to `flow` again, with `lines`.

        `tries` is this request's own and counts its answers: a second one to the same header only when the peer says
        that the nonce was old, a third one never."""
        wanted, header = _HEADERS[response.status]
        if not self.shows_to(flow) or (in_dialog and not self._realm):
            return False
        challenge = self._choose(response.headers.get(wanted, ""), self._weakest(header) if in_dialog else 0)
        tried = tries.get(header, 0)
        if challenge is None or tried > 1 or (tried == 1 and not challenge.stale):
            return False
        tries[header] = tried + 1
        self._realm = challenge.realm
        self._answered[header] = _Answered(challenge)
        return True

    def _weakest(self, header: str) -> int:
        """The strength below which nothing is answered: that of what was answered for this header, or else for the
        other. A carrier that asked the INVITE with SHA-256 does not ask the BYE with MD5; who wants to guess does."""
        known = self._answered.get(header)
        answered = self._answered.values() if known is None else (known,)
        return max((strength_of(each.challenge.algorithm) for each in answered), default=self._floor)

    def _choose(self, header: str, weakest: int) -> Challenge | None:
        """The topmost that we can answer (RFC 8760 §2.4), of our realm and at least so strong."""
        for challenge in parse_challenges(header):
            if self._realm in ("", challenge.realm) and strength_of(challenge.algorithm) >= weakest:
                return challenge
        return None

    def shows_to(self, flow: Flow) -> bool:
        """Whether what proves us may go to `flow`: host, port and transport. Only from UDP to TCP may it have changed,
        as what is too large for UDP does, on our own account (RFC 3261 §18.1.1)."""
        for place in self._credentials.places:
            if (flow.host, flow.port) == (place.host, place.port) and (
                flow.transport == place.transport or (place.transport, flow.transport) == ("udp", "tcp")
            ):
                return True
        return False

    def lines(self, method: str, uri: str, body: bytes, flow: Flow) -> str:
        """Header lines for a request to `flow`; empty when nothing was asked yet, or another is there."""
        if not self.shows_to(flow):
            return ""
        text = ""
        for header, answered in self._answered.items():
            answered.count += 1
            value = authorization(
                self._credentials, answered.challenge, method=method, uri=uri, nc=answered.count,
                cnonce=self._ids.token(8), body=body,
            )  # fmt: skip
            text += f"{header}: {value}\r\n"
        return text


def digest_of(credentials: Credentials | None, ids: Ids, realm: str = "", floor: int = 0) -> DigestClient | None:
    return None if credentials is None else DigestClient(credentials, ids, realm, floor)


def rewrite(data: bytes, branch: tuple[str, str], cseq: tuple[int, int], method: str, lines: str) -> bytes:
    """The request `data` of ours once more: `branch` and `cseq` as (old, new), and `lines` for its Authorization."""
    head, _, body = data.partition(b"\r\n\r\n")
    kept = head.decode("utf-8", "surrogateescape").split("\r\n")
    text = "\r\n".join([line for line in kept if not line.lower().startswith(_OWN_LINES)])
    text = text.replace(f";branch={branch[0]}", f";branch={branch[1]}", 1)
    text = text.replace(f"\r\nCSeq: {cseq[0]} {method}\r\n", f"\r\nCSeq: {cseq[1]} {method}\r\n{lines}", 1)
    return text.encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body
