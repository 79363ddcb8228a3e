"""`maskline pool`: plans from a log or from the installation's own sessions, and the certificate of its fact log."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
import typer

from maskline import __version__
from maskline.cli import main
from maskline.clock import VirtualClock
from maskline.errors import UnreadableFact
from maskline.lab.workloads import WORKLOADS
from maskline.services import Services
from maskline.storage.memory import MemoryStore
from tests.support.command_line import Cli

FIRST, SECOND, THIRD = "+6581234510", "+447700900123", "+6581234530"
HEAD = "start,end,first_party,second_party\n"


@pytest.fixture
def account(cli: Cli, account: str) -> str:
    """One that may call Britain too."""
    assert cli("account", "limits", account, "--country", "GB").code == 0
    return account


@pytest.fixture
def log(tmp_path: Path) -> str:
    """Two sessions of one Singapore number with two British ones, at the same time."""
    path = tmp_path / "log.csv"
    path.write_text(f"{HEAD}0,3600,{FIRST},{SECOND}\n60,3600,{FIRST},+447700900124\n")
    return str(path)


def test_a_plan_of_a_log_has_all_figures_today_and_grown(cli: Cli, log: str):
    document = cli("pool", "plan", "--from", log, "--cooloff", "0", "--cooloff", "1h/7d", "--json").document
    assert (document["sessions"], document["parties"], document["growth"], document["seed"]) == (2, 3, 0.2, 1)
    assert (document["from"], document["to"]) == ("1970-01-01T00:00:00Z", "1970-01-01T01:00:00Z")
    needs = {(row["country"], row["mode"], row["second_party_cooloff"]): row for row in document["needs"]}
    assert sorted(needs) == [
        ("GB", "split", 0), ("GB", "split", 604_800), ("SG", "shared", 0), ("SG", "shared", 604_800),
        ("SG", "split", 0), ("SG", "split", 604_800),
    ]  # fmt: skip
    assert needs["SG", "shared", 604_800]["first_party_cooloff"] == 3_600
    assert needs["SG", "shared", 0]["today"] == {
        "sessions": 2, "first_party_peak": 2, "second_party_peak": 1, "single_party_peak": 0, "peak": 2, "numbers": 2,
        "bound": 2, "plivo": 3,
    }  # fmt: skip
    assert needs["GB", "split", 0]["today"]["numbers"] == 1


def test_a_plan_is_a_table_without_any_number(cli: Cli, log: str):
    told = cli("pool", "plan", "--from", log, "--cooloff", "1h/7d")
    assert told.code == 0
    assert "2 sessions of 3 parties, 1970-01-01T00:00:00Z to 1970-01-01T01:00:00Z" in told.out
    assert "country  mode    cool-off  sessions  D  need  bound  2C-1  +20%: sessions  D  need  bound  2C-1" in told.out
    assert "SG       shared  1h/7d     2         2  2     2      3     2               2  2     2      3" in told.out
    assert FIRST[1:] not in told.out
    assert SECOND[3:] not in told.out


@pytest.mark.parametrize(
    ("given", "shown"), [("0", "0"), ("90", "90s"), ("90m", "90m"), ("48h", "2d"), ("0/1.5h", "0/90m")]
)
def test_cooloffs_are_shown_in_their_largest_unit(cli: Cli, log: str, given: str, shown: str):
    assert f"  {shown}  " in cli("pool", "plan", "--from", log, "--cooloff", given).out


@pytest.mark.parametrize("given", ["soon", "1w", "-1", "1h/2h/3h", "", "1h/"])
def test_a_wrong_cooloff_is_one_sentence(cli: Cli, log: str, given: str):
    told = cli("pool", "plan", "--from", log, "--cooloff", given)
    assert (told.code, told.err.count("\n")) == (1, 1)
    assert told.err.startswith("error: --cooloff must look like 0, 90s")


def test_without_cooloff_there_are_three(cli: Cli, log: str):
    document = cli("pool", "plan", "--from", log, "--json").document
    assert {row["first_party_cooloff"] for row in document["needs"]} == {0, 3_600, 86_400}


def test_one_pool_for_all_countries(cli: Cli, log: str):
    document = cli("pool", "plan", "--from", log, "--any-country", "--cooloff", "0", "--json").document
    assert [(row["country"], row["mode"], row["today"]["numbers"]) for row in document["needs"]] == [
        (None, "shared", 2), (None, "split", 2),
    ]  # fmt: skip


def test_a_log_may_come_from_stdin(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{HEAD}0,1,a,b\n"))
    assert cli("pool", "plan", "--from", "-", "--json").document["sessions"] == 1


def test_a_bad_line_is_named_by_its_number_and_nothing_else(cli: Cli, tmp_path: Path):
    path = tmp_path / "log.csv"
    path.write_text(f"{HEAD}0,3600,{FIRST},{SECOND}\n0,tel {FIRST},x,{SECOND}\n")
    told = cli("pool", "plan", "--from", str(path))
    assert (told.code, told.out) == (1, "")
    assert told.err == "error: Line 3 of the log: end is neither seconds since 1970 nor an ISO 8601 time.\n"


@pytest.mark.parametrize(("content", "reason"), [(None, "FileNotFoundError"), (b"\xff\xfe", "UnicodeDecodeError")])
def test_a_log_that_cannot_be_read_is_one_sentence(cli: Cli, tmp_path: Path, content: bytes | None, reason: str):
    path = tmp_path / "log.csv"
    if content is not None:
        path.write_bytes(content)
    assert cli("pool", "plan", "--from", str(path)).err == f"error: The file of --from cannot be read: {reason}.\n"


def test_nothing_to_plan_for_is_said(cli: Cli, account: str):
    told = cli("pool", "plan")
    assert (told.code, told.err) == (1, "error: There is no session to plan for.\n")


def test_without_a_log_the_installations_own_sessions_are_planned(cli: Cli, services: Services, account: str):
    cli("number", "add", "+6531000002", "--account", account)
    clock = services.clock
    assert isinstance(clock, VirtualClock)
    for second in (SECOND, THIRD):
        assert cli("session", "create", FIRST, second, "--account", account, "--expiry", "600").code == 0
        clock.advance(1.0)
    clock.advance(3_600.0)
    needs = cli("pool", "plan", "--cooloff", "0", "--json").document["needs"]
    shared = [row for row in needs if row["mode"] == "shared"]
    assert [(row["country"], row["today"]["sessions"], row["today"]["numbers"]) for row in shared] == [("SG", 2, 2)]
    assert cli("pool", "plan", "--account", account).code == 0
    assert cli("pool", "plan", "--account", "MA000000000000000000").code == 1
    clock.advance(86_400.0)
    assert cli("pool", "plan", "--days", "1").err == "error: There is no session to plan for.\n"


def test_a_workload_can_be_planned(cli: Cli, tmp_path: Path):
    made = cli("lab", "workload", "adversary-10", "--seed", "9")
    (tmp_path / "log.jsonl").write_text(made.out)
    document = cli("pool", "plan", "--from", "log.jsonl", "--cooloff", "0", "--json").document
    assert [(row["mode"], row["today"]["numbers"]) for row in document["needs"]] == [("shared", 19), ("split", 10)]


def test_an_unknown_workload_is_one_sentence(cli: Cli):
    told = cli("lab", "workload", "moon")
    assert (told.code, told.out) == (1, "")
    assert told.err.startswith("error: NAME must be one of ride, food, marketplace, dense-60, ")


def test_the_help_of_a_workload_names_every_one():

    group = typer.main.get_command(main.app)
    help_text = group.commands["lab"].commands["workload"].params[0].help  # type: ignore[attr-defined]
    assert all(name in help_text for name in WORKLOADS)


# -- verify ----------------------------------------------------------------------------------------------------------
def test_an_empty_log_is_told_as_such(cli: Cli):
    told = cli("pool", "verify")
    assert (told.code, told.out) == (0, "The fact log is empty: there is nothing to certify.\n")
    assert cli("pool", "verify", "--json").document["certificate"]["facts"] == 0


def test_a_good_log_gets_its_certificate(cli: Cli, account: str):
    cli("session", "create", FIRST, SECOND, "--account", account)
    told = cli("pool", "verify")
    assert told.code == 0
    assert told.out.startswith(f"Certificate by Maskline {__version__}: no caller could reach a stranger.\n")
    assert "sessions      1, with 2 claims, 2 of them held at the end" in told.out
    assert told.out.endswith("result        no violation\n")
    document = cli("pool", "verify", "--json").document
    assert document["violation"] is None
    assert (document["certificate"]["sessions"], document["certificate"]["version"]) == (1, __version__)
    assert document["certificate"]["digest"] in told.out


def test_a_log_of_another_version_is_one_sentence_and_exit_1(
    cli: Cli, services: Services, monkeypatch: pytest.MonkeyPatch
):
    async def replay_since(cursor: int, limit: int) -> NoReturn:
        raise UnreadableFact("Fact 1 was written by another version.")

    monkeypatch.setattr(services.store, "replay_since", replay_since)
    told = cli("pool", "verify")
    assert (told.code, told.out) == (1, "")
    assert told.err == "error: Fact 1 was written by another version.\n"


def test_a_violation_is_one_sentence_and_exit_1(cli: Cli, services: Services, account: str):
    cli("session", "create", FIRST, SECOND, "--account", account)
    store = services.store
    assert isinstance(store, MemoryStore)
    store._facts[1] = replace(store._facts[1], sequence=2)
    told = cli("pool", "verify")
    assert (told.code, told.out, told.err.count("\n")) == (1, "", 1)
    assert told.err.startswith("error: SessionCreated 2 of session ")
    assert told.err.endswith(" comes after 0 (fact 1, rule sequence).\n")
    result = cli("pool", "verify", "--json")
    assert result.code == 1
    assert result.document["violation"]["rule"] == "sequence"
    assert result.document["certificate"] is None
