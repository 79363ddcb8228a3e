"""`maskline account token`: a token is shown once, then only its end."""

from __future__ import annotations

from tests.support.command_line import Cli


def test_a_token_is_exchanged_without_a_gap(cli: Cli):
    first = cli("account", "create", "Acme", "--json").document
    account, old = first["auth_id"], first["auth_token"]
    added = cli("account", "token", "add", account, "--json").document
    new = added["auth_token"]
    assert added == {"auth_id": account, "auth_token": new, "active_tokens": 2}
    assert cli("account", "token", "list", account, "--json").document["tokens"] == [
        {"token": "••••" + new[-4:], "signs": "v3"},
        {"token": "••••" + old[-4:], "signs": "v2, v3"},
    ]
    left = cli("account", "token", "revoke", account, old[-6:], "--json")
    assert left.document["tokens"] == [{"token": "••••" + new[-4:], "signs": "v2, v3"}]
    for shown in (cli("account", "token", "list", account).out, cli("account", "show", account).out, left.out):
        assert new not in shown
        assert old not in shown


def test_tokens_are_printed_for_people_too(cli: Cli, account: str):
    assert "auth token" in cli("account", "token", "add", account).out
    listed = cli("account", "token", "list", account).out
    assert listed.count("••••") == 2
    assert "v2, v3" in listed


def test_the_only_token_and_unknown_ones_are_refused_in_one_sentence(cli: Cli, account: str):
    for arguments in (
        ("revoke", account, "x" * 8), ("revoke", account, "x"), ("add", "MA000000000000000000"),
    ):  # fmt: skip
        result = cli("account", "token", *arguments)
        assert (result.code, result.out) == (1, "")
        assert result.err.count("\n") == 1
