"""Nothing a peer sends makes the agent raise, whatever state its calls are in."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.sip_wire import SDP, Bench, read_request, request, response

CUTS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 30), st.binary(max_size=16)), max_size=5)
METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "INFO", "OPTIONS", "REFER")


def mutate(data: bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
    for start, length, replacement in cuts:
        data = data[:start] + replacement + data[start + length :]
    return data


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=300), max_size=5))
def test_random_bytes_do_no_harm(datagrams: list[bytes]) -> None:
    bench = Bench()
    for data in datagrams:
        bench.put(data)
    assert bench.kinds() == []


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(METHODS), st.booleans(), CUTS), min_size=1, max_size=8), st.booleans())
def test_mutated_requests_do_no_harm(steps: list[tuple[str, bool, list[tuple[int, int, bytes]]]], answer: bool) -> None:
    bench = Bench()
    usage = bench.answered() if answer else bench.invited()
    for number, (method, inside, cuts) in enumerate(steps):
        data = request(
            method, branch="inv" if method in ("ACK", "CANCEL") else f"b{number}", cseq=number + 1,
            to_tag=usage.id if inside else "", body=SDP,
        )  # fmt: skip
        bench.put(mutate(data, cuts))
        for event in bench.events():
            key = getattr(event, "key", None)
            if key is not None:
                bench.agent.respond(key, 200, bench.now, SDP)
    bench.agent.bye(usage, bench.now)
    bench.pass_time(200)
    bench.events()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from([100, 180, 183, 200, 302, 486]), CUTS), min_size=1, max_size=8))
def test_mutated_responses_do_no_harm(steps: list[tuple[int, list[tuple[int, int, bytes]]]]) -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    for status, cuts in steps:
        bench.put(mutate(response(invite, status, f"t{status}", body=SDP), cuts))
    bench.agent.bye(usage, bench.now)
    for data in bench.sent():
        if data.startswith(b"BYE"):
            bench.put(response(data, 200))
            assert read_request(data).method == "BYE"
    bench.pass_time(200)
    bench.events()
    bench.events()
    assert usage.is_over
    assert not any(bench.agent.sizes().values())
