"""`maskline session`: parties masked unless revealed, virtual numbers in clear."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.command_line import Cli

FIRST, SECOND = "+6581234510", "+6581234520"


@pytest.fixture
def session(cli: Cli, account: str) -> Any:
    return cli("session", "create", FIRST, SECOND, "--account", account, "--expiry", "600", "--json").document


def test_a_session_gets_a_virtual_number_and_the_defaults(cli: Cli, account: str, session: Any):
    assert session["virtual_number"] == "+6531000001"
    assert session["account_id"] == account
    assert session["status"] == "active"
    assert (session["call_time_limit"], session["ring_timeout"]) == (3600, 120)


def test_defaults_follow_the_chosen_set(cli: Cli, account: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MASKLINE_SESSION_DEFAULTS", "plivo-actual")
    made = cli("session", "create", FIRST, SECOND, "--account", account, "--json").document
    assert (made["call_time_limit"], made["ring_timeout"]) == (14400, 45)


@pytest.mark.parametrize("verb", ["list", "show"])
def test_parties_are_masked_unless_revealed(cli: Cli, session: Any, verb: str):
    arguments = ("session", verb) if verb == "list" else ("session", verb, session["session_id"])
    for flags in ((), ("--json",)):
        hidden = cli(*arguments, *flags)
        assert hidden.code == 0
        assert "81234510" not in hidden.out
        assert "+65••••4510" in hidden.out
        assert "+6531000001" in hidden.out
        assert FIRST in cli(*arguments, *flags, "--reveal").out


def test_a_list_can_be_filtered_and_says_what_it_leaves_out(cli: Cli, account: str, session: Any):
    cli("session", "create", "+6581234530", "+6581234540", "--account", account)
    assert "1 of 2 shown." in cli("session", "list", "--limit", "1").out
    assert cli("session", "list", "--status", "expired", "--json").document == {"sessions": [], "total": 0}
    assert cli("session", "list", "--status", "lost").code == 1
    assert cli("session", "list", "--account", "MA000000000000000000").code == 1


def test_an_expired_session_cannot_expire_again(cli: Cli, session: Any):
    ended = cli("session", "expire", session["session_id"], "--json").document
    assert ended["status"] == "expired"
    again = cli("session", "expire", session["session_id"])
    assert (again.code, again.err) == (1, "error: Session already expired\n")


def test_an_unknown_session_is_one_sentence(cli: Cli, account: str):
    assert cli("session", "show", "no-such").err == "error: There is no such session.\n"
    assert cli("session", "show", "no-such", "--account", account).err == (
        "error: There is no such session in this account.\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("nobody", SECOND),
        (FIRST, FIRST),
        (FIRST, "+6531000001"),
        (FIRST, SECOND, "--callback-url", "example.com"),
        (FIRST, SECOND, "--subaccount", "SA000000000000000000"),
    ],
)
def test_a_wrong_session_is_refused_without_repeating_numbers(cli: Cli, account: str, arguments: tuple[str, ...]):
    result = cli("session", "create", *arguments, "--account", account)
    assert (result.code, result.out) == (1, "")
    assert result.err.count("\n") == 1
    assert "8123" not in result.err


def test_without_a_virtual_number_the_sentence_says_what_to_do(cli: Cli):
    lonely = cli("account", "create", "Lonely", "--json").document["auth_id"]
    result = cli("session", "create", FIRST, SECOND, "--account", lonely)
    assert result.code == 1
    assert "maskline number add" in result.err


@pytest.mark.parametrize(
    ("option", "least", "most"),
    [("--expiry", 60, 86400), ("--call-time-limit", 60, 86400), ("--ring-timeout", 1, 3600)],
)
def test_times_have_the_bounds_of_the_api(cli: Cli, account: str, option: str, least: int, most: int):
    create = ("session", "create", FIRST, SECOND, "--account", account, option)
    for outside in (least - 1, most + 1):
        refused = cli(*create, str(outside))
        assert refused.code == 2
        assert option in refused.err
    assert cli(*create, str(least)).code == 0
    others = ("session", "create", "+6581234530", "+6581234540", "--account", account, option)
    assert cli(*others, str(most)).code == 0
