"""The command line's frame: help, version, and every failure one sentence with an exit code."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import typer

from maskline import __version__
from maskline.cli import account as account_commands
from maskline.cli import main
from maskline.cli.commands import HELP, HIDDEN, Commands, load
from maskline.errors import StoreUnavailable
from tests.support.command_line import Cli
from tests.support.logging import configured_logs

COMMANDS = ("serve", "doctor", "demo", "account", "subaccount", "number", "trunk", "session", "call", "webhook")


def test_help_lists_every_command_and_hides_the_relay(cli: Cli):
    result = cli("--help")
    assert result.code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in result.out
    assert "\n  media " not in result.out


def test_help_says_of_a_command_what_it_says_of_itself():
    assert {name: load(name).get_short_help_str(300) for name in HELP} == HELP
    assert [name for name in Commands() if load(name).hidden] == list(HIDDEN)
    assert len(Commands()) == len(HELP) + 1
    with pytest.raises(KeyError):
        Commands()["no-such-command"]


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_no_command(option: str):
    """Each of them would import a good part of Maskline, and its libraries: a second instead of a tenth."""
    code = (
        "import sys; from maskline.cli import main; main.execute(sys.argv[1:]);"
        " print(*{name.split('.')[0] for name in sys.modules} & {'aiohttp', 'numpy', 'pydantic', 'structlog'})"
    )
    told = subprocess.run([sys.executable, "-c", code, option], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == ""


def test_the_version_is_printed(cli: Cli):
    assert cli("--version").out == f"maskline {__version__}\n"


def test_the_version_says_that_the_rooms_of_sip_are_compiled(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(main, "is_compiled", lambda: True)
    assert cli("--version").out == f"maskline {__version__} (compiled)\n"


@pytest.mark.parametrize("arguments", [(), ("account",), ("trunk",)])
def test_a_noun_without_a_verb_prints_help_and_fails(cli: Cli, arguments: tuple[str, ...]):
    result = cli(*arguments)
    assert result.code == 2
    assert "Commands:" in result.err + result.out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("acount", "list"), "acount"),
        (("account", "create"), "'name'"),
        (("account", "list", "--jsn"), "--jsn"),
        (("number", "add", "+6531000001"), "--account"),
        (("trunk", "add", "x", "--host", "192.0.2.1", "--port", "99999"), "--port"),
        (("session", "list", "--limit", "many"), "--limit"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(cli: Cli, arguments: tuple[str, ...], part: str):
    result = cli(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert part in result.err


def test_a_wrong_setting_is_one_sentence_and_exit_code_2(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MASKLINE_HTTP_PORT", "eighty")
    result = cli("account", "list")
    assert (result.code, result.out) == (2, "")
    assert result.err == "error: MASKLINE_HTTP_PORT has a wrong value (now: 'eighty'): it must be a whole number.\n"


def test_an_error_of_the_product_is_its_sentence_and_exit_code_1(cli: Cli):
    result = cli("account", "show", "MA000000000000000000", "--json")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1


def _fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def run(_work: Any) -> Any:
        raise error

    monkeypatch.setattr(account_commands, "run", run)


def test_a_database_that_is_away_is_exit_code_1(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    _fail_with(monkeypatch, StoreUnavailable())
    result = cli("account", "list")
    assert (result.code, result.err) == (1, "error: The database does not answer.\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), typer.Abort()])
def test_an_interrupt_is_exit_code_130(cli: Cli, monkeypatch: pytest.MonkeyPatch, error: BaseException):
    _fail_with(monkeypatch, error)
    assert cli("account", "list").code == 130


def test_a_bug_is_logged_masked_and_reported_in_one_sentence(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    _fail_with(monkeypatch, RuntimeError("no idea what to do with 6591234567"))
    with configured_logs() as lines:
        result = cli("account", "list")
        written = lines.getvalue()  # type: ignore[attr-defined]
    assert (result.code, result.out) == (1, "")
    assert "unhandled_error" in written
    assert "6591234567" not in written
    assert result.err == "error: this is a bug in Maskline (RuntimeError); the log line above says where.\n"


@pytest.mark.parametrize(("arguments", "code"), [(["account", "--nonsense"], 2), (["--version"], 0)])
def test_run_exits_with_the_code_of_the_command(monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int):
    monkeypatch.setattr(sys, "argv", ["maskline", *arguments])
    with configured_logs(), pytest.raises(SystemExit) as ended:
        main.run()
    assert ended.value.code == code
