"""`maskline account token`: exchange the auth token of an account or subaccount without a gap.

What it is: part of the noun `account` in a file of its own. Tokens are printed once, when they are made; afterwards
only their last characters.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from maskline.cli.context import run
from maskline.cli.output import JsonFlag, emit, pairs, table
from maskline.services import Services
from maskline.storage.store import Account
from maskline.workflows.add_token import add_token
from maskline.workflows.find_account import find_account
from maskline.workflows.revoke_token import SHOWN, revoke_token

app = typer.Typer(name="token", help="Auth tokens: several may be valid while one is exchanged.", no_args_is_help=True)

AccountArgument = Annotated[str, typer.Argument(help="Auth id of an account or subaccount.", metavar="ID")]


@app.command("add")
def add(account_id: AccountArgument, as_json: JsonFlag = False) -> None:
    """Make one more auth token and print it; the old ones stay valid until they are revoked."""

    async def work(services: Services) -> Account:
        return await add_token(services.store, services.clock, services.ids, account_id)

    account = run(work)
    made = {"auth_id": account.id, "auth_token": account.auth_token, "active_tokens": len(account.auth_tokens)}
    emit(as_json, made, pairs(made))


@app.command("list")
def list_(account_id: AccountArgument, as_json: JsonFlag = False) -> None:
    """List the valid auth tokens, newest first, by their last characters."""

    async def work(services: Services) -> Account:
        return await find_account(services.store, account_id)

    emit_tokens(run(work), as_json)


@app.command("revoke")
def revoke(
    account_id: AccountArgument,
    ending: Annotated[str, typer.Argument(help="Last characters of the token, four at least.")],
    as_json: JsonFlag = False,
) -> None:
    """Take an auth token out of use; the API refuses it a second later at most."""

    async def work(services: Services) -> Account:
        return await revoke_token(services.store, services.clock, account_id, ending)

    emit_tokens(run(work), as_json)


def emit_tokens(account: Account, as_json: bool) -> None:
    tokens: list[dict[str, Any]] = [
        {
            "token": "••••" + token[-SHOWN:],
            "signs": "v3" if token is not account.auth_tokens[-1] else "v2, v3",
        }
        for token in account.auth_tokens
    ]
    text = table(("token", "signs"), [(one["token"], one["signs"]) for one in tokens])
    emit(as_json, {"auth_id": account.id, "tokens": tokens}, text)
