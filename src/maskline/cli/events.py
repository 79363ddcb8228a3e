"""`maskline events`: try a customer's receiver without a telephone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any

import typer

from maskline.cli.context import run
from maskline.cli.output import JsonFlag, emit
from maskline.errors import InvalidParameter
from maskline.media.programs import Programs
from maskline.media.prompts.build import build_speech
from maskline.net.egress import Egress
from maskline.rules import ask_budget, ask_rules
from maskline.services import Services
from maskline.settings import Settings
from maskline.workflows.judge_answer import QUESTIONS, AnswerRules
from maskline.workflows.list_voices import voice_codes
from maskline.workflows.sample_events import BODIES, TYPES
from maskline.workflows.trigger_event import Triggered, trigger_event

app = typer.Typer(name="events", help="Sample events of each kind, sent to a receiver.", no_args_is_help=True)


@app.command("trigger")
def trigger(
    name: Annotated[str, typer.Argument(metavar="TYPE", help=f"{', '.join(word for word, _ in BODIES.values())}.")],
    account: Annotated[str | None, typer.Option("--account", metavar="ID", help="To this account's endpoint.")] = None,
    subaccount: Annotated[
        str | None, typer.Option("--subaccount", metavar="ID", help="To this subaccount's endpoint.")
    ] = None,
    url: Annotated[str, typer.Option("--url", help="To this URL instead.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Send one sample event as a real one would be sent, and show what was answered; exit 1 when that would not do."""
    if account and subaccount:
        raise InvalidParameter("Give --account or --subaccount, not both.")

    async def work(services: Services) -> Triggered:
        egress = Egress(services.settings.egress_networks)
        await egress.open()
        try:
            rules = await _rules(services.settings, name)
            owner = subaccount or account
            return await trigger_event(services.store, egress, services.clock, services.ids, name, owner, url, rules)
        finally:
            await egress.close()

    told = run(work)
    emit(as_json, _document(told), _page(told))
    if told.fault:
        raise typer.Exit(1)


async def _rules(settings: Settings, name: str) -> AnswerRules:
    """As the server of these settings has them; the voices are asked for where an answer may name one."""
    rules = AnswerRules(ask_budget(settings), ask_rules(settings).flow)
    if TYPES.get(name.lower()) not in QUESTIONS:
        return rules
    programs = Programs(1)
    try:
        voices = await voice_codes(build_speech(settings, programs))
    finally:
        programs.close()
    return replace(rules, flow=replace(rules.flow, voices=voices or None))


def _document(told: Triggered) -> dict[str, Any]:
    return {
        "kind": told.kind,
        "url": told.url,
        "event_id": told.event_id,
        "status": told.status or None,
        "milliseconds": round(told.seconds * 1000, 1),
        "body": json.loads(told.body),
        "answer": told.answer.decode("utf-8", "replace"),
        "fault": told.fault or None,
    }


def _page(told: Triggered) -> str:
    status = f"HTTP {told.status}" if told.status else "no answer"
    lines = [
        f"{told.kind} to {told.url}: {status} after {told.seconds * 1000:.0f} ms",
        json.dumps(json.loads(told.body), indent=2, ensure_ascii=False),
    ]
    if told.answer:
        lines += ["Answer:", told.answer.decode("utf-8", "replace")]
    return "\n".join([*lines, told.fault or "That answer would do."])
