"""`maskline number`: virtual numbers, whose they are, and what becomes of them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from maskline.cli.context import chosen_accounts, run
from maskline.cli.output import AccountOption, JsonFlag, emit, pairs, show_number, table
from maskline.masking.decision import NumberState, NumberUse, VirtualNumber
from maskline.services import Services
from maskline.webhooks.formats.plivo import Style
from maskline.webhooks.formats.plivo_events import Generation
from maskline.workflows.add_number import add_number
from maskline.workflows.list_numbers import list_numbers
from maskline.workflows.number_outbox import announce_numbers
from maskline.workflows.replace_number import Replacement, ReplaceNumber
from maskline.workflows.set_number import NumberChange, set_number

app = typer.Typer(name="number", help="Virtual numbers: what carriers deliver to us.", no_args_is_help=True)

NumberArgument = Annotated[str, typer.Argument(help="The number in E.164 form, such as +6531234567.")]


@app.command("add")
def add(
    number: NumberArgument,
    account: AccountOption,
    subaccount: Annotated[str | None, typer.Option("--subaccount", metavar="ID", help="Only for this one.")] = None,
    reference_id: Annotated[str, typer.Option("--reference-id", help="A label shown in webhooks.")] = "",
    pin: Annotated[bool, typer.Option("--pin", help="Reserve it for sessions that callers enter by PIN.")] = False,
    alias: Annotated[str, typer.Option("--alias", help="A name for people.")] = "",
    fallback: Annotated[
        str, typer.Option("--fallback", metavar="NUMBER", help="Who gets calls that belong to no session.")
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Give a virtual number to an account or subaccount."""
    use = NumberUse.PIN if pin else NumberUse.SHARED

    async def work(services: Services) -> VirtualNumber:
        return await add_number(
            services.store, services.clock, number, account, subaccount, reference_id, use=use, alias=alias,
            fallback=fallback,
        )  # fmt: skip

    added = describe(run(work))
    emit(as_json, added, pairs(added))


@app.command("list")
def list_(
    account: Annotated[str | None, typer.Option("--account", metavar="ID", help="Only of this account.")] = None,
    retired: Annotated[bool, typer.Option("--retired", help="Those too that were given back.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List virtual numbers."""

    async def work(services: Services) -> list[VirtualNumber]:
        return [
            one
            for owner in await chosen_accounts(services, account)
            for one in await list_numbers(services.store, owner, retired=retired)
        ]

    found = [describe(one) for one in run(work)]
    columns = ("number", "country", "state", "use", "account_id", "subaccount_id", "reference_id", "alias", "fallback")
    empty = "No virtual number yet. Add one: maskline number add +E164 --account ID"
    rows = [[one[key] for key in columns] for one in found]
    headings = [column.removesuffix("_id") if column != "reference_id" else "reference id" for column in columns]
    emit(as_json, {"numbers": found}, table(headings, rows, empty))


@app.command("set")
def set_(
    number: NumberArgument,
    state: Annotated[
        NumberState | None,
        typer.Option("--state", help="All but active ones get no new sessions; live ones stay."),
    ] = None,
    alias: Annotated[str | None, typer.Option("--alias", help="A name for people; empty clears it.")] = None,
    reference_id: Annotated[
        str | None, typer.Option("--reference-id", help="A label shown in webhooks; empty clears it.")
    ] = None,
    fallback: Annotated[
        str | None,
        typer.Option("--fallback", metavar="NUMBER", help="Who gets calls that belong to no session; empty: nobody."),
    ] = None,
    subaccount: Annotated[
        str | None, typer.Option("--subaccount", metavar="ID", help="Only for this one; empty: for the account.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Change a virtual number; its live sessions stay on it."""
    change = NumberChange(state, alias, reference_id, fallback, subaccount)

    async def work(services: Services) -> VirtualNumber:
        return await set_number(services.store, services.clock, number, change)

    changed = describe(run(work))
    emit(as_json, changed, pairs(changed))


@app.command("announce")
def announce(
    account_id: Annotated[str, typer.Argument(help="Auth id of an account or subaccount.", metavar="ID")],
    as_json: JsonFlag = False,
) -> None:
    """Send all numbers of an account or subaccount to its endpoint of kind eight.number (SNAPSHOT)."""

    async def work(services: Services) -> int:
        return await announce_numbers(services.store, services.clock, services.ids, account_id)

    count = run(work)
    emit(as_json, {"account_id": account_id, "numbers": count}, f"{count} numbers will be sent to the endpoint.")


@app.command("replace")
def replace(number: NumberArgument, as_json: JsonFlag = False) -> None:
    """Rest a number and give each of its live sessions another one; their customers get a webhook."""

    async def work(services: Services) -> Replacement:
        settings = services.settings
        style = Style(Generation(settings.plivo_events), settings.callback_prefix)
        return await ReplaceNumber(services.store, services.clock, services.ids, style)(number)

    done = run(work)
    kept = [{"session_uuid": session_id, "reason": reason} for session_id, reason in done.kept.items()]
    document = {"number": describe(done.number), "replaced": done.replaced, "kept": kept}
    moved = _sessions(done.replaced, "has", "have")
    text = f"{done.number.number.e164} is {done.number.state}; {moved} another number."
    if kept:
        rows = [[one["session_uuid"], one["reason"]] for one in kept]
        text += f"\n{_sessions(len(kept), 'keeps', 'keep')} it:\n" + table(("session", "reason"), rows)
    emit(as_json, document, text)


def _sessions(count: int, does: str, do: str) -> str:
    return f"1 session {does}" if count == 1 else f"{count} sessions {do}"


def describe(number: VirtualNumber) -> dict[str, Any]:
    """The JSON form. Whoever the fallback rings is a person or a desk of the operator's: masked like any other."""
    return {
        "number": number.number.e164,
        "country": number.country,
        "account_id": number.account_id,
        "subaccount_id": number.subaccount_id,
        "reference_id": number.reference_id,
        "state": number.state.value,
        "use": number.use.value,
        "alias": number.alias,
        "fallback": show_number(number.fallback, reveal=False),
    }
