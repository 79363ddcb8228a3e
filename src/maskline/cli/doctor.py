"""`maskline doctor`: is this installation able to carry calls, and if not, what to do about it.

What it is: one check a function, each giving lines (name, state, what was found, what to do). What it is not: a
repair; nothing is changed. States: `ok`, `warn` (works, but look at it), `fail` (will not work). Who uses it:
operators before and while `maskline serve` runs.
"""

from __future__ import annotations

import asyncio
import errno
import http.client
import ipaddress
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

from maskline import __version__
from maskline.cli.doctor_kernel import check_kernel
from maskline.cli.doctor_tls import check_certificates
from maskline.cli.doctor_trunks import check_trunks
from maskline.cli.output import JsonFlag, emit
from maskline.clock import SystemClock
from maskline.compiled import is_compiled
from maskline.errors import ConfigurationError, MasklineError
from maskline.media.port import PromptUnavailable
from maskline.media.programs import Programs
from maskline.media.prompts.build import build_speech
from maskline.media.speech.piper import read_voice
from maskline.media.speech.voice import choose_voice
from maskline.parts import ALL, Listener, Part, listener_of, name_of
from maskline.services import Services, opened_services
from maskline.setting_values import MediaChoice, SpeechChoice
from maskline.settings import Settings, load_settings, unknown_variables
from maskline.workflows.list_accounts import list_accounts
from maskline.workflows.list_numbers import list_numbers
from maskline.workflows.list_trunks import list_trunks

_PROBE_SECONDS = 2.0
_LONGEST_ANSWER = 65_536
_LEAST_FREE = 1e9
"""Bytes: fifteen hours of spooled calls."""
_LEAST_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    check: str
    state: str
    """ok, warn or fail."""
    found: str
    advice: str = ""
    """What to do; empty when all is well."""


def doctor(as_json: JsonFlag = False) -> None:
    """Check settings, database, key, ports, media, carriers and numbers; exit 1 if something will not work."""
    findings = list(examine(os.environ))
    failed = any(finding.state == "fail" for finding in findings)
    document = {
        "healthy": not failed,
        "checks": [
            {"check": one.check, "state": one.state, "found": one.found, "advice": one.advice} for one in findings
        ],
    }
    emit(as_json, document, "\n".join(_line(finding) for finding in findings))
    if failed:
        raise typer.Exit(1)


def _line(finding: Finding) -> str:
    first = f"{finding.state:<4}  {finding.check:<15}  {finding.found}"
    return f"{first}\n{'':<21}  → {finding.advice}" if finding.advice else first


def examine(environ: os._Environ[str] | dict[str, str]) -> Iterator[Finding]:
    """All checks in order; with wrong settings only that is reported, since all else depends on them."""
    try:
        settings = load_settings(environ)
    except ConfigurationError as error:
        yield Finding("settings", "fail", error.sentence, "Correct the variable.")
        return
    yield Finding("settings", "ok", "all values can be used")
    for name, nearest in unknown_variables(environ).items():
        advice = f"Did you mean {nearest}?" if nearest else "Remove it."
        yield Finding("settings", "warn", f"{name} is no setting", advice)
    yield _check_build()
    yield from check_key_file(settings)
    yield check_data_dir(settings)
    yield from check_space(settings)
    yield from asyncio.run(_check_store(settings))
    yield from check_ports(settings)
    yield from (Finding(*found) for found in check_kernel())
    yield from (Finding(*found) for found in check_certificates(settings, SystemClock().wall()))
    yield from check_media(settings)
    yield from asyncio.run(check_speech(settings))
    yield from check_exposure(settings)


def _check_build() -> Finding:
    return Finding("build", "ok", f"Maskline {__version__}, {'compiled' if is_compiled() else 'plain Python'}")


def check_key_file(settings: Settings) -> Iterator[Finding]:
    path = settings.key_file
    if not path.exists():
        yield Finding(
            "key file", "warn", f"{path} does not exist yet", "It is made at the first start; back it up then."
        )
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        yield Finding("key file", "warn", f"{path} may be read by others (mode {mode:04o})", f"chmod 600 {path}")
    elif not os.access(path, os.R_OK):
        yield Finding("key file", "fail", f"{path} cannot be read", "Run as the user that owns it.")
    else:
        yield Finding("key file", "ok", f"{path}, mode {mode:04o}")


