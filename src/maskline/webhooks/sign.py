"""Headers that let a receiver know a webhook is ours, and the request as it goes out.

What it is: Plivo's V3 and V2 signatures (plivo-vts.md §7.5) and the URL and body that are signed; and the signature of
Standard Webhooks, for endpoints that have a secret. What it is not: keys, clocks or randomness; they come as
arguments. Who uses it: `deliver.py`, at each try, so that nonce and signature are fresh while id and body stay; and
`ask.py` for call actions.

8x8 and Wavecell themselves sign nothing: the configured Authorization value is sent verbatim (8x8-wavecell.md §11), and
the signature, where a secret is set, comes beside it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import field
from urllib.parse import parse_qsl, urlsplit

from maskline import __version__
from maskline.values import dataclass

USER_AGENT = f"Maskline/{__version__}"
SECRET_PREFIX = "whsec_"
MOST_SECRETS = 2
"""Of one endpoint, while the older is being replaced."""
_SECRET_BYTES = range(24, 65)  # the specification's lower and upper bound


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: fragment stripped, a GET's parameters moved into the query."""

    method: str
    url: str = field(repr=False)
    """Carries real numbers when the method is GET: never log it."""
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """Auth tokens in clear, newest first; several while a token is being changed."""

    own: tuple[str, ...] = field(repr=False)
    """Of the account or subaccount the event belongs to."""
    main: tuple[str, ...] = field(repr=False)
    """Of the main account; the same as `own` without a subaccount."""


def build_request(method: str, url: str, body: bytes) -> Request:
    """The request for an outbox row: `#ct=…` is for us alone; GET carries the form in the query (§7)."""
    plain = url.partition("#")[0]
    if method != "GET":
        return Request(method, plain, body)
    joint = "" if not body else "&" if "?" in plain else "?"
    return Request(method, plain + joint + body.decode("ascii"), b"")


def event_headers(event_id: str, second: int, body: bytes, authorization: str, secret: str) -> dict[str, str]:
    """What every receiver is sent. `second`: of the wall clock; `authorization`: verbatim; `secret`: of Standard
    Webhooks. Empty ones leave their header out."""
    headers = {"User-Agent": USER_AGENT, "webhook-id": event_id, "webhook-timestamp": str(second)}
    if authorization:
        headers["Authorization"] = authorization
    if secret:
        headers["webhook-signature"] = standard_webhooks(secret, event_id, second, body)
    return headers


def own_headers(event_id: str, tried: int) -> dict[str, str]:
    """What 8x8 and Wavecell have no word for; `tried`: times before."""
    return {"x-maskline-event-id": event_id, "x-maskline-retry": str(tried)}


def plivo_headers(request: Request, keys: SigningKeys, nonce: str) -> dict[str, str]:
    """Both header families, V3 and V2, each with the owner's and the main account's signature."""
    v3 = plivo_v3_text(request) + "." + nonce
    v2 = _base(request.url) + nonce
    return {
        "X-Plivo-Signature-V3": _signatures(keys.own, v3),
        "X-Plivo-Signature-Ma-V3": _signatures(keys.main, v3),
        "X-Plivo-Signature-V3-Nonce": nonce,
        # V3 validators accept any of a comma-separated list; V2's compare the whole header, so one token signs: the
        # oldest, as receivers know it until it is revoked (docs/decisions/0014-v2-is-signed-with-the-oldest-token.md).
        "X-Plivo-Signature-V2": _signatures(keys.own[-1:], v2),
        "X-Plivo-Signature-Ma-V2": _signatures(keys.main[-1:], v2),
        "X-Plivo-Signature-V2-Nonce": nonce,
    }


def plivo_v3_text(request: Request) -> str:
    """What V3 signs before `.nonce` (§7.5 steps 1 to 5)."""
    query = "&".join(f"{key}={value}" for key, value in sorted(_pairs(urlsplit(request.url).query)))
    form = "".join(key + value for key, value in sorted(_pairs(request.body.decode())))
    base = _base(request.url)
    if not form:
        return f"{base}?{query}" if query else base
    return f"{base}?{query}.{form}" if query else f"{base}?{form}"


def standard_webhooks(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: for each secret `v1,` and the HMAC-SHA-256 of id, second and body, joined by
    dots; with a space between them, as a receiver takes any of the list.

    `secret` is `whsec_` and base64, or several of them, newest first, with a space between; `timestamp` is the value of
    `webhook-timestamp`. Raises `ValueError` for any other.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join([
        "v1," + base64.b64encode(hmac.digest(_secret_key(one), signed, hashlib.sha256)).decode()
        for one in secret.split(" ")
    ])  # fmt: skip


def is_secret(text: str) -> bool:
    """Whether it can sign: `whsec_` and base64 of 24 to 64 bytes, as Standard Webhooks asks for, or two of these with a
    space between while one takes the other's place."""
    secrets = text.split(" ")
    try:
        for secret in secrets:
            _secret_key(secret)
    except ValueError:
        return False
    return len(secrets) <= MOST_SECRETS


def rotated(old: str, new: str) -> str:
    """Both sign from now on: the new secret, and the newest of the old ones. Raises `ValueError` for no secrets."""
    both = " ".join([new, old.partition(" ")[0]])
    if not is_secret(both):
        raise ValueError("not a Standard Webhooks secret")
    return both


def new_secret(entropy: bytes) -> str:
    """A secret of 24 to 64 random bytes."""
    return SECRET_PREFIX + base64.b64encode(entropy).decode()


def _secret_key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(SECRET_PREFIX) or len(key) not in _SECRET_BYTES:
        raise ValueError("not a Standard Webhooks secret")  # names nothing of it
    return key


def decimal_nonce(entropy: str) -> str:
    """20 decimal digits from hex digits, the shape of the vendor's samples."""
    return str(int(entropy, 16) % 10**20).zfill(20)


def _base(url: str) -> str:
    """scheme://host[:port]/path as the receiver sees it: no user info, `/` for an empty path, no query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path or '/'}"


def _pairs(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True)


def _signatures(tokens: tuple[str, ...], text: str) -> str:
    return ",".join(_signature(token, text) for token in tokens)


def _signature(token: str, text: str) -> str:
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), hashlib.sha256)).decode()
