"""Every input that a fuzzer saved, and every one it begins with, keeps the promises of its room.

The fuzzer itself runs by `make fuzz`, which `make test` includes; here nothing is by chance. What it once found stays
in tests/fuzz/corpus and is played again.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import fuzz_targets
from tests.support.call_machine import CALLEE
from tests.support.fuzz_seeds import rfc4475, seeds
from tests.support.fuzz_targets import CUT, TARGETS, check_sent

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("target", TARGETS)
def test_what_was_saved_and_what_it_begins_with_break_no_promise(target: str) -> None:
    saved = [file.read_bytes() for file in sorted((CORPUS / target).iterdir())]
    assert saved, "make fuzz-corpus"
    for data in (*saved, *seeds(target), *rfc4475(target)):
        try:
            TARGETS[target](data)
        except Exception as error:
            raise AssertionError(f"{target}: {data!r}") from error


def test_the_parser_target_notices_another_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(data: bytes) -> object:
        return {}[data]

    monkeypatch.setattr(fuzz_targets, "parse", careless)
    with pytest.raises(KeyError):
        TARGETS["parser"](b"x")


def test_the_agent_target_notices_what_is_left_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_targets, "MOST_DEADLINES", 1)
    with pytest.raises(AssertionError):
        TARGETS["agent"](seeds("agent")[0])


def test_the_agent_target_notices_a_message_of_ours_that_cannot_be_read() -> None:
    with pytest.raises(AssertionError):
        check_sent(b"BYE sip:x SIP/2.0\r\nVia: x\r\n\r\n", answers_nonsense=False)
    check_sent(b"SIP/2.0 400 x\r\nVia: x\r\n\r\n", answers_nonsense=True)


def test_the_call_target_notices_a_number_that_crosses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_targets, "CALLER", CALLEE)  # whose number its own side is told, as it must be
    with pytest.raises(AssertionError):
        TARGETS["call"](b"\x00\xe0")


def test_the_live_words_reach_a_dialog() -> None:
    """A blind change of bytes could not: an answer in the seeds' words is one to our INVITE, and ends it."""
    conversation = fuzz_targets.Conversation()
    answers = [data[1:] for data in seeds("agent") if data[1:].startswith(b"SIP/2.0 486") and CUT not in data]
    conversation.hear(b"\x00" + answers[0])
    assert conversation.usages[0].is_over


def test_the_proof_target_notices_an_answer_made_without_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskline.sip.digest_server.is_right", lambda *_: True)
    with pytest.raises(AssertionError, match="without the secret"):
        TARGETS["proof"](b"\x00\x00$wrong")


def test_the_intake_target_notices_a_stranger_who_is_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskline.sip.agent.Agent.expects", lambda *_: True)
    with pytest.raises(AssertionError, match="nobody named that place"):
        TARGETS["intake"](b"\x00\x02junk")
