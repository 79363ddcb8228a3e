"""`maskline webhook` on a database of its own."""

from __future__ import annotations

import asyncio

import pytest

from maskline.storage.store import Delivery
from maskline.storage.webhook_store import Attempt, EndpointNote, Patience
from maskline.webhooks.sign import is_secret
from tests.support.store_values import outbox_row

URL = "https://hooks.example/cb"
KIND = "eight.session_summary"


@pytest.fixture
def account(cli):
    made = cli("account", "create", "Acme", "--json").document["auth_id"]
    assert cli("webhook", "set", KIND, URL, "--account", made).code == 0
    return made


def test_a_secret_is_rotated_in_two_steps_and_only_the_new_one_is_shown(cli, account):
    first = cli("webhook", "rotate-secret", KIND, "--account", account, "--json").document
    assert first["signing_secrets"] == 1
    assert is_secret(first["secret"])
    second = cli("webhook", "rotate-secret", KIND, "--account", account, "--json").document
    assert second["signing_secrets"] == 2
    assert second["secret"] != first["secret"]
    done = cli("webhook", "rotate-secret", KIND, "--account", account, "--finish", "--json").document
    assert done == {"account_id": account, "kind": KIND, "signing_secrets": 1}


def test_native_webhooks_are_signed_by_a_secret_that_is_made_and_shown_once(cli, account):
    first = cli("webhook", "set", "native", URL, "--account", account, "--json").document
    assert is_secret(first["secret"])
    assert (
        cli("webhook", "set", "native", URL + "/2", "--account", account, "--json").document["secret"] == "configured"
    )
    again = cli("webhook", "rotate-secret", "native", "--account", account, "--json").document
    assert again["signing_secrets"] == 2, "the one that was made signed until now"
    assert first["secret"] not in cli("webhook", "list", "--account", account, "--json").out


def test_a_vendors_webhooks_are_signed_by_a_secret_that_somebody_gave(cli, account, tmp_path):
    assert cli("webhook", "set", KIND, URL, "--account", account, "--json").document["secret"] is None
    file = tmp_path / "secret"
    file.write_text("whsec_" + "A" * 32)
    file.chmod(0o600)
    for kind in (KIND, "native"):
        told = cli("webhook", "set", kind, URL, "--account", account, "--secret-file", str(file), "--json").document
        assert told["secret"] == "configured"
    cli("webhook", "set", KIND, URL, "--account", account)
    assert cli("webhook", "rotate-secret", KIND, "--account", account, "--json").document["signing_secrets"] == 1


def test_a_secret_from_a_file_is_taken_if_it_can_sign_and_not_shown(cli, account, tmp_path):
    file = tmp_path / "secret"
    file.write_text("whsec_" + "A" * 32)
    file.chmod(0o600)
    again = ("webhook", "rotate-secret", KIND, "--account", account, "--secret-file", str(file))
    assert "whsec_" not in cli(*again).out
    assert "not both" in cli(*again, "--finish").err
    file.write_text("whsec_short")
    assert "base64 of 24 to 64" in cli(*again).err


def test_only_a_webhook_that_is_set_has_a_secret(cli, account):
    told = cli("webhook", "rotate-secret", "wavecell.call_status", "--account", account)
    assert told.code != 0
    assert "No webhook of this kind is set there" in told.err


@pytest.fixture
def failed(services, account):
    """Two webhooks that failed and one that was delivered, and an endpoint that is disabled."""

    async def work():
        await services.store.open()
        rows = [outbox_row(f"row-{i}", subject=f"c{i}", account_id=account, url=URL) for i in range(3)]
        await services.store.announce(rows)
        now = services.clock.wall()
        await services.store.lease_outbox("one", now=now, until=now + 9, limit=9)
        done = [
            Delivery(
                row.id, "done" if row.id == "row-2" else "failed", now, 500,
                attempt=Attempt(row.id, 1, now, 12, 500, "", "••••67 is unknown"),
            )
            for row in rows
        ]  # fmt: skip
        await services.store.finish_outbox("one", done, now=now)
        await services.store.note_endpoints([EndpointNote(account, None, URL, now, 1, True)], Patience(), now=now)
        await services.store.close()

    asyncio.run(work())


def test_the_tries_of_a_webhook_are_shown(cli, account, failed):
    shown = cli("webhook", "attempts", "row-0", "--json").document["attempts"]
    assert [(one["number"], one["status"], one["fault"], one["answer"]) for one in shown] == [
        (1, 500, None, "••••67 is unknown")
    ]
    assert "••••67 is unknown" in cli("webhook", "attempts", "row-0").out
    assert "No try is kept." in cli("webhook", "attempts", "row-9").out


def test_all_that_failed_is_sent_again(cli, account, failed):
    assert cli("webhook", "replay", "--account", account, "--json").document["replayed"] == 2
    assert "0 webhooks" in cli("webhook", "replay", "--account", account).out


def test_a_range_of_time_is_sent_again_with_what_was_delivered(cli, account, failed):
    words = ("webhook", "replay", "--account", account, "--all", "--since", "2020-01-01", "--json")
    assert cli(*words, "--until", "2021-01-01T00:00:00Z").document["replayed"] == 0
    assert cli(*words, "--endpoint", "https://other.example/").document["replayed"] == 0
    assert cli(*words).document["replayed"] == 3


@pytest.mark.parametrize(
    "words",
    [
        ("replay",),
        ("replay", "row-0", "--account", "{account}"),
        ("replay", "--account", "{account}", "--all"),
        ("replay", "--account", "{account}", "--since", "yesterday"),
        ("replay", "--account", "MA000000000000000000"),
        ("enable", "no-such-endpoint"),
    ],
)
def test_a_wrong_wish_is_one_sentence(cli, account, words):
    told = cli("webhook", *(word.format(account=account) for word in words))
    assert (told.code, told.out, told.err.count("\n")) == (1, "", 1)


def test_a_disabled_endpoint_is_listed_and_enabled(cli, account, failed):
    (one,) = cli("webhook", "endpoints", "--json").document["endpoints"]
    assert (one["account_id"], one["url"], one["reason"], one["failures"]) == (account, URL, "gone", 1)
    assert URL in cli("webhook", "endpoints", "--account", account).out
    assert cli("webhook", "enable", one["id"], "--replay", "--json").document == {"enabled": one["id"], "replayed": 0}
    assert "No endpoint fails." in cli("webhook", "endpoints").out
