"""What the Plivo dialect costs per create apart from HTTP and the store: reading, fingerprint, session object, JSON.

What it is: a loop over requests that differ in their parties, printing the median microseconds of each part, once for
what most creates say and once with every callback URL of its own. What it is not: the whole of a create
(`bench_create.py`). Run it by hand: `python tools/bench_dialect.py`.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from pydantic_core import to_json

from maskline.api.body import parse_object
from maskline.api.once import read_once
from maskline.api.plivo.schemas import WishMaker, read_create
from maskline.api.plivo.serializer import session_object
from maskline.masking.e164 import Number
from maskline.masking.session import Session, SessionOptions

REQUESTS = 5_000
NOW = 1_763_800_000.0
ACCOUNT, NUMBER = "MA0123456789ABCDEFGH", Number("6531580001")
PARTS = ("body", "read", "options", "fingerprint", "object", "json")


def plain(index: int) -> dict[str, Any]:
    return {"first_party": f"+6591{index:06}", "second_party": f"+6592{index:06}", "session_expiry": 600}


def rich(index: int) -> dict[str, Any]:
    return plain(index) | {
        "call_time_limit": 900, "ring_timeout": 30, "callback_method": "GET", "record": True, "geomatch": True,
        "callback_url": f"https://customer.example/events?order={index}", "record_file_format": "wav",
        "recording_callback_url": "https://customer.example/recordings", "recording_callback_method": "POST",
    }  # fmt: skip


def one_create(make_wish: WishMaker, body: bytes, index: int) -> tuple[float, ...]:
    """Seconds of each of `PARTS`."""
    clock = time.perf_counter
    t0 = clock()
    parsed = parse_object(body)
    t1 = clock()
    values = read_create(parsed)
    t2 = clock()
    wish = make_wish(values)
    t3 = clock()
    read_once(None, ACCOUNT, "POST /Masking/Session", values, NOW, 15.0)
    t4 = clock()
    at = NOW + index / 1_500
    session = Session(
        f"5b1a7f2e-0000-7000-8000-{index:012}", ACCOUNT, None, wish.first_party, wish.second_party, NUMBER,
        wish.options, at, at, at + 600, 600,
    )  # fmt: skip
    t5 = clock()  # what made the session is the store's
    shown = session_object(session, "https://masking.example", at)
    t6 = clock()
    to_json({"api_id": ACCOUNT, "message": "Session created", "session": shown})
    return t1 - t0, t2 - t1, t3 - t2, t4 - t3, t6 - t5, clock() - t6


def main() -> None:
    for name, make in (("plain", plain), ("rich, every callback URL its own", rich)):
        make_wish = WishMaker(SessionOptions())
        bodies = [json.dumps(make(index)).encode() for index in range(REQUESTS)]
        rounds = [one_create(make_wish, body, index) for index, body in enumerate(bodies)]
        medians = [statistics.median(part) * 1e6 for part in zip(*rounds, strict=True)]
        told = "  ".join(f"{part} {median:.1f}" for part, median in zip(PARTS, medians, strict=True))
        print(f"{name}: {sum(medians):.0f} µs a create  ({told})")


if __name__ == "__main__":
    main()
