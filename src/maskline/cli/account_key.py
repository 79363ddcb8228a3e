"""`maskline account key`: bearer keys for the 8x8 API.

What it is: part of the noun `account` in a file of its own. A key is printed once, when it is made; afterwards it goes
by its id.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from maskline.cli.context import run
from maskline.cli.output import JsonFlag, emit, pairs, show_time, table
from maskline.services import Services
from maskline.storage.kept import ApiKey
from maskline.workflows.api_keys import create_api_key, list_api_keys, remove_api_key, switch_api_key

app = typer.Typer(name="key", help="Bearer keys for the 8x8 API (/api/v1/subaccounts).", no_args_is_help=True)

AccountArgument = Annotated[
    str, typer.Argument(help="Auth id of an account, whose keys act for its subaccounts too, or of one.", metavar="ID")
]
KeyArgument = Annotated[str, typer.Argument(help="Id of the key, from `maskline account key list`.", metavar="KEY_ID")]


@app.command("create")
def create(
    account_id: AccountArgument,
    name: Annotated[str, typer.Option("--name", help="A name for people.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Make a key and print it; it is not shown again."""

    async def work(services: Services) -> tuple[ApiKey, str]:
        return await create_api_key(services.store, services.clock, services.ids, account_id, name)

    key, text = run(work)
    made = {"key_id": key.id, "key": text, "auth_id": key.account_id, "name": key.name}
    emit(as_json, made, pairs(made))


@app.command("list")
def list_(account_id: AccountArgument, as_json: JsonFlag = False) -> None:
    """List the keys of an account or subaccount."""

    async def work(services: Services) -> list[ApiKey]:
        return await list_api_keys(services.store, account_id)

    keys = run(work)
    rows = [(key.id, key.name, key.enabled, show_time(key.created_at)) for key in keys]
    text = table(("key id", "name", "enabled", "created"), rows, "No key yet.")
    emit(as_json, {"auth_id": account_id, "keys": [describe(key) for key in keys]}, text)


@app.command("disable")
def disable(account_id: AccountArgument, key_id: KeyArgument, as_json: JsonFlag = False) -> None:
    """Refuse a key until it is enabled again."""
    _switch(account_id, key_id, False, as_json)


@app.command("enable")
def enable(account_id: AccountArgument, key_id: KeyArgument, as_json: JsonFlag = False) -> None:
    """Take a disabled key again."""
    _switch(account_id, key_id, True, as_json)


@app.command("remove")
def remove(account_id: AccountArgument, key_id: KeyArgument, as_json: JsonFlag = False) -> None:
    """Forget a key for good."""

    async def work(services: Services) -> None:
        await remove_api_key(services.store, account_id, key_id)

    run(work)
    emit(as_json, {"key_id": key_id, "removed": True}, f"Key {key_id} is removed.")


def _switch(account_id: str, key_id: str, enabled: bool, as_json: bool) -> None:
    async def work(services: Services) -> None:
        await switch_api_key(services.store, account_id, key_id, enabled=enabled)

    run(work)
    emit(as_json, {"key_id": key_id, "enabled": enabled}, f"Key {key_id} is {'enabled' if enabled else 'disabled'}.")


def describe(key: ApiKey) -> dict[str, Any]:
    return {"key_id": key.id, "name": key.name, "enabled": key.enabled, "created_at": show_time(key.created_at)}
