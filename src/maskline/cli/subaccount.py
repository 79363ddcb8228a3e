"""`maskline subaccount`: sub-tenants of an account."""

from __future__ import annotations

from typing import Annotated

import typer

from maskline.cli.account import describe, emit_accounts
from maskline.cli.context import run
from maskline.cli.output import AccountOption, JsonFlag, emit, pairs
from maskline.services import Services
from maskline.storage.store import Account
from maskline.workflows.create_subaccount import create_subaccount
from maskline.workflows.list_accounts import list_accounts

app = typer.Typer(
    name="subaccount", help="Subaccounts: part of an account, with numbers and webhooks of their own.",
    no_args_is_help=True,
)  # fmt: skip


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="A name for people; 8x8 and Wavecell webhooks show it by default.")],
    account: AccountOption,
    as_json: JsonFlag = False,
) -> None:
    """Create a subaccount and print its API credentials."""

    async def work(services: Services) -> Account:
        return await create_subaccount(services.store, services.clock, services.ids, account, name)

    made = describe(run(work), reveal=True)
    emit(as_json, made, pairs(made))


@app.command("list")
def list_(account: AccountOption, as_json: JsonFlag = False) -> None:
    """List the subaccounts of an account."""

    async def work(services: Services) -> list[Account]:
        return await list_accounts(services.store, account)

    emit_accounts(run(work), "subaccounts", as_json, "No subaccount yet.")
