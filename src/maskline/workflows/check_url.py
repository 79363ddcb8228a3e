"""Tell a URL we may be asked to call from text that is none. Called by workflows and dialects.

What it is not: the judgement whether its address may be reached; egress makes that when it connects, because
a name can change its address.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit


@lru_cache(maxsize=1_024)
def is_http_url(url: str) -> bool:
    """Whether `url` is absolute http(s) with a host, a sane port, and no blank or control character. Answers are
    kept: a customer's sessions name the same few URLs."""
    # Blanks, line ends and unpaired surrogates would break the request line or the database's UTF-8.
    if not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # bad port or bad IPv6 literal
        return False
