"""`maskline price`: what the legs of calls cost."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from maskline.cli.context import run
from maskline.cli.output import JsonFlag, emit, pairs, table
from maskline.masking.price import Direction, Price, amount_text
from maskline.services import Services
from maskline.workflows.set_price import PriceWish, list_prices, remove_price, set_price

app = typer.Typer(
    name="price", help="Prices: what the legs of calls cost; without any, all is free.", no_args_is_help=True
)

DirectionOption = Annotated[
    Direction, typer.Option("--direction", help="inbound: the caller's leg; outbound: the leg to the callee.")
]
TrunkOption = Annotated[
    str | None, typer.Option("--trunk", metavar="NAME", help="Only through this trunk; left out: through any.")
]
PrefixOption = Annotated[
    str, typer.Option("--prefix", help="E.164 prefix of the virtual number (inbound) or the callee (outbound).")
]


@app.command("set")
def set_(
    direction: DirectionOption,
    per_minute: Annotated[str, typer.Option("--per-minute", help="Amount for each minute, such as 0.012.")],
    trunk: TrunkOption = None,
    prefix: PrefixOption = "+",
    connection: Annotated[str, typer.Option("--connection", help="Amount for each answered leg.")] = "0",
    increment: Annotated[int, typer.Option("--increment", help="Seconds that a duration is rounded up to.")] = 1,
    as_json: JsonFlag = False,
) -> None:
    """Set the price of a trunk, direction and prefix; the longest prefix counts, a trunk's own before any trunk's."""
    wish = PriceWish(direction, trunk, prefix, per_minute, connection, increment)

    async def work(services: Services) -> Price:
        return await set_price(services.store, services.ids, wish)

    made = describe(run(work), trunk)
    emit(as_json, made, pairs(_for_people(made)))


@app.command("list")
def list_(as_json: JsonFlag = False) -> None:
    """List prices."""

    async def work(services: Services) -> list[tuple[Price, str | None]]:
        return await list_prices(services.store)

    found = [describe(price, trunk) for price, trunk in run(work)]
    columns = ("trunk", "direction", "prefix", "per_minute", "connection", "increment")
    rows = [[one[column] for column in columns] for one in map(_for_people, found)]
    empty = "No price yet: all is free. Set one: maskline price set --direction outbound --per-minute 0.01"
    text = table([column.replace("_", " ") for column in columns], rows, empty)
    emit(as_json, {"prices": found}, text)


@app.command("remove")
def remove(
    direction: DirectionOption, trunk: TrunkOption = None, prefix: PrefixOption = "+", as_json: JsonFlag = False
) -> None:
    """Remove the price of a trunk, direction and prefix."""

    async def work(services: Services) -> None:
        await remove_price(services.store, direction, trunk, prefix)

    run(work)
    gone = {"trunk": trunk, "direction": direction.value, "prefix": prefix}
    shown = _for_people(gone)
    text = f"Price {direction.value}, prefix {shown['prefix']}, trunk {shown['trunk']} removed."
    emit(as_json, {"removed": gone}, text)


def _for_people(shown: dict[str, Any]) -> dict[str, Any]:
    prefix = "any" if shown["prefix"] == "+" else shown["prefix"]
    return shown | {"trunk": shown["trunk"] or "any", "prefix": prefix}


def describe(price: Price, trunk: str | None) -> dict[str, Any]:
    return {
        "id": price.id,
        "trunk": trunk,
        "direction": price.direction.value,
        "prefix": price.prefix,
        "per_minute": amount_text(price.per_minute),
        "connection": amount_text(price.connection),
        "increment": price.increment,
    }
