"""What can be said of a trunk at the command line: one table for `trunk add` and `trunk set`.

What it is: the options' names, types and help, and how what was typed becomes fields of `TrunkWish`. What it is not:
checks (`workflows/check_trunk.py`). Who uses it: `cli/trunk.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from maskline.cli.context import read_secret_file
from maskline.cli.option_table import add_options
from maskline.masking.trunk import IdentityHeader, NumberFormat, Reliable, TrunkMedia

_Text = str | None
_Words = list[str] | None
_Count = int | None
_Switch = bool | None

AS_DIALLED = "auto"

OPTIONS: Mapping[str, Any] = {
    "port": Annotated[
        _Count,
        typer.Option("--port", help="Its SIP port; left out: by SRV, or the usual.", min=1, max=65535),
    ],
    "transport": Annotated[_Text, typer.Option("--transport", help="udp, tcp, tls; auto: what its domain offers.")],
    "username": Annotated[_Text, typer.Option("--username", help="For digest authentication, both ways.")],
    "password_file": Annotated[
        Path | None, typer.Option("--password-file", metavar="FILE", help="File holding the password.")
    ],
    "realm": Annotated[_Text, typer.Option("--realm", help="The only realm whose challenges are answered.")],
    "challenge": Annotated[
        _Switch, typer.Option("--challenge/--no-challenge", help="Its calls must prove user name and password.")
    ],
    "challenge_md5": Annotated[
        _Switch,
        typer.Option("--challenge-md5/--no-challenge-md5", help="Ask with MD5 alone: for peers that know no other."),
    ],
    "challenge_sha512": Annotated[
        _Switch,
        typer.Option(
            "--challenge-sha512/--no-challenge-sha512", help="Ask with SHA-512-256 first, then SHA-256 and MD5."
        ),
    ],
    "sources": Annotated[
        _Words,
        typer.Option(
            "--source", metavar="NETWORK", help="Network its calls come from, beside its host; may be repeated."
        ),
    ],
    "tls_name": Annotated[
        _Text, typer.Option("--tls-name", metavar="NAME", help="Name in its certificate; its host if left out.")
    ],
    "alias": Annotated[
        _Switch,
        typer.Option("--alias/--no-alias", help="Use its own connection (TCP, TLS) for requests to it (RFC 5923)."),
    ],
    "prefixes": Annotated[
        _Words,
        typer.Option("--prefix", metavar="PREFIX", help="E.164 prefix it may call, such as +65; may be repeated."),
    ],
    "account_id": Annotated[_Text, typer.Option("--account", metavar="ID", help="Only for calls of this account.")],
    "priority": Annotated[
        _Count, typer.Option("--priority", metavar="N", help="Lower goes first among equal prefixes; 0.")
    ],
    "weight": Annotated[_Count, typer.Option("--weight", metavar="N", help="Share among those of one priority; 1.")],
    "calls_per_second": Annotated[
        float | None,
        typer.Option("--calls-per-second", metavar="N", help="More are refused, or sent elsewhere; 0: no limit."),
    ],
    "concurrent": Annotated[
        _Count, typer.Option("--concurrent", metavar="N", help="Calls at a time, of both directions; 0: no limit.")
    ],
    "nat": Annotated[
        _Switch, typer.Option("--nat/--no-nat", help="It is behind one: audio and dialogs go where its own come from.")
    ],
    "media": Annotated[
        TrunkMedia | None,
        typer.Option("--media", help="What those dialled through it are offered; srtp needs rtpengine."),
    ],
    "codecs": Annotated[
        _Words,
        typer.Option("--codec", metavar="CODEC", help="Codec it is offered, best first; may be repeated."),
    ],
    "headers": Annotated[
        list[IdentityHeader] | None,
        typer.Option(
            "--header",
            metavar="HEADER",
            help="from, pai, rpid or diversion: carries the virtual number; may be repeated.",
        ),
    ],
    "number_format": Annotated[
        NumberFormat | None, typer.Option("--number-format", help="How numbers are written to it.")
    ],
    "country_code": Annotated[
        _Text,
        typer.Option("--country-code", metavar="CODE", help="Such as +65: whose national numbers it writes and reads."),
    ],
    "national_prefix": Annotated[
        _Text,
        typer.Option(
            "--national-prefix", metavar="DIGITS", help="In the place of the country code; auto: as its country dials."
        ),
    ],
    "international_prefix": Annotated[
        _Text,
        typer.Option(
            "--international-prefix",
            metavar="DIGITS",
            help="Before other countries' numbers; auto: as its country dials.",
        ),
    ],
    "dial_prefix": Annotated[
        _Text, typer.Option("--dial-prefix", metavar="DIGITS", help="Digits before the dialled number.")
    ],
    "privacy": Annotated[
        _Switch, typer.Option("--privacy/--no-privacy", help="Ask it not to show the number (Privacy: id).")
    ],
    "from_domain": Annotated[
        _Text,
        typer.Option("--from-domain", metavar="NAME", help="Behind the @ in From; our address if left out."),
    ],
    "redirects": Annotated[
        _Switch, typer.Option("--redirects/--no-redirects", help="Follow its 3xx to its own addresses.")
    ],
    "reliable": Annotated[Reliable | None, typer.Option("--reliable", help="Reliable provisional responses (100rel).")],
    "session_seconds": Annotated[
        _Count,
        typer.Option(
            "--session-seconds",
            metavar="SECONDS",
            help="Session timer asked for (RFC 4028), from 90; 0: none; 1800.",
        ),
    ],
    "options_seconds": Annotated[
        _Count,
        typer.Option(
            "--options-seconds",
            metavar="SECONDS",
            help="Seconds between health checks by OPTIONS, from 5; 0: none.",
        ),
    ],
}
"""By field of `TrunkWish`; None where nothing is said."""


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command`, which takes them as `**said`, all of `OPTIONS`."""
    return add_options(command, OPTIONS)


def read_said(said: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `TrunkWish` that were spoken of. An empty word clears a list, and an empty account makes the trunk
    everybody's. Raises `InvalidParameter` for a password file that cannot be read."""
    fields = {name: value for name, value in said.items() if value is not None and value != []}
    for name, value in fields.items():
        if isinstance(value, list):
            fields[name] = tuple(word for word in value if word)
    if "password_file" in fields:
        fields["password"] = read_secret_file(fields.pop("password_file"), "--password-file")
    for name in ("national_prefix", "international_prefix"):
        if fields.get(name) == AS_DIALLED:
            fields[name] = None
    if "account_id" in fields:
        fields["account_id"] = fields["account_id"] or None
    return fields
