"""`maskline session`: masking sessions, as the API makes them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from maskline.api.plivo.attributes import BY_KEY
from maskline.cli.context import chosen_accounts, find_in_accounts, run
from maskline.cli.output import AccountOption, JsonFlag, RevealFlag, emit, pairs, show_number, show_time, table
from maskline.errors import InvalidParameter
from maskline.logs import mask_text
from maskline.masking.e164 import parse_number
from maskline.masking.price import amount_text
from maskline.masking.session import Role, Session, SessionOptions
from maskline.services import Services
from maskline.settings import load_settings
from maskline.storage.filters import SessionFilter
from maskline.workflows.check_url import url_fault
from maskline.workflows.create_session import CreateSession, SessionWish
from maskline.workflows.expire_session import expire_session
from maskline.workflows.find_account import find_account
from maskline.workflows.get_session import get_session
from maskline.workflows.list_sessions import list_sessions
from maskline.workflows.scope import Scope

app = typer.Typer(name="session", help="Masking sessions: who reaches whom through which number.", no_args_is_help=True)

_MINUTE, _DAY = BY_KEY["session_expiry"].minimum, BY_KEY["session_expiry"].maximum
"""The ranges of the API, which has the same two for the limit of a call."""
AccountFilter = Annotated[str | None, typer.Option("--account", metavar="ID", help="Only of this account.")]


@app.command("create")
def create(
    first: Annotated[str, typer.Argument(help="First party's number, E.164.")],
    second: Annotated[str, typer.Argument(help="Second party's number, E.164.")],
    account: AccountOption,
    subaccount: Annotated[
        str | None, typer.Option("--subaccount", metavar="ID", help="Use only this one's virtual numbers.")
    ] = None,
    expiry: Annotated[
        int | None, typer.Option("--expiry", min=_MINUTE, max=_DAY, help="Seconds until it ends.")
    ] = None,
    call_time_limit: Annotated[
        int | None,
        typer.Option("--call-time-limit", min=_MINUTE, max=_DAY, help="Seconds a call lasts."),
    ] = None,
    ring_timeout: Annotated[
        int | None, typer.Option("--ring-timeout", min=1, max=3_600, help="Seconds to ring.")
    ] = None,
    callback_url: Annotated[str, typer.Option("--callback-url", help="Receives the session's events.")] = "",
    reveal: RevealFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Create a session; a virtual number is chosen for it."""
    if callback_url and (fault := url_fault(callback_url)):
        raise InvalidParameter(f"--callback-url {fault}, like https://host[:port]/path.")
    default_expiry, default_limit, default_ring = load_settings().default_times
    options = SessionOptions(
        session_expiry=expiry or default_expiry,
        call_time_limit=call_time_limit or default_limit,
        ring_timeout=ring_timeout or default_ring,
        callback_url=callback_url,
    )
    wish = SessionWish(
        parse_number(first, parameter="FIRST"), parse_number(second, parameter="SECOND"), options,
        subaccount_id=subaccount,
    )  # fmt: skip

    async def work(services: Services) -> Session:
        owner = await find_account(services.store, account)
        return await CreateSession(services.store, services.clock, services.ids)(Scope.of(owner), wish)

    session = run(work)
    made = describe(session, session.created_at, reveal)
    emit(as_json, made, _page(made))


@app.command("list")
def list_(
    account: AccountFilter = None,
    status: Annotated[
        str, typer.Option("--status", help="active, in-progress (only those with a call up), expired or all.")
    ] = "all",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most this many.")] = 20,
    reveal: RevealFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """List sessions, newest first."""
    if status not in ("active", "in-progress", "expired", "all"):
        raise InvalidParameter("--status must be active, in-progress, expired or all.")

    async def work(services: Services) -> tuple[list[dict[str, Any]], int]:
        found: list[Session] = []
        total = 0
        for owner in await chosen_accounts(services, account):
            scope = Scope.of(await find_account(services.store, owner))
            page, count = await list_sessions(
                services.store, services.clock, scope, SessionFilter(status=status), limit=limit, offset=0
            )
            found, total = found + page, total + count
        newest = sorted(found, key=lambda one: one.created_at, reverse=True)[:limit]
        return [describe(one, services.clock.wall(), reveal) for one in newest], total

    shown, total = run(work)
    keys = ("session_id", "first_party", "virtual_number", "second_party", "status", "expires_at", "total_call_count")
    text = table([key.replace("_", " ") for key in keys], [[one[key] for key in keys] for one in shown], "No session.")
    if total > len(shown):
        text += f"\n{len(shown)} of {total} shown."
    emit(as_json, {"sessions": shown, "total": total}, text)


@app.command("show")
def show(
    session_id: Annotated[str, typer.Argument(help="Id of the session.")],
    account: AccountFilter = None,
    reveal: RevealFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Show one session and the calls in it."""

    async def work(services: Services) -> dict[str, Any]:
        return describe(await _find(services, account, session_id), services.clock.wall(), reveal)

    found = run(work)
    emit(as_json, found, _page(found))


@app.command("expire")
def expire(
    session_id: Annotated[str, typer.Argument(help="Id of the session.")],
    account: AccountFilter = None,
    reveal: RevealFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """End a session now; a call in progress goes on."""

    async def work(services: Services) -> dict[str, Any]:
        session = await _find(services, account, session_id)
        ended = await expire_session(services.store, services.clock, Scope(session.account_id), session_id)
        return describe(ended, services.clock.wall(), reveal)

    ended = run(work)
    emit(as_json, ended, _page(ended))


async def _find(services: Services, account: str | None, session_id: str) -> Session:
    async def look_up(owner: str) -> Session:
        return await get_session(services.store, Scope.of(await find_account(services.store, owner)), session_id)

    return await find_in_accounts(services, account, "session", look_up)


def describe(session: Session, wall: float, reveal: bool) -> dict[str, Any]:
    """The JSON form: parties masked unless revealed; `wall` decides the status."""
    return {
        "session_id": session.id,
        "account_id": session.account_id,
        "subaccount_id": session.subaccount_id,
        "status": session.status(wall),
        "first_party": show_number(session.first_party, reveal),
        "second_party": show_number(session.second_party, reveal),
        "virtual_number": session.virtual_number.e164,
        "second_virtual_number": session.number_of(Role.SECOND).e164,
        "pool_mode": session.pool_mode,
        "created_at": show_time(session.created_at),
        "expires_at": show_time(session.expires_at),
        "ended_at": show_time(session.ended_at),
        "call_time_limit": session.options.call_time_limit,
        "ring_timeout": session.options.ring_timeout,
        "callback_url": mask_text(session.options.callback_url),
        "total_call_count": session.total_call_count,
        "total_session_amount": amount_text(session.amount + session.total_call_amount),
        "interactions": [
            {
                "call_id": one.call_id,
                "started_at": show_time(one.started_at),
                "ended_at": show_time(one.ended_at),
                "caller": one.caller,
                "duration": one.duration,
                "amount": amount_text(one.amount),
            }
            for one in session.interactions
        ],
    }


def _page(shown: dict[str, Any]) -> str:
    head = pairs({key: value for key, value in shown.items() if key != "interactions"})
    calls = shown["interactions"]
    if not calls:
        return head
    return head + "\n\n" + table([key.replace("_", " ") for key in calls[0]], [list(call.values()) for call in calls])
