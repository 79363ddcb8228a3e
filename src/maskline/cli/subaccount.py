"""`maskline subaccount`: sub-tenants of an account."""

from __future__ import annotations

from typing import Annotated

import typer

from maskline.cli.account import emit_account, emit_accounts
from maskline.cli.context import run
from maskline.cli.output import AccountOption, JsonFlag, emit
from maskline.services import Services
from maskline.storage.store import Account
from maskline.workflows.create_subaccount import create_subaccount
from maskline.workflows.find_account import find_account
from maskline.workflows.list_accounts import list_accounts
from maskline.workflows.remove_subaccount import remove_subaccount
from maskline.workflows.scope import Scope
from maskline.workflows.update_subaccount import update_subaccount

app = typer.Typer(
    name="subaccount", help="Subaccounts: part of an account, with numbers and webhooks of their own.",
    no_args_is_help=True,
)  # fmt: skip


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="A name for people; 8x8 and Wavecell webhooks show it by default.")],
    account: AccountOption,
    external_id: Annotated[
        str, typer.Option("--external-id", help="subAccountId of 8x8 and Wavecell, in paths and bodies.")
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Create a subaccount and print its API credentials."""

    async def work(services: Services) -> Account:
        return await create_subaccount(
            services.store, services.clock, services.ids, account, name, external_id=external_id
        )

    emit_account(run(work), as_json, reveal=True)


@app.command("list")
def list_(account: AccountOption, as_json: JsonFlag = False) -> None:
    """List the subaccounts of an account."""

    async def work(services: Services) -> list[Account]:
        return await list_accounts(services.store, account)

    emit_accounts(run(work), "subaccounts", as_json, "No subaccount yet.")


SubaccountArgument = Annotated[str, typer.Argument(help="Auth id of a subaccount.", metavar="ID")]


@app.command("set")
def set_(
    subaccount_id: SubaccountArgument,
    name: Annotated[str | None, typer.Option("--name", help="A name for people.")] = None,
    enabled: Annotated[
        bool | None, typer.Option("--enabled/--disabled", help="Whether the API takes its credentials.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Rename a subaccount, or switch its credentials on and off; its numbers, sessions and calls go on."""

    async def work(services: Services) -> Account:
        scope = await _scope_of(services, subaccount_id)
        changed, _ = await update_subaccount(
            services.store, services.clock, scope, subaccount_id, name=name, enabled=enabled
        )
        return changed

    emit_account(run(work), as_json)


@app.command("remove")
def remove(subaccount_id: SubaccountArgument, as_json: JsonFlag = False) -> None:
    """Close a subaccount: its credentials are refused, its numbers go to the account, its live sessions stay."""

    async def work(services: Services) -> None:
        scope = await _scope_of(services, subaccount_id)
        await remove_subaccount(services.store, services.clock, scope, subaccount_id)

    run(work)
    emit(as_json, {"removed": subaccount_id}, f"Removed {subaccount_id}.")


async def _scope_of(services: Services, subaccount_id: str) -> Scope:
    """The operator speaks for every main account."""
    return Scope((await find_account(services.store, subaccount_id)).owner_id)
