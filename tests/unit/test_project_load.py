"""What the load tests conclude from a capture, from SIPp's figures and from the callee's bytes is right."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import bench_overload, bench_peer, bench_sip, bench_vca, flame_graph, perf_stacks, sip_load, sip_wire

SIP_PORT, UAC_PORT, UAS_PORT, WEB_PORT = 5060, 6000, 7000, 8000
CALLER, CALLEE = "447700900001", "919900000001"


def packet(at: float, source: int, destination: int, payload: bytes) -> bytes:
    udp = struct.pack("!HHHH", source, destination, 8 + len(payload), 0)
    frame = bytes(12) + b"\x08\x00" + b"\x45" + bytes(19) + udp + payload
    return struct.pack("<IIII", int(at), round(at % 1 * 1e6), len(frame), len(frame)) + frame


def capture(path: Path, *packets: bytes) -> Path:
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(packets))
    return path


def invite_in(at: float, call_id: str = "a") -> bytes:
    text = f"INVITE sip:18005550000@h SIP/2.0\r\nFrom: <sip:{CALLER}@h>;tag=1\r\nCall-ID: {call_id}\r\n\r\n"
    return packet(at, UAC_PORT, SIP_PORT, text.encode())


def invite_out(at: float) -> bytes:
    return packet(at, SIP_PORT, UAS_PORT, f"INVITE sip:+{CALLEE}@h SIP/2.0\r\n\r\n".encode())


def test_the_delay_is_from_the_first_invite_in_to_the_invite_out(tmp_path: Path) -> None:
    path = capture(
        tmp_path / "a.pcap",
        invite_in(10.0), invite_in(10.5), packet(10.55, SIP_PORT, UAC_PORT, b"SIP/2.0 100 Trying\r\n"),
        invite_out(10.503), invite_out(10.6), invite_in(11.0, "b"), invite_in(12.0, "c"), invite_out(12.001),
    )  # fmt: skip
    delays = sip_wire.forwarding_delays(path, {CALLER.encode(): CALLEE.encode()}, SIP_PORT, UAS_PORT)
    assert delays == pytest.approx([1.0, 503.0], abs=0.01)


def question(at: float) -> bytes:
    body = f'POST / HTTP/1.1\r\n\r\n{{"eventType":"CALL_ACTION","payload":{{"source":"+{CALLER}"}}}}'.encode()
    tcp = struct.pack("!HHIIBBHHH", 40_000, WEB_PORT, 0, 0, 8 << 4, 0, 0, 0, 0) + bytes(12) + body
    frame = bytes(12) + b"\x08\x00" + b"\x45" + bytes(8) + b"\x06" + bytes(10) + tcp
    return struct.pack("<IIII", int(at), round(at % 1 * 1e6), len(frame), len(frame)) + frame


def test_the_delay_of_a_question_is_until_the_invite_that_its_answer_asks_for(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.pcap", invite_in(9.9), question(10.0), invite_out(10.002), invite_out(10.5))
    delays = sip_wire.asking_delays(path, {CALLER.encode(): CALLEE.encode()}, WEB_PORT, UAS_PORT)
    assert delays == [(pytest.approx(10.002), pytest.approx(2.0, abs=0.01))]


def test_a_steady_percentile_is_that_of_the_median_second() -> None:
    delays = [(1.1, 3.0), (1.2, 4.0), (2.1, 900.0), (3.0, 5.0), (3.1, 1.0)]
    assert sip_wire.steady_percentile(delays, 0.99) == 5.0


def test_a_callers_number_is_found_with_and_without_its_country_code() -> None:
    assert sip_wire.leaks([CALLER], b"P-Asserted-Identity: <sip:+447700900001@h>") == ["…0001"]
    assert sip_wire.leaks([CALLER], b"s=call of 07700900001") == ["…0001"]
    assert sip_wire.leaks([CALLER], b"From: <sip:18005550000@h>\r\nCSeq: 7700900 INVITE 001") == []


def test_a_percentile_never_runs_off_the_list() -> None:
    assert sip_wire.percentile([1.0, 2.0, 3.0], 0.5) == 2.0
    assert sip_wire.percentile([1.0], 0.99) == 1.0


@pytest.mark.parametrize(("text", "expected"), [("00:01:02", 62.0), ("00:00:20:500000", 20.5)])
def test_sipps_elapsed_time_is_read_in_both_its_forms(text: str, expected: float) -> None:
    assert sip_load.seconds(text) == expected


def load(*, failed: int = 0, again: int = 0, achieved: float = 200.0) -> sip_load.Load:
    return sip_load.Load(200, 4000, failed, again, achieved, 1.0, None, Path("m"), Path("c"))


def test_a_run_is_clean_without_failures_and_with_one_repeat_in_a_thousand() -> None:
    assert load(again=4).clean
    assert not load(again=5).clean
    assert not load(failed=1).clean


@pytest.mark.parametrize(
    ("rows", "said"), [("record", "there is no row 'record'"), ("records,compiled", "'make compile'")]
)
def test_a_row_that_is_not_there_is_refused_before_anything_is_measured(
    rows: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python would find the package's sources in place of what is not compiled, and the row would be theirs."""
    (tmp_path / "maskline" / "sip").mkdir(parents=True)
    (tmp_path / "maskline" / "sip" / "parser.py").write_text("")
    monkeypatch.setattr(bench_sip, "COMPILED", tmp_path)
    assert bench_sip.read_options([]).rows == ["no records", "records"]
    with pytest.raises(SystemExit):
        bench_sip.read_options(["--rows", rows])
    assert said in capsys.readouterr().err


