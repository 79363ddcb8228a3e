"""`maskline lab`: tools for trying Maskline out beside a running server, and made-up traffic to plan with.

Who uses it: people who move an application to Maskline. The lab is imported inside the commands: no other needs it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskline.cli.context import read_secret_file
from maskline.cli.output import JsonFlag, emit
from maskline.cli.serve import Signals
from maskline.errors import ConfigurationError, InvalidParameter
from maskline.settings import load_settings

if TYPE_CHECKING:
    from maskline.lab.vca_map import Map

app = typer.Typer(name="lab", help="Tools for trying Maskline out beside a running server.", no_args_is_help=True)

_TOLD = """\
{hosts} are led to {to}; end with Ctrl-C.
HTTPS proxy for the vendor's client: {proxy}
Certificate authority to trust:      {authority}"""
_APPLICATION = """\
The sample application takes all 8x8 and Wavecell webhooks at {url}; end with Ctrl-C.
maskline webhook set eight.call_action {url}/vca --account ID"""


@app.command("proxy")
def proxy(
    to: Annotated[
        str | None, typer.Option("--to", metavar="HOST:PORT", help="The server's HTTP side; default: as configured.")
    ] = None,
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where the proxy is.")
    ] = "127.0.0.1:8443",
    host: Annotated[
        list[str] | None, typer.Option("--host", help="Host name to lead here; may be repeated. Default: the vendors'.")
    ] = None,
    authority: Annotated[
        Path, typer.Option("--authority", metavar="FILE", help="Where the certificate to trust is written.")
    ] = Path("maskline-lab-authority.pem"),
    as_json: JsonFlag = False,
) -> None:
    """Lead an unmodified client of Plivo or VTS to this server, by the client's own proxy option."""
    settings = load_settings()
    target = _address(to, "--to") if to else (settings.http_host, settings.http_port)
    asyncio.run(_serve(target, _address(listen, "--listen"), host, authority.resolve(), as_json))


@app.command("vca")
def vca(
    table: Annotated[
        Path, typer.Option("--map", metavar="FILE", help="JSON: pairs of parties, menus, words to all others.")
    ],
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where the application is; port 0: any that is free.")
    ] = "127.0.0.1:8099",
    inbox: Annotated[
        bool, typer.Option("--inbox", help="Keep the latest 1000 events and show them at GET /inbox.")
    ] = False,
    authorization_file: Annotated[
        Path | None,
        typer.Option("--authorization-file", help="File with the Authorization that requests must have."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Answer Voice Call Action from a table, as a customer's application would, and tell of each event."""
    from maskline.lab.vca_map import read_map

    try:
        text = table.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidParameter(f"The file of --map cannot be read: {error.__class__.__name__}.") from None
    authorization = read_secret_file(authorization_file, "--authorization-file")
    place = _address(listen, "--listen")
    asyncio.run(_answer(read_map(text), place, authorization, inbox, as_json))


@app.command("workload")
def workload(
    name: Annotated[
        str,
        typer.Argument(help="ride, food, marketplace, dense-60, dense-200, dense-40, adversary-10 or adversary-20."),
    ],
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same sessions.")] = 1,
) -> None:
    """Print the session log of a made-up day, one JSON object a line, as `pool plan --from` reads it."""
    from maskline.lab.workloads import WORKLOADS
    from maskline.masking.traffic_log import write_row

    if name not in WORKLOADS:
        raise InvalidParameter(f"NAME must be one of {', '.join(WORKLOADS)}.")
    for row in WORKLOADS[name].rows(seed):
        typer.echo(write_row(row))


async def _serve(
    target: tuple[str, int], listen: tuple[str, int], hosts: list[str] | None, authority: Path, as_json: bool
) -> None:
    from maskline.lab.proxy import VENDOR_HOSTS, Proxy

    hosts = hosts or list(VENDOR_HOSTS)
    served, signals = Proxy(target, hosts), Signals()
    try:
        await served.open(*listen)
        # Not before it listens: a proxy that runs already may have its own authority in this file.
        await asyncio.to_thread(authority.write_bytes, served.authority)
        document = {
            "proxy": served.url, "authority": str(authority), "hosts": hosts, "to": f"{target[0]}:{target[1]}"
        }  # fmt: skip
        emit(as_json, document, _TOLD.format(**{**document, "hosts": ", ".join(hosts)}))
        await signals.first.wait()
    except OSError as error:
        place = f"{listen[0]}:{listen[1]} or {authority}"
        raise ConfigurationError(
            f"The lab's proxy cannot use {place}: {error.strerror} (--listen, --authority)."
        ) from None
    finally:
        await served.close()
        signals.restore()


async def _answer(table: Map, listen: tuple[str, int], authorization: str, inbox: bool, as_json: bool) -> None:
    from maskline.lab.vca import SampleApplication

    def tell(line: str) -> None:
        if not as_json:
            typer.echo(line)

    sample, signals = SampleApplication(table, tell, authorization=authorization, keeps_events=inbox), Signals()
    try:
        await sample.open(*listen)
        document = {"url": sample.url, "pairs": len(table.routes) // 2, "menus": len(table.menus), "inbox": inbox}
        emit(as_json, document, _APPLICATION.format(url=sample.url))
        await signals.first.wait()
    except OSError as error:
        where = f"{listen[0]}:{listen[1]}"
        raise ConfigurationError(f"The sample application cannot use {where}: {error.strerror} (--listen).") from None
    finally:
        await sample.close()
        signals.restore()


def _address(text: str, option: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise InvalidParameter(f"{option} takes an address like 127.0.0.1:8443.")
    return host, int(port)
