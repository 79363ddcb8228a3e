"""`maskline account`: tenants and their API credentials."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from maskline.cli import account_key, account_limits, account_token
from maskline.cli.context import run
from maskline.cli.option_table import add_options
from maskline.cli.output import JsonFlag, RevealFlag, emit, pairs, show_time, table
from maskline.masking.price import amount_text
from maskline.masking.redaction import Redaction
from maskline.services import Services
from maskline.storage.store import Account
from maskline.workflows.create_account import create_account
from maskline.workflows.find_account import find_account
from maskline.workflows.list_accounts import list_accounts
from maskline.workflows.set_limits import new_limits
from maskline.workflows.set_policy import PolicyWish, set_policy

app = typer.Typer(name="account", help="Accounts: tenants with API credentials of their own.", no_args_is_help=True)
app.add_typer(account_token.app)
app.add_typer(account_key.app)
app.command("limits")(add_options(account_limits.limits, account_limits.OPTIONS))
app.command("stop")(account_limits.stop)
app.command("resume")(account_limits.resume)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="A name for people.")],
    countries: Annotated[
        list[str] | None,
        typer.Option(
            "--country",
            metavar="COUNTRY",
            help="May be called beside its numbers' own: GB; `anywhere`: all. Repeatable.",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Create an account and print its API credentials. What else it may use: maskline account limits."""

    async def work(services: Services) -> Account:
        limits = new_limits(countries or ())
        return await create_account(services.store, services.clock, services.ids, name, limits)

    emit_account(run(work), as_json, reveal=True)


@app.command("list")
def list_(as_json: JsonFlag = False) -> None:
    """List all accounts."""

    async def work(services: Services) -> list[Account]:
        return await list_accounts(services.store)

    emit_accounts(run(work), "accounts", as_json, "No account yet. Create one: maskline account create NAME")


@app.command("show")
def show(
    account_id: Annotated[str, typer.Argument(help="Auth id of an account or subaccount.")],
    reveal: RevealFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Show one account or subaccount; the auth token only with --reveal."""

    async def work(services: Services) -> Account:
        return await find_account(services.store, account_id)

    emit_account(run(work), as_json, reveal)


@app.command("set")
def set_(
    account_id: Annotated[str, typer.Argument(help="Auth id of an account or subaccount.")],
    pool: Annotated[
        str | None,
        typer.Option("--pool", help="How sessions hold numbers: shared, split, pin, or several joined by -then-."),
    ] = None,
    cooloff_first_party: Annotated[
        str | None,
        typer.Option("--cooloff-first-party", help="How long its number stays held after a session: 90s, 12h, 7d."),
    ] = None,
    cooloff_second_party: Annotated[
        str | None, typer.Option("--cooloff-second-party", help="The same for the second party.")
    ] = None,
    session_fee: Annotated[
        str | None, typer.Option("--session-fee", help="What a session costs, such as 0.01.")
    ] = None,
    external_id: Annotated[
        str | None,
        typer.Option("--external-id", help="subAccountId of 8x8 and Wavecell, in paths and bodies; empty clears it."),
    ] = None,
    redaction: Annotated[
        Redaction | None,
        typer.Option("--redaction", help="What 8x8 and Wavecell webhooks and exports show of real numbers."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Change an account or subaccount; what is about sessions counts for new ones."""
    wish = PolicyWish(pool, cooloff_first_party, cooloff_second_party, session_fee, external_id, redaction)

    async def work(services: Services) -> Account:
        return await set_policy(services.store, services.clock, account_id, wish)

    emit_account(run(work), as_json)


def describe(account: Account, reveal: bool = False) -> dict[str, Any]:
    """The JSON form; `auth_token` is null unless revealed. The policy's values are null where it has none of its
    own."""
    policy = account.policy
    return {
        "auth_id": account.id,
        "auth_token": account.auth_token if reveal else None,
        "name": account.name,
        "parent_id": account.parent_id,
        "enabled": account.enabled,
        "stopped": account.stopped or None,
        "created_at": show_time(account.created_at),
        "pool": policy and policy.pool,
        "cooloff_first_party": policy and policy.first_party_cooloff,
        "cooloff_second_party": policy and policy.second_party_cooloff,
        "session_fee": policy and amount_text(policy.session_fee),
        "external_id": account.external_id,
        "redaction": account.redaction.value,
    }


def emit_account(account: Account, as_json: bool, reveal: bool = False) -> None:
    """For people without the row of a token that is not shown: `-` would say that there is none."""
    shown = describe(account, reveal)
    emit(as_json, shown, pairs({name: value for name, value in shown.items() if reveal or name != "auth_token"}))


def emit_accounts(accounts: list[Account], key: str, as_json: bool, empty: str) -> None:
    rows = [(account.id, account.name, show_time(account.created_at)) for account in accounts]
    text = table(("auth id", "name", "created"), rows, empty)
    emit(as_json, {key: [describe(account) for account in accounts]}, text)