def check_data_dir(settings: Settings) -> Finding:
    # The nearest directory that exists decides whether the rest can be made.
    path = settings.data_dir.absolute()
    nearest = next(parent for parent in (path, *path.parents) if parent.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Finding("data directory", "ok", str(settings.data_dir))
    return Finding(
        "data directory", "fail", f"{nearest} cannot be written to", "Change its owner or MASKLINE_DATA_DIR."
    )


def check_space(settings: Settings) -> Iterator[Finding]:
    """A full disk ends recordings, and the database takes nothing more."""
    path = settings.data_dir.absolute()
    used = shutil.disk_usage(next(parent for parent in (path, *path.parents) if parent.exists()))
    found = f"{used.free / 1e9:.1f} GB free, {100 * used.free / used.total:.0f} %"
    if used.free < max(_LEAST_FREE, _LEAST_SHARE * used.total):
        advice = "Make room, or shorten MASKLINE_RECORDING_RETENTION_DAYS: a full disk cuts recordings."
        yield Finding("disk space", "warn", found, advice)
    else:
        yield Finding("disk space", "ok", found)


async def _check_store(settings: Settings) -> list[Finding]:
    file = settings.database_file
    if file is not None and not file.exists():
        # Looking must not create: a doctor run in the wrong directory would leave a database behind.
        advice = "It is made at the first start. If you expected one, check MASKLINE_DATABASE_URL and the directory."
        return [Finding("database", "warn", f"{file} does not exist yet", advice)]
    try:
        async with opened_services(settings) as services:
            return [Finding("database", "ok", "opened, schema is current"), *await _check_contents(services)]
    except MasklineError as error:
        advice = "Check MASKLINE_DATABASE_URL and the file's owner." if file else "Check MASKLINE_DATABASE_URL."
        return [Finding("database", "fail", error.sentence, advice)]


async def _check_contents(services: Services) -> list[Finding]:
    accounts = await list_accounts(services.store)
    trunks = await list_trunks(services.store)
    numbers = sum([len(await list_numbers(services.store, account.id)) for account in accounts])
    return [
        _present("accounts", len(accounts), "maskline account create NAME"),
        _present("trunks", len(trunks), "maskline trunk add NAME --host IP"),
        *(Finding(*found) for found in check_trunks(trunks, services.settings)),
        _present("virtual numbers", numbers, "maskline number add +E164 --account ID"),
    ]


def _present(what: str, count: int, command: str) -> Finding:
    if count:
        return Finding(what, "ok", str(count))
    return Finding(what, "warn", "none", command)


def check_ports(settings: Settings) -> Iterator[Finding]:
    """Each port is free, or a running server of ours has it; on PostgreSQL that may be a process for each part."""
    processes = [ALL] if settings.database_file is not None else [ALL, {Part.ENGINE}, {Part.DELIVER}]
    engine = False
    for parts in processes:
        listener, check = listener_of(parts, settings), "http port" if parts is ALL else f"{name_of(parts)} port"
        served = _ask_health(listener, check)
        engine |= served is not None and served.state != "fail" and (parts is ALL or Part.ENGINE in parts)
        yield served or _check_port(check, socket.SOCK_STREAM, *listener)
    if engine:
        yield Finding("sip port", "ok", "belongs to the running server")
    else:
        for host in settings.sip_hosts:
            yield _check_port("sip port", socket.SOCK_DGRAM, host, settings.sip_port, "MASKLINE_SIP_PORT")


def _ask_health(listener: Listener, check: str) -> Finding | None:
    """What a server at an HTTP address of ours says of itself; None when nobody answers in HTTP."""
    host = f"[{listener.host}]" if ":" in listener.host else listener.host
    # Without proxies: one of the environment's would answer for us, with an error page.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{host}:{listener.port}/healthz", timeout=_PROBE_SECONDS) as reply:
            body = reply.read(_LONGEST_ANSWER)
    except urllib.error.HTTPError as error:
        with error:
            body = error.read(_LONGEST_ANSWER)
    except (OSError, http.client.HTTPException):
        return None
    found = _read_health(body, check)
    if found is not None:
        return found
    where = f"{listener.host}:{listener.port}"
    return Finding(check, "fail", f"{where}: another web server", f"Stop who has it, or set {listener.setting}.")


def _read_health(body: bytes, check: str) -> Finding | None:
    """The finding behind an answer of our /healthz; None when it is not ours."""
    try:
        answer = json.loads(body)
        status, version, parts = answer["status"], answer["version"], answer["parts"]
        broken = [f"{name}: {part['detail']}" for name, part in parts.items() if not part["ok"]]
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    if status == "ok":
        return Finding(check, "ok", f"served by Maskline {version}, all parts answer")
    reasons = "; ".join(broken) or answer.get("detail", "")
    return Finding(check, "warn", f"served by Maskline {version}, which is {status}", f"It says: {reasons}")


def _check_port(check: str, kind: socket.SocketKind, host: str, port: int, variable: str) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return Finding(check, "fail", f"{host}:{port}: {error.strerror}", f"Stop who has it, or set {variable}.")
    return Finding(check, "ok", f"{host}:{port} is free")


def check_media(settings: Settings) -> Iterator[Finding]:
    if settings.media is MediaChoice.NONE:
        yield Finding("media", "warn", "off: parties see each other's media address", "Set MASKLINE_MEDIA=embedded.")
    elif settings.media is MediaChoice.RTPENGINE:
        for host, port in settings.rtpengine_addresses:
            yield from _check_rtpengine(host, port)
        yield _check_recordings(settings.rtpengine_recordings)
    else:
        first, last = settings.media_port_range
        for host in settings.media_hosts:
            yield _check_embedded(host, first, last)


def _check_rtpengine(host: str, port: int) -> Iterator[Finding]:
    """One ng request: cookie, blank, bencoded dictionary (rtpengine's documentation, "The ng control protocol")."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    where = f"rtpengine at {host}:{port}"
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect((host, port))
            probe.send(b"doctor d7:command4:pinge")
            answered = b"pong" in probe.recv(4096)
            here = ipaddress.ip_address(probe.getpeername()[0]).is_loopback
        except OSError:
            answered = here = False
    if not answered:
        yield Finding("media", "fail", f"{where} does not answer", "Start it, or set MASKLINE_RTPENGINE.")
        return
    yield Finding("media", "ok", f"{where} answers")
    if here:
        yield from _check_version()
    try:
        socket.create_connection((host, port), _PROBE_SECONDS).close()
    except OSError:
        yield Finding(
            "digits", "warn", f"{where} takes no TCP connection: no digit is heard",
            f"Set listen-tcp-ng = {host}:{port} and dtmf-log-ng-tcp = true in its configuration.",
        )  # fmt: skip


def _check_version() -> Iterator[Finding]:
    """CVE-2025-53399: a stranger's packets are learned from and relayed. Fixed in 13.4.1.1 and by Debian."""
    program = shutil.which("rtpengine")
    if program is None:
        return
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=5.0, check=False)
    except (OSError, subprocess.SubprocessError):
        return
    found = re.search(r"Version: (\S+)", said.stdout + said.stderr)
    numbers = tuple(int(part) for part in re.findall(r"\d+", found[1])[:4]) if found else ()
    if found is None or not numbers or numbers >= (13, 4, 1, 1) or "+deb" in found[1]:
        return
    advice = "Take 13.4.1.1 or newer, or Debian's 10.5.3.5-1+deb12u1."
    yield Finding("media", "warn", f"rtpengine {found[1]} lets strangers into calls (CVE-2025-53399)", advice)


