"""Tell a URL we may be asked to call from text that is none. Called by workflows, dialects and the CLI.

What it is not: the judgement whether its address may be reached; egress makes that when it connects, because
a name can change its address. What is known beforehand, an address in the URL itself, is refused for endpoints.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

from maskline.net.guard import BAD_PORT, AddressGuard, is_web_port

_NO_URL = "should be a valid URL"
_USER = "should hold no user and password; what proves who sends is the value of the Authorization header"
INTERNAL = "is an internal address, which only MASKLINE_EGRESS_ALLOW opens"


@lru_cache(maxsize=1_024)
def url_fault(url: str) -> str:
    """What is wrong with `url`, to be put behind a parameter's name; empty for one that is absolute http(s) with a
    host, a port that webhooks may go to, and no blank or control character. Answers are kept: a customer's sessions
    name the same few URLs."""
    # Blanks, line ends and unpaired surrogates would break the request line or the database's UTF-8.
    if not url.isprintable() or " " in url:
        return _NO_URL
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # bad port or bad IPv6 literal
        return _NO_URL
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return _NO_URL
    return "" if port is None or is_web_port(port) else BAD_PORT


def endpoint_fault(url: str, guard: AddressGuard | None = None) -> str:
    """As `url_fault`, for a URL that is kept and shown: it holds no secret, and with a `guard` no address that this
    guard refuses."""
    if fault := url_fault(url):
        return fault
    parts = urlsplit(url)
    if "@" in parts.netloc:
        return _USER
    return INTERNAL if guard and guard.refuses_literal(parts.hostname or "") else ""