def test_a_profiler_that_is_missing_is_said_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_sip, "py_spy", lambda: "")
    with pytest.raises(SystemExit):
        bench_sip.read_options(["--rows", "records", "--profile", "out/flame.svg"])
    assert "py-spy is missing" in capsys.readouterr().err
    monkeypatch.setattr(bench_sip, "py_spy", lambda: "/usr/bin/py-spy")
    assert bench_sip.read_options(["--rows", "records", "--profile", "out/flame.svg"]).profile


def test_a_curve_needs_seconds_and_its_promise_twice_the_limit(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in ((["--seconds", "5"], "6 at least"), (["--factors", "1.5,3"], "2 has to be among them")):
        with pytest.raises(SystemExit):
            bench_overload.main(arguments)
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("program", "arguments", "said"),
    [
        (bench_sip.read_options, "--step 1", "'1' is not above 1, so a search would never climb"),
        (bench_sip.read_options, "--step wide", "'wide' is not above 1"),
        (bench_sip.read_options, "--rate 0", "--rate: '0' is not a number of 1 or more"),
        (bench_sip.read_options, "--seconds nan", "--seconds: 'nan' is not a number of 1 or more"),
        (bench_sip.read_options, "--confirm -1", "--confirm: '-1' is not a number of 1 or more"),
        (bench_sip.read_options, "--sessions 1.5", "--sessions: '1.5' is not a whole number"),
        (bench_overload.main, "--factors 2,much", "'2,much' is no list of numbers above 0"),
        (bench_overload.main, "--factors 0,2", "'0,2' is no list of numbers above 0"),
        (bench_peer.main, "--rates 500,fast", "--rates: 'fast' is not a number of 1 or more"),
        (bench_overload.main, "--limit -5", "--limit: '-5' is not a whole number of 0 or more"),
        (bench_peer.main, "--searches one", "--searches: 'one' is not a whole number of 0 or more"),
        (bench_peer.main, "--turns 0", "--turns: '0' is not a number of 1 or more"),
        (bench_vca.read_options, "--rates 200,,300", "--rates: '' is not a number of 1 or more"),
    ],
)
def test_what_nothing_can_be_measured_with_is_refused_in_one_sentence(
    program: Callable[[list[str]], object], arguments: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        program(arguments.split())
    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert said in last
    assert "lambda" not in last


def test_of_the_load_after_a_peak_is_told_what_became_of_each_call(tmp_path: Path) -> None:
    (tmp_path / "calm.csv").write_text(
        "ElapsedTime(C);TotalCallCreated;SuccessfulCall(C);FailedCall(C);FailedUnexpectedMessage(C);Retransmissions(C)\n"
        "00:00:00:000000;0;0;0;0;0\n"
        "00:00:01:003000;100;0;4;3;0\n"
        "00:00:02:001000;200;90;6;5;1\n"
        "00:00:09:000000;800;791;9;7;2\n"
    )
    assert bench_overload.read_calm(tmp_path / "calm.csv") == {
        "calls": 800, "completed_calls": 791, "refused": 7, "refused_at_once": 3, "lost": 2, "again": 2,
    }  # fmt: skip


def test_a_search_ends_whatever_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """By so small a step a rate of 400 rounds to itself."""
    options = bench_sip.read_options(["--step", "1.001", "--start", "400"])
    driven: list[int] = []

    class Carries403:
        def drive(self, rate: int, calls: int) -> sip_load.Load:
            driven.append(rate)
            return load(failed=int(rate > 403 or (rate > 401 and calls == 60 * rate)), achieved=rate)

    best = bench_sip.find_rate(Carries403(), options)  # type: ignore[arg-type]
    assert best is not None
    assert driven == [400, 401, 402, 403, 404, 403, 402, 401]


def test_a_peer_that_is_not_compiled_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench_peer.main(["--row", "records", "--against", str(tmp_path)])
    assert "finds nothing compiled" in capsys.readouterr().err


def test_a_rate_counts_only_when_it_was_really_driven() -> None:
    assert bench_sip.passes(load())
    assert not bench_sip.passes(load(achieved=189))


def test_the_numbers_of_a_load_test_are_not_part_of_one_another() -> None:
    callers = {sip_load.CALLER.format(index)[2:] for index in (0, 999)}
    others = " ".join(form.format(index) for form in (sip_load.VIRTUAL, sip_load.CALLEE) for index in (0, 999))
    assert not [caller for caller in callers if caller in others]


STACKS = """thread (7): MainThread;main (a.py);receive (maskline/engine/core.py);parse (maskline/sip/parser.py) 600
thread (7): MainThread;main (a.py);receive (maskline/engine/core.py);<lambda> (b.py) 390
thread (7): MainThread;main (a.py);rare (b.py) 10
thread (8): writer;run (c.py) 500
"""


def test_a_flame_graph_holds_one_thread_from_where_its_stacks_part(tmp_path: Path) -> None:
    flame_graph.write_flame_graph(STACKS, tmp_path / "flame.svg", "MainThread")
    text = (tmp_path / "flame.svg").read_text()
    assert "<title>receive (maskline/engine/core.py) 100.0%</title>" in text
    assert "<title>parse (maskline/sip/parser.py) 60.6%</title>" in text
    assert "&lt;lambda&gt;" in text
    assert "rare" not in text
    assert "run (c.py)" not in text


def test_a_flame_graph_makes_its_folder(tmp_path: Path) -> None:
    """`make bench PROFILE=1` draws it into `out`, which nothing else has made in a fresh clone."""
    flame_graph.write_flame_graph(STACKS, tmp_path / "out" / "flame.svg", "MainThread")
    assert (tmp_path / "out" / "flame.svg").read_text().startswith("<svg")


def test_a_thread_that_was_not_seen_has_no_flame_graph(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no stack of Loop"):
        flame_graph.write_flame_graph(STACKS, tmp_path / "flame.svg", "Loop")


SAMPLES = """python
\t           98f5e cfree@GLIBC_2.2.5
\t           f339e sqlite3_step
\t          1c279b CPyDef_routing_answers___answered_gen_____mypyc_generator_helper__
\t          1bca04 CPyPy_route_call___route_RouteCall_gen___send
\t          5bd8f8 CPyDef_engine___core___EngineCore____feed
\t          5bd8f8 CPyDef_engine___core___EngineCore____feed

python
\t          198f5e __x64_sys_sendto
\t           98f5e do_syscall_64
\t          5bd8f8 CPyDef_udp___UdpSocket___send

"""


def test_stacks_of_a_compiled_server_have_the_names_of_their_sources() -> None:
    answered = "answered (maskline/workflows/routing_answers.py)"
    assert perf_stacks.fold(SAMPLES).splitlines() == [
        f"main thread;EngineCore._feed (maskline/engine/core.py);{answered};SQLite 1",
        "main thread;UdpSocket.send (maskline/net/udp.py);kernel: sendto 1",
    ]


def test_a_compiled_module_is_not_taken_for_another_of_its_name() -> None:
    """The terminal has a `call.py` too, which is not compiled."""
    stack = "python\n\t 5bd8f8 CPyDef_call___Call___handle\n"
    assert perf_stacks.fold(stack) == "main thread;Call.handle (maskline/engine/call.py) 1\n"
