"""`maskline number`: virtual numbers and whose they are."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from maskline.cli.context import chosen_accounts, run
from maskline.cli.output import AccountOption, JsonFlag, emit, pairs, table
from maskline.masking.decision import VirtualNumber
from maskline.services import Services
from maskline.workflows.add_number import add_number
from maskline.workflows.list_numbers import list_numbers

app = typer.Typer(name="number", help="Virtual numbers: what carriers deliver to us.", no_args_is_help=True)


@app.command("add")
def add(
    number: Annotated[str, typer.Argument(help="The number in E.164 form, such as +6531234567.")],
    account: AccountOption,
    subaccount: Annotated[str | None, typer.Option("--subaccount", metavar="ID", help="Only for this one.")] = None,
    reference_id: Annotated[str, typer.Option("--reference-id", help="A label shown in webhooks.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Give a virtual number to an account or subaccount."""

    async def work(services: Services) -> VirtualNumber:
        return await add_number(services.store, services.clock, number, account, subaccount, reference_id)

    added = describe(run(work))
    emit(as_json, added, pairs(added))


@app.command("list")
def list_(
    account: Annotated[str | None, typer.Option("--account", metavar="ID", help="Only of this account.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List virtual numbers."""

    async def work(services: Services) -> list[VirtualNumber]:
        return [
            one
            for owner in await chosen_accounts(services, account)
            for one in await list_numbers(services.store, owner)
        ]

    found = [describe(one) for one in run(work)]
    rows = [[one[key] for key in ("number", "country", "account_id", "subaccount_id", "reference_id")] for one in found]
    empty = "No virtual number yet. Add one: maskline number add +E164 --account ID"
    text = table(("number", "country", "account", "subaccount", "reference id"), rows, empty)
    emit(as_json, {"numbers": found}, text)


def describe(number: VirtualNumber) -> dict[str, Any]:
    return {
        "number": number.number.e164,
        "country": number.country,
        "account_id": number.account_id,
        "subaccount_id": number.subaccount_id,
        "reference_id": number.reference_id,
    }
