"""`maskline webhook attempts|replay|endpoints|enable`: what receivers answered, and sending again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from maskline.cli.context import run
from maskline.cli.output import JsonFlag, emit, show_time, table
from maskline.errors import InvalidParameter, MissingParameter
from maskline.logs import mask_text
from maskline.services import Services
from maskline.storage.webhook_store import (
    FINISHED_STATES,
    UNSENT_STATES,
    Attempt,
    FailingEndpoint,
    ReplayFilter,
)
from maskline.workflows.list_webhooks import replay_webhook
from maskline.workflows.replay_webhooks import (
    enable_endpoint,
    list_attempts,
    list_failing_endpoints,
    replay_webhooks,
)

app = typer.Typer()

_SHOWN = 60
"""Characters of an answer in a table."""
Account = Annotated[str | None, typer.Option("--account", metavar="ID", help="Auth id of the account.")]


@app.command("attempts")
def attempts(
    delivery_id: Annotated[str, typer.Argument(help="Id of the delivery, from `maskline webhook list`.")],
    as_json: JsonFlag = False,
) -> None:
    """List the tries of one webhook. When, how long, status or fault, and the begin of the answer without numbers."""

    async def work(services: Services) -> list[Attempt]:
        return await list_attempts(services.store, delivery_id)

    found = run(work)
    rows = [
        (one.number, show_time(one.at), one.milliseconds, one.status or one.fault, one.answer[:_SHOWN]) for one in found
    ]
    text = table(("try", "at", "ms", "status", "answer"), rows, "No try is kept.")
    emit(as_json, {"delivery_id": delivery_id, "attempts": [describe_attempt(one) for one in found]}, text)


@app.command("replay")
def replay(
    delivery_id: Annotated[str, typer.Argument(help="Id of one delivery; or give --account.")] = "",
    account: Account = None,
    subaccount: Annotated[str | None, typer.Option("--subaccount", metavar="ID", help="Only of this one.")] = None,
    endpoint: Annotated[
        str, typer.Option("--endpoint", metavar="URL", help="Only to this URL, without its query.")
    ] = "",
    since: Annotated[str, typer.Option("--since", help="Made at this time or later: 2026-11-22T07:52:12Z.")] = "",
    until: Annotated[str, typer.Option("--until", help="Made before this time.")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Delivered ones too, not only failed and held ones; needs --since.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Send one webhook again, or all that failed. Or are held: same id and body, a fresh signature."""
    if bool(delivery_id) == bool(account):
        raise MissingParameter("Give the id of one delivery, or --account ID.")
    if everything and not since:
        raise MissingParameter("--all needs --since TIME.")
    wanted = ReplayFilter(
        account or "", FINISHED_STATES if everything else UNSENT_STATES, endpoint, subaccount,
        _read_time(since, "--since", 0.0), _read_time(until, "--until", 1e15),
    )  # fmt: skip

    async def work(services: Services) -> int:
        if delivery_id:
            await replay_webhook(services.store, services.clock, delivery_id)
            return 1
        return await replay_webhooks(services.store, services.clock, wanted)

    count = run(work)
    if delivery_id:
        emit(as_json, {"replayed": delivery_id}, f"Webhook {delivery_id} will be sent again.")
    else:
        emit(as_json, {"account_id": account, "replayed": count}, f"{count} webhooks will be sent again.")


@app.command("endpoints")
def endpoints(
    account: Annotated[str | None, typer.Option("--account", metavar="ID", help="Only of this account.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List endpoints that fail or are disabled. With the time since when."""

    async def work(services: Services) -> list[FailingEndpoint]:
        return await list_failing_endpoints(services.store, account)

    found = run(work)
    rows = [
        (
            one.id, one.subaccount_id or one.account_id, show_time(one.since), one.failures,
            f"{show_time(one.disabled_at)} ({one.reason})" if one.disabled_at else "", mask_text(one.url),
        )
        for one in found
    ]  # fmt: skip
    text = table(
        ("endpoint", "account", "failing since", "failures", "disabled", "url"), rows, "No endpoint fails."
    )  # fmt: skip
    emit(as_json, {"endpoints": [describe_failing(one) for one in found]}, text)


@app.command("enable")
def enable(
    endpoint_id: Annotated[str, typer.Argument(help="Id of the endpoint, from `maskline webhook endpoints`.")],
    with_held: Annotated[bool, typer.Option("--replay", help="Send what was held meanwhile, too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Send to a disabled endpoint again. A running server sees it within five seconds."""

    async def work(services: Services) -> tuple[FailingEndpoint, int]:
        return await enable_endpoint(services.store, services.clock, endpoint_id, replay=with_held)

    endpoint, count = run(work)
    emit(
        as_json, {"enabled": endpoint.id, "replayed": count},
        f"Endpoint {endpoint.id} is enabled; {count} webhooks that were held will be sent.",
    )  # fmt: skip


def describe_attempt(one: Attempt) -> dict[str, Any]:
    return {
        "number": one.number, "at": show_time(one.at), "milliseconds": one.milliseconds, "status": one.status,
        "fault": one.fault or None, "answer": one.answer,
    }  # fmt: skip


def describe_failing(one: FailingEndpoint) -> dict[str, Any]:
    return {
        "id": one.id, "account_id": one.account_id, "subaccount_id": one.subaccount_id, "url": mask_text(one.url),
        "failing_since": show_time(one.since), "failures": one.failures, "last_failure_at": show_time(one.last_at),
        "disabled_at": show_time(one.disabled_at), "reason": one.reason or None,
    }  # fmt: skip


def _read_time(text: str, option: str, default: float) -> float:
    if not text:
        return default
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidParameter(f"{option} must be a time such as 2026-11-22T07:52:12Z.") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
