"""`maskline account limits`, `stop` and `resume`."""

from __future__ import annotations

from tests.support.command_line import Cli


def limits_of(cli: Cli, account: str, *words: str) -> dict[str, object]:
    result = cli("account", "limits", account, *words, "--json")
    assert result.code == 0, result.err
    limits: dict[str, object] = result.document["limits"]
    return limits


def test_a_new_account_may_call_the_countries_of_its_own_numbers(cli: Cli) -> None:
    account = cli("account", "create", "Acme", "--json").document["auth_id"]
    limits = limits_of(cli, account)
    assert "its numbers' own" in cli("account", "limits", account).out
    assert limits["destinations"] == {
        "countries": [], "allow": [], "deny": [], "refuse": ["premium", "shared-cost", "personal", "satellite"],
    }  # fmt: skip
    assert (limits["stop_on"], limits["concurrent"], limits["new_country"]) == (["short_calls"], 0, True)


def test_a_new_account_may_be_given_more_countries(cli: Cli) -> None:
    account = cli("account", "create", "Acme", "--country", "GB", "--country", "anywhere", "--json")
    assert (account.code, account.out) == (1, "")
    account = cli("account", "create", "Acme", "--country", "GB", "--country", "FR", "--json")
    assert limits_of(cli, account.document["auth_id"])["destinations"]["countries"] == ["GB", "FR"]  # type: ignore[index]


def test_limits_are_changed_and_shown(cli: Cli) -> None:
    account = cli("account", "create", "Acme", "--json").document["auth_id"]
    limits = limits_of(
        cli, account, "--calls-per-second", "2.5", "--concurrent", "40", "--minutes", "600", "--spend", "250",
        "--prefix-minutes", "+882=5", "--prefix-minutes", "+44=60", "--country", "GB", "--country", "FR",
        "--deny", "+4490", "--refuse", "none", "--stop-on", "night_peak", "--no-new-country",
        "--time-zone", "Asia/Singapore", "--attempts", "20",
    )  # fmt: skip
    assert limits["prefix_minutes"] == {"+882": 5, "+44": 60}
    assert limits["destinations"] == {"countries": ["GB", "FR"], "allow": [], "deny": ["+4490"], "refuse": []}
    assert (limits["spend"], limits["time_zone"], limits["stop_on"]) == ("250.00000", "Asia/Singapore", ["night_peak"])
    shown = cli("account", "limits", account).out
    assert "number concurrent        no limit\n" in shown
    assert "+882=5, +44=60" in shown
    assert "GB, FR" in shown
    assert limits_of(cli, account, "--country", "anywhere")["destinations"]["countries"] == "anywhere"  # type: ignore[index]
    assert limits_of(cli, account, "--safe")["minutes"] == 0
    assert cli("account", "limits", account, "--unlimited", "--json").document["limits"] is None
    assert "none" in cli("account", "limits", account).out


def test_a_limit_on_money_is_warned_of_where_nothing_costs_any(cli: Cli) -> None:
    account = cli("account", "create", "Acme", "--json").document["auth_id"]
    assert cli("account", "limits", account, "--minutes", "5").err == ""
    assert cli("price", "set", "--direction", "inbound", "--prefix", "+", "--per-minute", "0.01").code == 0
    assert cli("price", "set", "--direction", "outbound", "--prefix", "+44", "--per-minute", "0").code == 0
    for words in (("--spend", "250"), ()):
        result = cli("account", "limits", account, *words)
        assert (result.code, "no outbound leg has a price" in result.err) == (0, True)
    assert cli("price", "set", "--direction", "outbound", "--prefix", "+44", "--per-minute", "0.01").code == 0
    assert cli("account", "limits", account, "--spend", "300").err == ""


def test_what_cannot_be_meant_is_one_sentence(cli: Cli) -> None:
    account = cli("account", "create", "Acme", "--json").document["auth_id"]
    wrong = cli("account", "limits", account, "--time-zone", "Mars/Olympus")
    assert wrong.code == 1
    assert wrong.err.count("\n") == 1
    both = cli("account", "limits", account, "--safe", "--unlimited")
    assert (both.code, both.err.count("\n")) == (1, 1)


def test_a_reset_beside_what_cannot_be_meant_is_not_done(cli: Cli) -> None:
    account = cli("account", "create", "Acme", "--json").document["auth_id"]
    before = limits_of(cli, account, "--concurrent", "7", "--minutes", "60")
    assert cli("account", "limits", account, "--unlimited", "--time-zone", "Mars/Olympus").code == 1
    assert limits_of(cli, account) == before
    assert limits_of(cli, account, "--unlimited", "--concurrent", "3")["minutes"] == 0


def test_an_account_is_stopped_and_resumed(cli: Cli) -> None:
    account = cli("account", "create", "Acme", "--json").document["auth_id"]
    assert cli("account", "stop", account, "--json").document["stopped"] == "operator"
    assert cli("account", "show", account, "--json").document["stopped"] == "operator"
    assert "operator" in cli("account", "limits", account).out
    assert cli("account", "resume", account, "--json").document["stopped"] is None
    again = cli("account", "resume", account)
    assert (again.code, "not stopped" in again.err) == (1, True)
