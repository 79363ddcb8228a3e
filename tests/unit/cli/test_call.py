"""`maskline call`: records and facts of finished calls."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from maskline.cli import call as call_commands
from maskline.masking.facts import RecordingStarted
from maskline.services import Services
from maskline.storage.crypto import Sealer
from maskline.storage.kept import LiveCall
from maskline.storage.postgres import PostgresStore
from maskline.storage.store import Delivery, RecordedCall
from tests.support import store_values as values
from tests.support.command_line import Cli
from tests.support.postgres_server import KEY, postgres_store, server


@pytest.fixture
def recorded(cli: Cli, services: Services) -> str:
    """A finished call of the support values' account."""

    async def fill() -> None:
        store = services.store
        await store.add_account(values.ACCOUNT)
        await store.add_account(values.SUB)
        await store.add_account(values.OTHER)
        await store.add_number(values.virtual_number(), values.T0)
        await store.create_session(values.new_session())
        await store.commit_calls([
            RecordedCall(
                values.call_facts(), values.ACCOUNT.id, (values.outbox_row(),), values.call_record(), "session-1",
                values.interaction(),
            )
        ])  # fmt: skip

    asyncio.run(fill())
    return "call-1"


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_the_list_masks_both_parties_unless_revealed(cli: Cli, recorded: str, flags: tuple[str, ...]):
    hidden = cli("call", "list", *flags)
    assert recorded in hidden.out
    assert values.VN1.e164 in hidden.out
    revealed = cli("call", "list", *flags, "--reveal")
    for party in (values.ALICE, values.BOB):
        assert party.digits not in hidden.out
        assert party.masked in hidden.out
        assert party.e164 in revealed.out


def test_the_list_can_be_limited_to_an_account_or_session(cli: Cli, recorded: str):
    def listed(*filters: str) -> list[Any]:
        return list(cli("call", "list", "--json", *filters).document["calls"])

    assert len(listed("--account", values.ACCOUNT.id)) == 1
    assert len(listed("--session", "session-1")) == 1
    assert listed("--session", "session-2") == []
    assert listed("--account", values.OTHER.id) == []


def test_one_call_is_shown_with_legs_quality_and_facts(cli: Cli, recorded: str):
    document = cli("call", "show", recorded, "--json").document
    assert [leg["leg"] for leg in document["legs"]] == ["a", "b"]
    assert document["legs"][0]["quality"]["mos"] == 4.4
    assert document["legs"][1]["quality"] is None
    assert document["legs"][1]["source"] == values.VN1.e164
    assert [fact["name"] for fact in document["facts"]] == ["CallReceived", "CallRouted", "CallEnded"]
    page = cli("call", "show", recorded).out
    assert "CallRouted" in page
    assert values.ALICE.digits not in page


def test_the_document_of_a_spool_is_cut_in_the_table_alone(cli: Cli, services: Services, recorded: str):
    spool = json.dumps({"path": "/spool/" + "r" * 60, "format": "maskline", "legs": []})
    fact = RecordingStarted(recorded, 4, values.T0 + 1, "rec-1", spool)
    asyncio.run(services.store.commit_calls([RecordedCall((fact,), values.ACCOUNT.id)]))
    (line,) = [line for line in cli("call", "show", recorded).out.splitlines() if "RecordingStarted" in line]
    assert "recording_id=rec-1 " in line and line.endswith("r…") and len(line) < 140
    facts = cli("call", "show", recorded, "--json").document["facts"]
    assert facts[-1]["details"]["spool"] == spool


def test_an_unknown_call_is_one_sentence(cli: Cli, recorded: str):
    assert cli("call", "show", "no-such").err == "error: There is no such call.\n"
    assert cli("call", "show", recorded, "--account", values.OTHER.id).code == 1


def test_a_call_in_progress_is_asked_to_end(cli: Cli, services: Services, recorded: str):
    live = LiveCall("call-2", "e1", values.ACCOUNT.id, None, values.T0, b"state")
    begun = RecordedCall((values.call_facts("call-2")[0],), values.ACCOUNT.id, live=live)
    asyncio.run(services.store.commit_calls([begun]))
    assert cli("call", "end", "call-2", "--account", values.OTHER.id).code == 1
    assert asyncio.run(services.store.calls_to_end("e1")) == []
    assert "status    ending" in cli("call", "end", "call-2").out
    document = cli("call", "end", "call-2", "--account", values.ACCOUNT.id, "--json").document
    assert document == {"call_id": "call-2", "status": "ending", "ended_at": None, "outcome": None, "cause": None}
    assert asyncio.run(services.store.calls_to_end("e1")) == ["call-2"]


