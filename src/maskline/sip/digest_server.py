"""Proof asked of a peer: our challenges, and whether an answer holds (RFC 3261 §22.2, RFC 8760).

What it is: one check of a request before any state is made for it. A nonce is its time and a keyed hash of it, so that
asking costs no memory; answering does, since a count must not come twice, and that memory is bounded: when it is full
the oldest nonce goes and all as old as it count as stale. What it is not: a rule whom to ask (the engine's, by the
trunk); strangers never come here, they get silence. Who uses it: `agent_server`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from maskline.ids import Ids
from maskline.sip.agent_checks import Refusal
from maskline.sip.digest import Answer, Credentials, is_right, parse_answer, quote
from maskline.sip.flow import Flow
from maskline.sip.grammar import ParseError
from maskline.sip.message import Request
from maskline.sip.uri import Uri

Wanted = tuple[Credentials | None, ...]
"""Who a peer may have to be: one of these. Empty, or None among them: it need not prove anything."""
UNASKED = frozenset(("ACK", "CANCEL", "BYE", "PRACK", "OPTIONS"))
"""ACK and CANCEL cannot be asked (§22.1). OPTIONS tells nothing. BYE and PRACK are let through on the dialog's tags: a
call that nobody can end because a peer does not answer challenges there is worse than one ended early."""
ASKED_WITH = ("SHA-512-256", "SHA-256", "MD5")
"""Best first (RFC 8760 §2.3); each in a header of its own. The first only where that is wanted, since many peers look
at the topmost header alone and give up when they do not know what it names."""
_UNDERSTOOD = ("", *ASKED_WITH)
"""A right answer by any of them holds, whatever was asked: a peer may be set to the better one."""
NONCE_SECONDS = 300.0
"""For so long a nonce holds; then `stale` makes the peer take a new one without asking anybody for a password."""
MAX_NONCES = 10_000
"""Nonces in use whose counts are remembered."""
_WINDOW = 64
"""Counts behind the highest that may still come, since datagrams overtake each other."""
_ALL = (1 << _WINDOW) - 1


class DigestServer:
    """Asks, checks, remembers counts."""

    __slots__ = ("_floor", "_ids", "_key", "_realm", "_seen", "_wanted", "max_nonces", "proved")

    def __init__(self, wanted: Callable[[Flow], Wanted], realm: str, ids: Ids) -> None:
        self._wanted = wanted
        self._realm = realm
        self._ids = ids
        self._key = ids.token(16).encode()
        self._seen: dict[str, tuple[int, int]] = {}
        """Highest count of a nonce, and those below it as bits."""
        self._floor = float("-inf")
        """Nonces made until then are not remembered any more."""
        self.max_nonces = MAX_NONCES
        self.proved: tuple[Credentials, ...] = ()
        """What the request that was checked last has proved: more than one where several are the same."""

    def check(self, request: Request, flow: Flow, now: float) -> Refusal | None:
        """None: it may pass. 401 asks for proof, or for another nonce; 403: the proof is wrong."""
        self.proved = ()
        if request.method in UNASKED:
            return None
        wanted = self._wanted(flow)
        asked = [one for one in wanted if one is not None]
        if not asked:
            return None
        answer = self._answer(request, {one.realm or self._realm for one in asked})
        if answer is None:
            return None if None in wanted else self._ask(asked, now)
        asked = [one for one in asked if (one.realm or self._realm) == answer.realm]
        made_at = self._made_at(answer.nonce)
        if made_at is None or not _is_same_place(answer.uri, request):
            return self._ask(asked, now)
        proved = tuple([one for one in asked if is_right(answer, one, request.method, request.whole_body)])
        if not proved:
            return Refusal(403)
        # Only who knows the password is told that a nonce was right but old.
        if not made_at <= now < made_at + NONCE_SECONDS or made_at <= self._floor or not self._is_new(answer):
            return self._ask(asked, now, stale=True)
        self.proved = proved
        return None

    @staticmethod
    def _answer(request: Request, realms: set[str]) -> Answer | None:
        """The first that names a realm of ours; others are for proxies and servers behind us (§22.3)."""
        for line in request.headers.get("authorization", "").split("\n"):
            answer = parse_answer(line)
            if answer is not None and answer.realm in realms and _is_as_asked(answer):
                return answer
        return None

    def _ask(self, asked: list[Credentials], now: float, *, stale: bool = False) -> Refusal:
        """In every realm that is meant. What one of those in it cannot read is not asked for there."""
        realms: dict[str, list[Credentials]] = {}
        for one in asked:
            realms.setdefault(one.realm or self._realm, []).append(one)
        nonce, text = self._nonce(now), ""
        for realm, those in realms.items():
            rest = f'realm={quote(realm)}, nonce="{nonce}", qop="auth,auth-int"{", stale=true" if stale else ""}'
            first = 2 if any(one.md5_only for one in those) else 0 if all(one.sha512 for one in those) else 1
            for algorithm in ASKED_WITH[first:]:
                text += f"WWW-Authenticate: Digest {rest}, algorithm={algorithm}\r\n"
        return Refusal(401, text)

    def _nonce(self, now: float) -> str:
        seed = f"{int(now * 1000):014x}{self._ids.token(4)}"
        return seed + self._seal(seed)

    def _made_at(self, nonce: str) -> float | None:
        """When we made this nonce; None if we did not."""
        seed = nonce[:22]
        if not hmac.compare_digest(self._seal(seed).encode(), nonce[22:].encode("utf-8", "surrogateescape")):
            return None
        return int(seed[:14], 16) / 1000

    def _seal(self, seed: str) -> str:
        data = seed.encode("utf-8", "surrogateescape")
        return hashlib.blake2b(data, digest_size=12, key=self._key).hexdigest()

    def _is_new(self, answer: Answer) -> bool:
        """Whether the count was not there before; without qop there is none, so such a nonce holds once."""
        seen, nonce, count = self._seen, answer.nonce, answer.nc
        known = seen.get(nonce)
        if known is None:
            if len(seen) >= self.max_nonces:
                self._forget_oldest()
            seen[nonce] = (count, 0)
            return True
        highest, below = known
        if count > highest:
            step = count - highest  # by as much everything moves down, and the old highest becomes a bit too
            seen[nonce] = (count, ((below << 1 | 1) << (step - 1)) & _ALL if step <= _WINDOW else 0)
            return True
        bit = 1 << (highest - count - 1) if 0 < highest - count <= _WINDOW else 0
        if not bit or below & bit:
            return False
        seen[nonce] = (highest, below | bit)
        return True

    def _forget_oldest(self) -> None:
        oldest = next(iter(self._seen))
        del self._seen[oldest]
        self._floor = max(self._floor, int(oldest[:14], 16) / 1000)


def _is_as_asked(answer: Answer) -> bool:
    return answer.qop in ("", "auth", "auth-int") and answer.algorithm.upper() in _UNDERSTOOD


def _is_same_place(uri: str, request: Request) -> bool:
    """Whether what was signed is what is asked for (RFC 7616 §3.4.6). A proxy between may have put another host."""
    if uri == request.uri_text:
        return True
    try:
        return Uri(uri).user == request.request_uri.user
    except ParseError:
        return False
