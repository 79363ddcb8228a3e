"""`maskline account key`, and what else the 8x8 API needs of an account at the command line."""

from __future__ import annotations

from pathlib import Path

from tests.support.command_line import Cli


def test_a_key_is_shown_once_switched_off_and_on_and_removed(cli: Cli, account: str):
    made = cli("account", "key", "create", account, "--name", "booking", "--json").document
    assert (made["auth_id"], made["name"]) == (account, "booking")
    assert len(made["key"]) >= 40
    key_id = made["key_id"]
    listed = cli("account", "key", "list", account, "--json")
    assert [(one["key_id"], one["name"], one["enabled"]) for one in listed.document["keys"]] == [
        (key_id, "booking", True)
    ]
    assert cli("account", "key", "disable", account, key_id, "--json").document == {"key_id": key_id, "enabled": False}
    assert cli("account", "key", "list", account, "--json").document["keys"][0]["enabled"] is False
    assert "is enabled" in cli("account", "key", "enable", account, key_id).out
    shown = cli("account", "key", "list", account)
    assert made["key"] not in shown.out + listed.out
    assert "is removed" in cli("account", "key", "remove", account, key_id).out
    assert cli("account", "key", "list", account).out.strip() == "No key yet."
    for words in (("disable", account, key_id), ("remove", account, key_id), ("create", "MA000000000000000000")):
        result = cli("account", "key", *words)
        assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)


def test_a_subaccount_gets_an_external_id_and_a_redaction(cli: Cli, account: str):
    made = cli("subaccount", "create", "Riders", "--account", account, "--external-id", "riders_sg", "--json").document
    assert (made["external_id"], made["redaction"]) == ("riders_sg", "full")
    taken = cli("account", "set", account, "--external-id", "riders_sg")
    assert (taken.code, taken.err.count("\n")) == (1, 1)
    words = ("account", "set", made["auth_id"], "--external-id", "riders", "--redaction", "last4", "--json")
    changed = cli(*words).document
    assert (changed["external_id"], changed["redaction"], changed["pool"]) == ("riders", "last4", None)
    assert cli("account", "set", made["auth_id"], "--redaction", "some").code == 2


def test_a_webhook_is_set_with_options_a_secret_and_off(cli: Cli, account: str, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("whsec_" + "QUJD" * 8 + "\n")
    words = ("webhook", "set", "eight.call_status", "https://h.example/s", "--account", account)
    stored = cli(
        *words, "--option", "generation=g2", "--option", "updates=on", "--secret-file", str(secret), "--disabled",
        "--json",
    )  # fmt: skip
    assert stored.document["options"] == {"generation": "g2", "updates": "on"}
    assert (stored.document["secret"], stored.document["enabled"]) == ("configured", False)
    shown = cli("webhook", "list").out
    assert "generation=g2, updates=on" in shown
    assert "QUJD" not in stored.out + shown
    for wrong in ("generation", "generation=g9", "colour=red"):
        result = cli(*words, "--option", wrong)
        assert (result.code, result.err.count("\n")) == (1, 1)
    assert "generation=g2" in cli(*words, "--option", "generation=g2").out


def test_all_numbers_of_an_account_are_announced(cli: Cli, account: str):
    cli("number", "add", "+6531580001", "--account", account)
    refused = cli("number", "announce", account)
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    cli("webhook", "set", "eight.number", "https://h.example/n", "--account", account)
    assert cli("number", "announce", account, "--json").document == {"account_id": account, "numbers": 2}
    assert "2 numbers will be sent" in cli("number", "announce", account).out
    changed = cli("number", "set", "+6531580001", "--state", "unhealthy", "--json").document
    assert changed["state"] == "unhealthy"
    events = [one["event"] for one in cli("webhook", "list", "--json").document["deliveries"]]
    assert events == ["VIRTUAL_NUMBER_UPDATE"] * 3
