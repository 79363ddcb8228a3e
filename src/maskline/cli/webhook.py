"""`maskline webhook`: where 8x8 and Wavecell webhooks go, and what became of every webhook."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from secrets import token_bytes
from typing import Annotated, Any

import typer

from maskline.cli import webhook_tries
from maskline.cli.context import all_accounts, read_secret_file, run
from maskline.cli.output import JsonFlag, emit, pairs, show_time, table
from maskline.errors import InvalidParameter, MissingParameter
from maskline.logs import mask_text
from maskline.net.guard import AddressGuard
from maskline.services import Services
from maskline.storage.store import OUTBOX_STATES, Endpoint, OutboxRow
from maskline.webhooks.sign import new_secret
from maskline.workflows.list_webhooks import list_webhooks
from maskline.workflows.set_webhook import (
    KINDS,
    end_rotation,
    list_webhook_targets,
    remove_webhook,
    rotate_secret,
    secret_for,
    set_webhook,
)

app = typer.Typer(
    name="webhook", help="Webhooks: where they go, what became of them, and sending one again.", no_args_is_help=True
)

app.add_typer(webhook_tries.app)

KindArgument = Annotated[str, typer.Argument(help=f"{', '.join(KINDS[:-1])} or {KINDS[-1]}.")]
Account = Annotated[str | None, typer.Option("--account", metavar="ID", help="Calls without a subaccount.")]
Subaccount = Annotated[str | None, typer.Option("--subaccount", metavar="ID", help="Calls of this subaccount.")]


@app.command("set")
def set_(
    kind: KindArgument,
    url: Annotated[str, typer.Argument(help="http or https URL that receives it.")],
    account: Account = None,
    subaccount: Subaccount = None,
    authorization_file: Annotated[
        Path | None, typer.Option("--authorization-file", help="File with the value of the Authorization header.")
    ] = None,
    external_id: Annotated[
        str, typer.Option("--external-id", help="subAccountId shown in bodies; default: the (sub)account's.")
    ] = "",
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="How bodies are written, such as generation=g2."),
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option("--secret-file", help="File with a Standard Webhooks secret (whsec_…) to sign bodies with."),
    ] = None,
    enabled: Annotated[bool, typer.Option("--enabled/--disabled", help="Whether anything is sent.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """Send a kind of webhook to a URL. Replaces an earlier one of the account or subaccount. Native ones
    are signed: a secret is made and shown once, unless there is one."""
    owner = _owner(account, subaccount)
    authorization = read_secret_file(authorization_file, "--authorization-file")
    secret = read_secret_file(secret_file, "--secret-file")
    options = _read_options(option or [])

    made = new_secret(token_bytes(32))

    async def work(services: Services) -> Endpoint:
        signed = secret or await secret_for(services.store, owner, kind, made)
        return await set_webhook(
            services.store, owner, kind, url, authorization=authorization, external_id=external_id, enabled=enabled,
            options=options, secret=signed, now=services.clock.wall(),
            guard=AddressGuard(services.settings.egress_networks),
        )  # fmt: skip

    endpoint = run(work)
    stored = describe(endpoint)
    if endpoint.secret == made:  # nobody else has it: shown this once
        stored["secret"] = made
    emit(as_json, stored, pairs(stored | {"options": _option_texts(stored["options"])}))


@app.command("remove")
def remove(
    kind: KindArgument, account: Account = None, subaccount: Subaccount = None, as_json: JsonFlag = False
) -> None:
    """Stop sending a kind of webhook. It is the account's or the subaccount's own."""
    owner = _owner(account, subaccount)

    async def work(services: Services) -> None:
        await remove_webhook(services.store, owner, kind)

    run(work)
    emit(as_json, {"account_id": owner, "kind": kind, "removed": True}, f"{kind} of {owner} is no longer sent.")


@app.command("rotate-secret")
def rotate(
    kind: KindArgument,
    account: Account = None,
    subaccount: Subaccount = None,
    secret_file: Annotated[
        Path | None, typer.Option("--secret-file", help="File with the new secret (whsec_…); default: one is made.")
    ] = None,
    finish: Annotated[bool, typer.Option("--finish", help="Drop the older secret; the newest alone signs.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Sign with a new secret. Until --finish the one before it signs too; shows the new one (Standard Webhooks)."""
    owner = _owner(account, subaccount)
    if finish and secret_file:
        raise InvalidParameter("Give --secret-file or --finish, not both.")

    async def work(services: Services) -> Endpoint:
        if finish:
            return await end_rotation(services.store, owner, kind)
        made = read_secret_file(secret_file, "--secret-file") or new_secret(token_bytes(32))
        return await rotate_secret(services.store, owner, kind, made)

    secrets = run(work).secret.split(" ")
    shown: dict[str, Any] = {"account_id": owner, "kind": kind, "signing_secrets": len([*filter(None, secrets)])}
    if not finish and secret_file is None:
        shown["secret"] = secrets[0]
    emit(as_json, shown, pairs(shown))


