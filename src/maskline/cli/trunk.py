"""`maskline trunk`: carrier connections."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from maskline.cli.context import run
from maskline.cli.output import JsonFlag, emit, pairs, show_time, table
from maskline.cli.trunk_options import read_said, with_options
from maskline.masking.trunk import Trunk
from maskline.services import Services
from maskline.setting_values import MediaChoice
from maskline.settings import load_settings
from maskline.sip.uri import bracketed
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.list_trunks import list_trunks
from maskline.workflows.remove_trunk import remove_trunk
from maskline.workflows.set_trunk import find_trunk, set_trunk
from maskline.workflows.trunk_report import Live, read_live

app = typer.Typer(name="trunk", help="Trunks: the carriers calls come from and go to.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(help="Its name.")]


@app.command("add")
@with_options
def add(
    name: Annotated[str, typer.Argument(help="A name for people, unique.")],
    host: Annotated[str, typer.Option("--host", help="Address or name of its SIP server.")],
    as_json: JsonFlag = False,
    **said: Any,
) -> None:
    """Add a trunk; a running server takes it up within seconds."""
    fields = read_said(said)

    async def work(services: Services) -> Trunk:
        wish = TrunkWish(name=name, host=host, encrypts=_encrypts(services), **fields)
        return await add_trunk(services.store, services.clock, services.ids, wish)

    _show_written(run(work), as_json)


@app.command("set")
@with_options
def set_(
    name: _Name,
    host: Annotated[str | None, typer.Option("--host", help="Address or name of its SIP server.")] = None,
    as_json: JsonFlag = False,
    **said: Any,
) -> None:
    """Change a trunk; what is not named stays. Calls in progress go on as they are."""
    fields = read_said({"host": host, **said})

    async def work(services: Services) -> Trunk:
        return await set_trunk(services.store, name, fields, encrypts=_encrypts(services))

    _show_written(run(work), as_json)


@app.command("show")
def show(name: _Name, as_json: JsonFlag = False) -> None:
    """Show all that is said of a trunk, but never its password; with a running server also its addresses."""

    async def work(services: Services) -> Trunk:
        return await find_trunk(services.store, name)

    trunk = run(work)
    addresses = _addresses(trunk, read_live(load_settings().engine_dir))
    told = [_told(one, trunk) for one in addresses] if addresses is not None else None
    found = describe(trunk)
    emit(as_json, {**found, "addresses": addresses}, pairs({**found, "addresses": told}))


@app.command("list")
def list_(as_json: JsonFlag = False) -> None:
    """List trunks; with a running server also whether they answer."""

    async def work(services: Services) -> list[Trunk]:
        return await list_trunks(services.store)

    trunks, live = run(work), read_live(load_settings().engine_dir)
    rows = [
        (t.name, _address(t), t.transport, _state(t, live), t.prefixes or "any", t.account_id or "all", t.priority,
         t.weight, t.nat, t.media)
        for t in trunks
    ]  # fmt: skip
    empty = "No trunk yet. Add one: maskline trunk add NAME --host IP"
    headings = ("name", "address", "transport", "state", "may call", "account", "priority", "weight", "nat", "media")
    document = {"trunks": [{**describe(trunk), "addresses": _addresses(trunk, live)} for trunk in trunks]}
    emit(as_json, document, table(headings, rows, empty))


@app.command("remove")
def remove(name: _Name, as_json: JsonFlag = False) -> None:
    """Remove a trunk; calls in progress go on."""

    async def work(services: Services) -> None:
        await remove_trunk(services.store, name)

    run(work)
    emit(as_json, {"removed": name}, f"Trunk {name} removed.")


def _address(trunk: Trunk) -> str:
    host = bracketed(trunk.host)
    return f"{host}:{trunk.port}" if trunk.port else host


def _addresses(trunk: Trunk, live: Live | None) -> list[dict[str, Any]] | None:
    """None: no server tells."""
    if live is None or trunk.id not in live:
        return None
    return [{**asdict(one), "since": show_time(one.since)} for one in live[trunk.id]]


def _told(one: dict[str, Any], trunk: Trunk) -> str:
    since = f" since {one['since']}" if one["since"] else ""
    status = f" ({one['status']})" if one["status"] else ""
    return f"{one['address']} {_word(one['state'], trunk)}{since}{status}"


def _word(state: str, trunk: Trunk) -> str:
    """A state as people read it."""
    if state != "unchecked":
        return state
    return "no answer yet" if trunk.options_seconds else "not checked"


def _state(trunk: Trunk, live: Live | None) -> str:
    """In one word or a few, of all its addresses."""
    found = None if live is None else live.get(trunk.id)
    if found is None:
        return ""
    if not found:
        return "no address"
    words = [_word(one.state, trunk) for one in found]
    states = set(words)
    if len(states) > 1:
        return ", ".join(f"{words.count(state)} {state}" for state in sorted(states))
    since = max((one.since or 0.0 for one in found), default=0.0)
    return f"down since {show_time(since)}" if states == {"down"} and since else states.pop()


def _encrypts(services: Services) -> bool:
    return services.settings.media is MediaChoice.RTPENGINE


def _show_written(trunk: Trunk, as_json: bool) -> None:
    written = describe(trunk)
    emit(as_json, written, pairs(written))


def describe(trunk: Trunk) -> dict[str, Any]:
    """The JSON form. Of the password it tells only whether there is one."""
    look, limits = trunk.presentation, trunk.limits
    return {
        "id": trunk.id,
        "name": trunk.name,
        "host": trunk.host,
        "port": trunk.port,
        "transport": trunk.transport,
        "sources": list(trunk.sources),
        "username": trunk.username,
        "has_password": bool(trunk.password),
        "realm": trunk.realm,
        "challenge": trunk.challenge,
        "challenge_md5": trunk.challenge_md5,
        "challenge_sha512": trunk.challenge_sha512,
        "tls_name": trunk.tls_name,
        "alias": trunk.alias,
        "prefixes": list(trunk.prefixes),
        "account_id": trunk.account_id,
        "priority": trunk.priority,
        "weight": trunk.weight,
        "calls_per_second": limits.calls_per_second,
        "concurrent": limits.concurrent,
        "nat": trunk.nat,
        "media": trunk.media.value,
        "codecs": list(trunk.codecs),
        "headers": [header.value for header in look.headers],
        "number_format": look.number_format.value,
        "country_code": look.country_code,
        "national_prefix": look.national_prefix,
        "international_prefix": look.international_prefix,
        "dial_prefix": look.dial_prefix,
        "privacy": look.privacy,
        "from_domain": look.from_domain,
        "redirects": trunk.redirects,
        "reliable": trunk.reliable.value,
        "session_seconds": trunk.session_seconds,
        "options_seconds": trunk.options_seconds,
    }