def _check_recordings(folder: Path) -> Finding:
    pcaps = folder / "pcaps"
    if os.access(pcaps, os.R_OK | os.W_OK | os.X_OK):
        return Finding("recordings", "ok", str(pcaps))
    advice = "Set MASKLINE_RTPENGINE_RECORDINGS to rtpengine's recording-dir, and let this user rename files in it."
    return Finding("recordings", "warn", f"{pcaps} is not there or not ours to change: nothing is recorded", advice)


def _check_embedded(host: str, first: int, last: int) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return Finding(
                    "media", "warn", f"{host} is no address of this machine: the relay listens on all it has",
                    "Right behind a 1:1 NAT that sends this address here; else set MASKLINE_MEDIA_HOST to one that is.",
                )  # fmt: skip
            return Finding("media", "fail", f"{host}: {error.strerror}", "Set MASKLINE_MEDIA_HOST to another address.")
    calls = (last - first + 1) // 4
    return Finding("media", "ok", f"embedded relay on {host}, ports {first}-{last}: room for {calls} calls")


async def check_speech(settings: Settings) -> list[Finding]:
    """Whether texts can be spoken; whoever plays files alone needs no speech."""
    if settings.speech is SpeechChoice.NONE:
        return [Finding("speech", "ok", "off: prompts are files")]
    programs = Programs(1)
    advice = (
        "apt-get install espeak-ng, or set MASKLINE_SPEECH=none."
        if settings.speech is SpeechChoice.ESPEAK
        else "pip install maskline[piper], and check MASKLINE_PIPER_VOICES."
    )
    engine = build_speech(settings, programs)
    try:
        # A word is spoken, since a program may be there and not its parts.
        voice = await choose_voice(engine, settings.speech_voice)
        await engine.render("ready", voice, 1.0)
    except PromptUnavailable as unavailable:
        if unavailable.reason == "unknown_voice":
            advice = "`maskline prompt voices` lists the voices; correct MASKLINE_SPEECH_VOICE."
        return [Finding("speech", "warn", f"{settings.speech}: {unavailable.reason}; texts are not spoken", advice)]
    finally:
        programs.close()
    return [Finding("speech", "ok", f"{settings.speech}, voice {voice.code}"), *_missing_voices(settings)]


def _missing_voices(settings: Settings) -> Iterator[Finding]:
    for path in settings.piper_voice_files:
        if read_voice("", path) is None:
            yield Finding(
                "speech", "warn", f"{path} is no voice that can be read", "It needs NAME.onnx.json beside it."
            )


def check_exposure(settings: Settings) -> Iterator[Finding]:
    """Settings that work but surprise people."""
    if settings.egress_networks:
        listed = ", ".join(str(network) for network in settings.egress_networks)
        yield Finding(
            "egress", "warn", f"webhooks and prompts may reach internal addresses: {listed}", "Keep the list short."
        )
    else:
        yield Finding("egress", "ok", "webhooks and prompts reach public addresses only")
    local = [
        name
        for name, hosts in (("SIP", settings.advertised_sip_hosts), ("media", settings.media_hosts))
        if all(host.startswith("127.") or host == "::1" for host in hosts)
    ]
    if local:
        yield Finding(
            "reachability", "warn", f"{' and '.join(local)}: only this machine can reach it",
            "Set MASKLINE_SIP_HOST and MASKLINE_MEDIA_HOST to the address your carrier sends to.",
        )  # fmt: skip