@app.command("list")
def list_(
    account: Annotated[str | None, typer.Option("--account", metavar="ID", help="Only of this (sub)account.")] = None,
    state: Annotated[
        str | None, typer.Option("--state", help="Only due, waiting, leased, done, failed or held ones.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most this many deliveries.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """List targets and the newest deliveries. Bodies are not shown, they hold numbers."""
    if state not in (None, *OUTBOX_STATES):
        raise InvalidParameter("--state must be due, waiting, leased, done, failed or held.")

    async def work(services: Services) -> tuple[list[Endpoint], list[OutboxRow]]:
        owners = [one.id for one in await all_accounts(services)] if account is None else [account]
        endpoints = [one for owner in owners for one in await list_webhook_targets(services.store, owner)]
        return endpoints, await list_webhooks(services.store, account, state=state, limit=limit)

    endpoints, deliveries = run(work)
    document = {
        "endpoints": [describe(one) for one in endpoints],
        "deliveries": [describe_delivery(one) for one in deliveries],
    }
    emit(as_json, document, _page(endpoints, deliveries))


def _owner(account: str | None, subaccount: str | None) -> str:
    if account and subaccount:
        raise InvalidParameter("Give --account or --subaccount, not both.")
    if not account and not subaccount:
        raise MissingParameter("Give --account ID or --subaccount ID.")
    return subaccount or account or ""


def _read_options(texts: list[str]) -> dict[str, str]:
    pairs_ = [text.partition("=") for text in texts]
    if not all(equals for _, equals, _ in pairs_):
        raise InvalidParameter("--option must be NAME=VALUE.")
    return {name: value for name, _, value in pairs_}


def describe(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "account_id": endpoint.account_id,
        "kind": endpoint.kind,
        "url": endpoint.url,
        "authorization": "configured" if endpoint.authorization else None,
        "external_id": endpoint.external_id,
        "enabled": endpoint.enabled,
        "options": dict(endpoint.options),
        "secret": "configured" if endpoint.secret else None,
        "created_at": show_time(endpoint.created_at),
    }


def describe_delivery(row: OutboxRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "account_id": row.account_id,
        "subaccount_id": row.subaccount_id,
        "subject": row.subject,
        "sequence": row.sequence,
        "dialect": row.dialect,
        "event": row.event,
        "method": row.method,
        "url": mask_text(row.url),
        "created_at": show_time(row.created_at),
        "due_at": show_time(row.due_at),
        "attempts": row.attempts,
        "state": row.state,
        "last_status": row.last_status,
        "last_error": mask_text(row.last_error),
    }


def _option_texts(options: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in options.items()]


def _page(endpoints: list[Endpoint], deliveries: list[OutboxRow]) -> str:
    where = [
        (one.account_id, one.kind, one.url, one.external_id, one.enabled, _option_texts(one.options))
        for one in endpoints
    ]
    what = [
        (
            row.id,
            show_time(row.created_at),
            row.dialect,
            row.event,
            row.state,
            row.attempts,
            # Without an answer there is no status, only the reason: no connection, a refused address.
            row.last_status or mask_text(row.last_error),
            mask_text(row.url),
        )
        for row in deliveries
    ]
    return "\n\n".join(
        (
            table(("account", "kind", "url", "external id", "enabled", "options"), where, "No endpoint is set."),
            table(("delivery", "created", "dialect", "event", "state", "tries", "status", "url"), what, "No delivery."),
        )
    )