def test_of_a_call_that_is_over_the_command_tells_how_it_ended(cli: Cli, recorded: str):
    assert cli("call", "end", recorded, "--json").document == {
        "call_id": recorded, "status": "ended", "ended_at": "2023-11-14T22:14:00Z", "outcome": "completed",
        "cause": "normal",
    }  # fmt: skip
    assert cli("call", "end", "no-such").err == "error: There is no such call.\n"


def test_tail_prints_facts_in_order_of_commit(cli: Cli, recorded: str):
    lines = cli("call", "tail", "--since", "0", "--count", "4").out.splitlines()
    assert [line.split()[3] for line in lines] == ["SessionCreated", "CallReceived", "CallRouted", "CallEnded"]
    documents = [
        json.loads(line) for line in cli("call", "tail", "--since", "1", "--count", "2", "--json").out.splitlines()
    ]
    assert [one["name"] for one in documents] == ["CallReceived", "CallRouted"]
    assert documents[0]["cursor"] == 2


async def test_tail_begins_behind_the_newest_fact(services: Services):
    await services.store.add_account(values.ACCOUNT)
    for count in range(1, 40):
        facts = [values.CallReceived(f"call-{count}", 1, values.T0, "trunk-1", values.VN1.digits)]
        await services.store.commit_calls([RecordedCall(tuple(facts), values.ACCOUNT.id)])
        cursor = await call_commands.last_cursor(services)
        assert await services.store.facts_since(cursor, 1) == []
        assert len(await services.store.facts_since(cursor - 1, 2)) == 1


async def test_tail_waits_for_facts_that_come_later(
    services: Services, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    async def arrive(_news: asyncio.Event, _seconds: float) -> None:
        facts = [values.CallReceived("call-9", 1, values.T0, "trunk-1", values.VN1.digits)]
        await services.store.commit_calls([RecordedCall(tuple(facts), values.ACCOUNT.id)])

    monkeypatch.setattr(call_commands, "pause", arrive)
    await call_commands.follow(services, None, 1, False)
    assert "CallReceived" in capsys.readouterr().out


async def test_tail_on_postgresql_is_told_of_facts_and_need_not_ask(
    services: Services, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(call_commands, "_MISSED_SECONDS", 3600.0)
    waiting = asyncio.Event()
    wait = call_commands.pause

    async def told(news: asyncio.Event, seconds: float) -> None:
        waiting.set()
        await wait(news, seconds)

    monkeypatch.setattr(call_commands, "pause", told)
    ours, theirs = postgres_store(), PostgresStore(server().url(), Sealer(KEY))
    await ours.open()
    await theirs.open()
    try:
        tail = asyncio.create_task(call_commands.follow(replace(services, store=ours), None, 1, False))
        await waiting.wait()
        facts = (values.CallReceived("call-9", 1, values.T0, "trunk-1", values.VN1.digits),)
        await theirs.commit_calls([RecordedCall(facts, values.ACCOUNT.id)])
        await asyncio.wait_for(tail, 60)
    finally:
        await ours.close()
        await theirs.close()
    assert "CallReceived" in capsys.readouterr().out


async def test_tail_on_sqlite_asks_from_time_to_time():
    await asyncio.wait_for(call_commands.pause(asyncio.Event(), 0.0), 60)


def test_deliveries_are_listed_without_bodies_and_can_be_replayed(cli: Cli, services: Services, recorded: str):
    listed = cli("webhook", "list", "--json").document["deliveries"]
    assert [one["id"] for one in listed] == ["row-1"]
    assert "body" not in listed[0]
    assert "row-1" in cli("webhook", "list", "--state", "due").out
    assert "No delivery." in cli("webhook", "list", "--state", "waiting").out
    assert cli("webhook", "replay", "row-1", "--json").document == {"replayed": "row-1"}


def test_a_delivery_without_an_answer_shows_why_in_place_of_the_status(cli: Cli, services: Services, recorded: str):
    async def refuse() -> None:
        (row,) = await services.store.lease_outbox("me", now=values.T0, until=values.T0 + 9, limit=1)
        await services.store.finish_outbox(
            "me", [Delivery(row.id, "due", values.T0, None, "no connection: refused")], now=values.T0
        )

    asyncio.run(refuse())
    assert "  no connection: refused  " in cli("webhook", "list").out
