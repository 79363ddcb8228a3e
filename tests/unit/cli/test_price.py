"""Prices, policies and number states at the command line."""

from __future__ import annotations

from tests.support.command_line import Cli


def test_a_price_is_set_listed_and_removed(cli: Cli, account: str):
    made = cli(
        "price", "set", "--direction", "outbound", "--trunk", "carrier", "--prefix", "+65", "--per-minute", "0.012",
        "--connection", "0.01", "--increment", "60", "--json",
    ).document  # fmt: skip
    wanted = {
        "trunk": "carrier", "direction": "outbound", "prefix": "+65", "per_minute": "0.01200", "connection": "0.01000",
        "increment": 60,
    }  # fmt: skip
    assert {key: made[key] for key in wanted} == wanted
    assert cli("price", "list", "--json").document == {"prices": [made]}
    assert "0.01200" in cli("price", "list").out
    gone = cli("price", "remove", "--direction", "outbound", "--trunk", "carrier", "--prefix", "+65")
    assert gone.out == "Price outbound, prefix +65, trunk carrier removed.\n"
    assert "all is free" in cli("price", "list").out


def test_a_price_for_any_trunk_and_any_prefix_says_so(cli: Cli, account: str):
    made = cli("price", "set", "--direction", "inbound", "--per-minute", "0").out
    assert [line.split()[-1] for line in made.splitlines()[1:4]] == ["any", "inbound", "any"]
    assert cli("price", "list").out.splitlines()[2].split()[:3] == ["any", "inbound", "any"]
    assert cli("price", "list", "--json").document["prices"][0]["prefix"] == "+"
    assert cli("price", "remove", "--direction", "inbound").out == "Price inbound, prefix any, trunk any removed.\n"
    assert cli("price", "remove", "--direction", "inbound").code == 1


def test_a_wrong_price_is_one_sentence(cli: Cli, account: str):
    failed = cli("price", "set", "--direction", "inbound", "--per-minute", "much")
    assert (failed.code, failed.out) == (1, "")
    assert "per_minute is not an amount" in failed.err
    sideways = cli("price", "set", "--direction", "sideways", "--per-minute", "1")
    assert sideways.code == 2
    assert "'--direction': 'sideways' is not one of 'inbound', 'outbound'. See" in sideways.err


def test_an_accounts_policy_is_set_and_shown(cli: Cli, account: str):
    assert cli("account", "show", account, "--json").document["pool"] is None
    changed = cli(
        "account", "set", account, "--pool", "shared-then-split", "--cooloff-first-party", "7d",
        "--cooloff-second-party", "1h", "--session-fee", "0.01", "--json",
    ).document  # fmt: skip
    assert (changed["pool"], changed["session_fee"]) == ("shared-then-split", "0.01000")
    assert (changed["cooloff_first_party"], changed["cooloff_second_party"]) == (604_800, 3_600)
    assert "shared-then-split" in cli("account", "show", account).out
    assert cli("account", "set", account, "--pool", "best").code == 1


def test_a_number_has_a_state_a_use_and_a_fallback_that_is_masked(cli: Cli, account: str):
    added = cli(
        "number", "add", "+6531000002", "--account", account, "--pin", "--alias", "Door", "--fallback", "+6560000001",
        "--json",
    ).document  # fmt: skip
    assert (added["use"], added["state"], added["alias"]) == ("pin", "active", "Door")
    assert "60000001" not in str(added["fallback"])
    changed = cli("number", "set", "+6531000002", "--state", "retired", "--fallback", "", "--json").document
    assert (changed["state"], changed["fallback"]) == ("retired", None)
    assert "+6531000002" not in cli("number", "list").out
    assert "retired" in cli("number", "list", "--retired").out
    assert cli("number", "set", "+6531000002", "--state", "broken").code == 2


def test_a_replaced_number_tells_what_became_of_its_sessions(cli: Cli, account: str):
    for pair in ("1", "2"):
        made = cli("session", "create", f"+659000001{pair}", f"+659000002{pair}", "--account", account)
        assert made.code == 0, made.err
    stuck = cli("number", "replace", "+6531000001")
    assert "2 sessions keep it" in stuck.out and "resting" in stuck.out
    assert cli("number", "add", "+6531000002", "--account", account).code == 0
    done = cli("number", "replace", "+6531000001", "--json").document
    assert (done["replaced"], done["kept"], done["number"]["state"]) == (2, [], "resting")


def test_one_session_is_not_called_sessions(cli: Cli, account: str):
    assert cli("session", "create", "+6590000011", "+6590000021", "--account", account).code == 0
    stuck = cli("number", "replace", "+6531000001").out
    assert "0 sessions have another number.\n1 session keeps it:\n" in stuck
    cli("number", "add", "+6531000002", "--account", account)
    assert "1 session has another number." in cli("number", "replace", "+6531000001").out
