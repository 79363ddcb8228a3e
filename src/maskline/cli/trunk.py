"""`maskline trunk`: carrier connections."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from maskline.cli.context import read_secret_file, run
from maskline.cli.output import JsonFlag, emit, pairs, table, warn
from maskline.masking.trunk import Trunk, TrunkMedia
from maskline.services import Services
from maskline.setting_values import MediaChoice
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.list_trunks import list_trunks
from maskline.workflows.remove_trunk import remove_trunk

app = typer.Typer(name="trunk", help="Trunks: the carriers calls come from and go to.", no_args_is_help=True)


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="A name for people, unique.")],
    host: Annotated[str, typer.Option("--host", help="IP address of the carrier's SIP server.")],
    port: Annotated[int, typer.Option("--port", help="Its SIP port.", min=1, max=65535)] = 5060,
    transport: Annotated[str, typer.Option("--transport", help="udp; tcp and tls come later.")] = "udp",
    username: Annotated[str, typer.Option("--username", help="For digest authentication; comes later.")] = "",
    password_file: Annotated[Path | None, typer.Option("--password-file", help="File holding the password.")] = None,
    prefix: Annotated[
        list[str] | None, typer.Option("--prefix", help="E.164 prefix it may call, such as +65; may be repeated.")
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="ID", help="Only for calls of this account.")
    ] = None,
    nat: Annotated[
        bool, typer.Option("--nat", help="Its audio may come from another address than its SDP says.")
    ] = False,
    media: Annotated[
        TrunkMedia, typer.Option("--media", help="What those dialled through it are offered; srtp needs rtpengine.")
    ] = TrunkMedia.PLAIN,
    as_json: JsonFlag = False,
) -> None:
    """Add a trunk; a running server takes it up within seconds."""
    wish = TrunkWish(
        name=name, host=host, port=port, transport=transport, username=username,
        password=read_secret_file(password_file, "--password-file"),
        prefixes=tuple(prefix or ()), account_id=account, nat=nat, media=media,
    )  # fmt: skip

    async def work(services: Services) -> Trunk:
        able = replace(wish, encrypts=services.settings.media is MediaChoice.RTPENGINE)
        return await add_trunk(services.store, services.clock, services.ids, able)

    added = describe(run(work))
    if username:
        # Stored for the version that answers challenges; a carrier that sends one today ends the call.
        warn("digest authentication is not answered by this version: the carrier must trust this host's address.")
    emit(as_json, added, pairs(added))


@app.command("list")
def list_(as_json: JsonFlag = False) -> None:
    """List trunks."""

    async def work(services: Services) -> list[Trunk]:
        return await list_trunks(services.store)

    trunks = run(work)
    rows = [
        (t.name, f"{t.host}:{t.port}", t.transport, t.prefixes or "any", t.account_id or "all", t.nat, t.media)
        for t in trunks
    ]
    empty = "No trunk yet. Add one: maskline trunk add NAME --host IP"
    text = table(("name", "address", "transport", "may call", "account", "nat", "media"), rows, empty)
    emit(as_json, {"trunks": [describe(trunk) for trunk in trunks]}, text)


@app.command("remove")
def remove(name: Annotated[str, typer.Argument(help="Its name.")], as_json: JsonFlag = False) -> None:
    """Remove a trunk; calls in progress go on."""

    async def work(services: Services) -> None:
        await remove_trunk(services.store, name)

    run(work)
    emit(as_json, {"removed": name}, f"Trunk {name} removed.")


def describe(trunk: Trunk) -> dict[str, Any]:
    return {
        "id": trunk.id,
        "name": trunk.name,
        "host": trunk.host,
        "port": trunk.port,
        "transport": trunk.transport,
        "username": trunk.username,
        "prefixes": list(trunk.prefixes),
        "account_id": trunk.account_id,
        "nat": trunk.nat,
        "media": trunk.media.value,
    }
