"""Accounts, subaccounts, numbers, trunks and webhook targets at the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from maskline.services import Services
from maskline.workflows.trunk_report import LiveAddress
from tests.support.command_line import Cli


def test_a_new_account_shows_its_token_once_and_then_only_revealed(cli: Cli):
    made = cli("account", "create", "Acme", "--json").document
    assert made["auth_id"].startswith("MA")
    assert len(made["auth_id"]) == 20
    assert len(made["auth_token"]) == 40
    assert cli("account", "show", made["auth_id"], "--json").document["auth_token"] is None
    assert cli("account", "show", made["auth_id"], "--json", "--reveal").document["auth_token"] == made["auth_token"]
    assert made["auth_token"] not in cli("account", "list").out


def test_an_account_is_printed_for_people_too(cli: Cli):
    out = cli("account", "create", "Acme").out
    assert "auth id" in out
    assert "auth token" in out
    assert "Acme" in cli("account", "list").out


def test_a_token_that_is_not_shown_has_no_row(cli: Cli, account: str):
    assert "auth token" not in cli("account", "set", account, "--session-fee", "0").out
    assert "auth token" not in cli("account", "show", account).out
    assert "auth token" in cli("account", "show", account, "--reveal").out
    made = cli("subaccount", "create", "Riders", "--account", account)
    assert "auth token" in made.out
    assert "auth token" not in cli("subaccount", "set", made.out.split()[2], "--name", "R").out


def test_an_empty_list_says_how_to_begin(cli: Cli):
    assert "maskline account create NAME" in cli("account", "list").out
    assert cli("account", "list", "--json").document == {"accounts": []}
    assert "maskline trunk add" in cli("trunk", "list").out
    assert "maskline number add" in cli("number", "list").out


def test_subaccounts_belong_to_an_account(cli: Cli, account: str):
    made = cli("subaccount", "create", "Riders", "--account", account, "--json").document
    assert made["auth_id"].startswith("SA")
    assert made["parent_id"] == account
    listed = cli("subaccount", "list", "--account", account, "--json").document["subaccounts"]
    assert [one["auth_id"] for one in listed] == [made["auth_id"]]
    assert cli("subaccount", "create", "Deeper", "--account", made["auth_id"]).code == 1
    assert cli("subaccount", "list", "--account", "MA000000000000000000").code == 1


def test_a_subaccount_is_renamed_disabled_and_closed(cli: Cli, account: str):
    sub = cli("subaccount", "create", "Riders", "--account", account, "--json").document["auth_id"]
    cli("number", "add", "+65 3100 0003", "--account", account, "--subaccount", sub)
    changed = cli("subaccount", "set", sub, "--name", "Drivers", "--disabled", "--json").document
    assert (changed["name"], changed["enabled"]) == ("Drivers", False)
    assert cli("subaccount", "set", sub, "--enabled", "--json").document["enabled"] is True

    assert cli("subaccount", "remove", sub, "--json").document == {"removed": sub}
    assert cli("subaccount", "list", "--account", account, "--json").document["subaccounts"] == []
    numbers = cli("number", "list", "--account", account, "--json").document["numbers"]
    assert [one["subaccount_id"] for one in numbers] == [None, None]
    for command in ("remove", "set"):
        again = cli("subaccount", command, sub)
        assert (again.code, again.err.count("\n")) == (1, 1)
        assert cli("subaccount", command, account).code == 1


def test_virtual_numbers_are_listed_in_clear_with_their_owner(cli: Cli, account: str):
    sub = cli("subaccount", "create", "Riders", "--account", account, "--json").document["auth_id"]
    added = cli("number", "add", "+65 3100 0002", "--account", account, "--subaccount", sub, "--json").document
    assert added == {
        "number": "+6531000002", "country": "SG", "account_id": account, "subaccount_id": sub, "reference_id": "",
        "state": "active", "use": "shared", "alias": "", "fallback": None,
    }  # fmt: skip
    listed = cli("number", "list", "--json").document["numbers"]
    assert [one["number"] for one in listed] == ["+6531000001", "+6531000002"]
    assert "+6531000002" in cli("number", "list", "--account", account).out


@pytest.mark.parametrize("text", ["nonsense", "+6531000001"])
def test_a_number_that_is_none_or_taken_is_refused_without_repeating_it(cli: Cli, account: str, text: str):
    result = cli("number", "add", text, "--account", account)
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert text not in result.err


def test_a_trunk_keeps_what_was_asked_for(cli: Cli, account: str):
    wanted = ("--host", "192.0.2.9", "--prefix", "+65", "--prefix", "+1", "--account", account, "--nat")
    assert cli("trunk", "add", "second", *wanted).code == 0
    second = cli("trunk", "list", "--json").document["trunks"][1]
    assert second["port"] == 5060
    assert second["prefixes"] == ["+65", "+1"]
    assert (second["account_id"], second["nat"], second["transport"]) == (account, True, "udp")
    assert "+65, +1" in cli("trunk", "list").out
    assert cli("trunk", "remove", "second", "--json").document == {"removed": "second"}
    assert len(cli("trunk", "list", "--json").document["trunks"]) == 1
    assert cli("trunk", "remove", "second").code == 1


def test_trunks_are_shown_as_a_running_server_knows_them(cli: Cli, account: str, monkeypatch: pytest.MonkeyPatch):
    for name in ("down", "both", "lost"):
        assert cli("trunk", "add", name, "--host", "192.0.2.9").code == 0
    ids = {trunk["name"]: trunk["id"] for trunk in cli("trunk", "list", "--json").document["trunks"]}
    assert cli("trunk", "show", "down", "--json").document["addresses"] is None
    down = LiveAddress("udp:192.0.2.9:5060", "down", 1_700_000_000.0, None)
    live = {ids["down"]: (down,), ids["both"]: (down, replace(down, state="up", status=200)), ids["lost"]: ()}
    monkeypatch.setattr("maskline.cli.trunk.read_live", lambda folder: live)
    listed = cli("trunk", "list").out
    for word in ("down since 2023-11-14T22:13:20Z", "1 down, 1 up", "no address"):
        assert word in listed
    (first,) = cli("trunk", "show", "down", "--json").document["addresses"]
    assert first == {
        "address": "udp:192.0.2.9:5060", "state": "down", "since": "2023-11-14T22:13:20Z", "status": None,
    }  # fmt: skip
    assert "udp:192.0.2.9:5060 up since 2023-11-14T22:13:20Z (200)" in cli("trunk", "show", "both").out


def test_a_trunk_that_is_not_asked_reads_otherwise_than_one_that_has_not_answered(
    cli: Cli, account: str, monkeypatch: pytest.MonkeyPatch
):
    assert cli("trunk", "add", "six", "--host", "2001:db8::9").code == 0
    ids = {trunk["name"]: trunk["id"] for trunk in cli("trunk", "list", "--json").document["trunks"]}
    unknown = LiveAddress("udp:[2001:db8::9]:5060", "unchecked", None, None)
    monkeypatch.setattr("maskline.cli.trunk.read_live", lambda folder: {ids["six"]: (unknown,)})
    listed = cli("trunk", "list").out
    assert "[2001:db8::9]:5060" in listed and "not checked" in listed
    assert cli("trunk", "set", "six", "--options-seconds", "30").code == 0
    assert "no answer yet" in cli("trunk", "list").out
    assert "udp:[2001:db8::9]:5060 no answer yet" in cli("trunk", "show", "six").out


@pytest.mark.parametrize(
    "arguments",
    [
        ("--host", "sip_.example.com:5060"),
        ("--host", "192.0.2.9", "--prefix", "65"),
        ("--host", "192.0.2.9", "--media", "srtp"),
    ],
)
def test_a_trunk_that_would_not_work_is_refused(cli: Cli, arguments: tuple[str, ...]):
    result = cli("trunk", "add", "bad", *arguments)
    assert result.code == 1
    assert result.err.count("\n") == 1


def test_trunk_credentials_are_kept_and_never_shown(cli: Cli, tmp_path: Path):
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    credentials = ("--username", "u", "--password-file", str(secret))
    result = cli("trunk", "add", "paid", "--host", "192.0.2.9", *credentials, "--json")
    assert result.document["username"] == "u"
    assert "hunter2" not in result.out + result.err


def test_a_trunk_is_changed_and_shown_and_keeps_what_is_not_named(cli: Cli, tmp_path: Path):
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    said = ("--source", "198.51.100.0/24", "--codec", "pcma", "--header", "rpid", "--weight", "3", "--account", "")
    added = cli("trunk", "add", "paid", "--host", "192.0.2.9", *said, "--json").document
    assert (added["sources"], added["codecs"], added["headers"]) == (["198.51.100.0/24"], ["PCMA"], ["rpid"])
    assert (added["account_id"], added["has_password"]) == (None, False)
    change = (
        "--host", "192.0.2.10", "--source", "", "--privacy", "--username", "u", "--password-file", str(secret),
        "--from-domain", "Customer.example",
    )  # fmt: skip
    assert cli("trunk", "set", "paid", *change).code == 0
    shown = cli("trunk", "show", "paid", "--json")
    wanted = {"host": "192.0.2.10", "sources": [], "privacy": True, "username": "u", "has_password": True}
    wanted["from_domain"] = "customer.example"
    assert shown.document == {**added, **wanted, "addresses": None}
    assert "hunter2" not in shown.out
    assert "weight" in cli("trunk", "show", "paid").out
    assert cli("trunk", "set", "paid", "--no-privacy", "--json").document["privacy"] is False
    assert cli("trunk", "set", "nobody", "--weight", "2").err == "error: There is no trunk of this name.\n"


def test_a_password_file_that_cannot_be_read_is_one_sentence(cli: Cli):
    result = cli("trunk", "add", "x", "--host", "192.0.2.9", "--username", "u", "--password-file", "absent")
    assert result.code == 1
    assert result.err.startswith("error: The file of --password-file cannot be read")


def test_a_webhook_target_is_set_listed_and_removed(cli: Cli, account: str, tmp_path: Path):
    secret = tmp_path / "authorization"
    secret.write_text("Bearer abc\n")
    url = "https://hooks.example.com/calls"
    stored = cli(
        "webhook", "set", "eight.session_summary", url, "--account", account,
        "--authorization-file", str(secret), "--external-id", "acme_voice", "--json",
    ).document  # fmt: skip
    assert (stored["url"], stored["authorization"], stored["external_id"]) == (url, "configured", "acme_voice")
    listed = cli("webhook", "list", "--json")
    assert listed.document["endpoints"] == [stored]
    assert "Bearer" not in listed.out
    assert url in cli("webhook", "list", "--account", account).out
    assert cli("webhook", "remove", "eight.session_summary", "--account", account).code == 0
    assert cli("webhook", "list", "--json").document["endpoints"] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("set", "eight.session_summary", "https://example.com/"),
        ("set", "eight.session_summary", "https://example.com/", "--account", "a", "--subaccount", "b"),
        ("set", "eight.session_summary", "https://example.com/", "--account", "MA000000000000000000"),
        ("set", "nonsense", "https://example.com/", "--account", "{account}"),
        ("set", "wavecell.call_status", "example.com", "--account", "{account}"),
        ("set", "wavecell.call_status", "http://user:word@example.com", "--account", "{account}"),
        ("set", "wavecell.call_status", "http://127.0.0.1:8099", "--account", "{account}"),
        ("list", "--state", "lost"),
        ("replay", "no-such-delivery"),
    ],
)
def test_a_wrong_webhook_command_is_one_sentence(cli: Cli, account: str, arguments: tuple[str, ...]):
    result = cli("webhook", *(argument.format(account=account) for argument in arguments))
    assert (result.code, result.out) == (1, "")
    assert result.err.count("\n") == 1


def test_a_receiver_inside_can_be_set_where_its_network_is_opened(cli: Cli, account: str, services: Services):
    opened = services.settings.model_copy(update={"egress_allow": "127.0.0.0/8"})
    object.__setattr__(services, "settings", opened)
    words = ("webhook", "set", "wavecell.call_status", "http://127.0.0.1:8099", "--account", account)
    assert cli(*words).code == 0
