"""A baresip of the test's own (Debian: baresip-core): a telephone nobody here wrote, steered over its control port.

What it is: one process with one line on loopback, without a registrar; it speaks a WAV file, keeps what it heard and
what it said as WAV files, dials, answers, presses keys and tells what happens to it. What it is not: fit for loss or
for several calls at a time. Who uses it: `tests/support/heard_field.py`.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from maskline.lab.likeness import Match, Search, find
from maskline.lab.sound import RATE, Samples, silence, write_wav

_CONFIG = """\
sip_listen {host}:{port}
call_local_timeout 120
call_max_calls 1
audio_source aufile,{folder}/say.wav
audio_player aubridge,nobody
audio_alert none
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_txmode poll
rtp_ports {rtp}-{rtp_end}
rtcp_mux no
jitter_buffer_type fixed
jitter_buffer_delay 5-10
net_interface {host}
module_path /usr/lib/baresip/modules
module aubridge.so
module g711.so
module aufile.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:{control}
snd_path {folder}
"""
_ACCOUNT = "<sip:{number}@{host}:{port}{over}>;regint=0;audio_codecs={codecs};answermode={mode}{security}{login}\n"
_TLS = """\
sip_certificate {certificate}
sip_cafile {authority}
"""
_SECURITIES = {
    "": ("", ()),
    "sdes": (";mediaenc=srtp-mand", ("srtp",)),
    "dtls": (";mediaenc=dtls_srtp;medianat=ice", ("dtls_srtp", "ice")),
}
"""Parameters of the account and modules."""
_WAV_HEAD = 44
REAL_TIME = ("chrt", "--rr", "1")
"""Before a command: a telephone has a processor of its own, and what it says and hears must not waver with the machine.
Root may."""


class TlsIdentity(NamedTuple):
    """Of a telephone that speaks TLS, one port above its own."""

    certificate: Path
    """With its key."""
    authority: Path
    user: str = ""
    password: str = ""


class Baresip:
    """One telephone at `port` (SIP) to `port` + 2 (control). `number` in E.164, `voice` what it says as soon as it
    talks; it hangs up at the end of it.
    `security`: none, `sdes` (RTP/SAVP) or `dtls` (with ICE, as browsers do it)."""

    def __init__(
        self, folder: Path, number: str, port: int, rtp: int, voice: Samples,
        *, codecs: str = "PCMU", answers: bool = True, security: str = "",
        host: str = "127.0.0.1", tls: TlsIdentity | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.number, self.host, self.port, self.rtp = folder, number, host, port, rtp
        self.voice = voice
        self._control_port = port + 2
        folder.mkdir()
        write_wav(folder / "say.wav", voice)
        (folder / "config").write_text(
            _CONFIG.format(
                host=self.host, port=port, folder=folder, rtp=rtp, rtp_end=rtp + 10, control=self._control_port
            )
        )
        parameters, modules = _SECURITIES[security]
        with (folder / "config").open("a") as config:
            config.writelines(f"module {name}.so\n" for name in modules)
            if tls is not None:
                config.write(_TLS.format(certificate=tls.certificate, authority=tls.authority))
        names = ",".join(f"{name}/8000/1" for name in codecs.split(","))
        mode = "auto" if answers else "manual"
        (folder / "accounts").write_text(
            _ACCOUNT.format(
                number=number,
                host=self.host,
                port=port,
                codecs=names,
                mode=mode,
                security=parameters,
                over=";transport=tls" if tls else "",
                login=f";auth_user={tls.user};auth_pass={tls.password}" if tls and tls.user else "",
            )
        )
        self.events: list[dict[str, Any]] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._unread = b""

    # -- process ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Returns when it listens."""
        with (self.folder / "out").open("wb") as out:
            self._process = subprocess.Popen(
                [*REAL_TIME, "baresip", "-s", "-f", str(self.folder)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 30.0
        while self._control is None:
            assert self._process.poll() is None, self.story()
            assert time.monotonic() < deadline, self.story()
            try:
                self._control = socket.create_connection((self.host, self._control_port), 1.0)
            except ConnectionRefusedError:
                time.sleep(0.02)

    def stop(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(3.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def sip_seen(self) -> bytes:
        """All messages it sent and got, among what else it printed."""
        return (self.folder / "out").read_bytes()

    def story(self) -> str:
        """What it printed and told, for a failing test."""
        told = [f"{event.get('type')} {event.get('param', '')}" for event in self.events]
        printed = re.sub(r"(\[\d+:\d+:\d+\] audio=\S+ \(bit/s\)\s*)+", "", self._printed)
        return "\n".join([self.number, *told, printed[-3000:]])

    # -- what a person does ---------------------------------------------------------------------------------------

    def dial(self, number: str, through: tuple[str, int]) -> None:
        self._command("dial", f"sip:{number}@{through[0]}:{through[1]}")

    def answer(self) -> None:
        self._command("accept")

    def hang_up(self) -> None:
        self._command("hangup")

    def hold(self) -> None:
        self._command("hold")

    def resume(self) -> None:
        self._command("resume")

    def press(self, digits: str) -> None:
        """As telephone-events, one after another."""
        for digit in digits:
            self._command("sndcode", digit)
            time.sleep(0.15)  # how long a finger stays on a key

    # -- what happens to it -----------------------------------------------------------------------------------------

    def wait_for(self, kind: str, within: float = 30.0) -> dict[str, Any]:
        """The first event of this type, e.g. CALL_RINGING, CALL_ESTABLISHED, CALL_CLOSED."""
        deadline = time.monotonic() + within
        while True:
            for event in self.events:
                if event.get("type") == kind:
                    return event
            assert time.monotonic() < deadline, f"no {kind} within {within} s:\n{self.story()}"
            self._read(0.1)

    def has(self, kind: str) -> bool:
        """Whether there was such an event up to now."""
        self._read(0.0)
        return any(event.get("type") == kind for event in self.events)

    @property
    def was_called(self) -> bool:
        """Whether any call reached it up to now, also one it took by itself."""
        self._read(0.0)
        return any(str(event.get("type")).startswith("CALL_") for event in self.events)

    @property
    def pressed_at_it(self) -> str:
        """Digits the far side pressed, as they were shown."""
        return "".join(re.findall(r"received event: '(.)' \(end=1\)", self._printed))

    @property
    def media_port(self) -> int:
        """Where it hears, by its own last SDP."""
        sent = rf"^UDP {re.escape(self.host)}:{self.port} -> (?:(?!^UDP ).)*?^m=audio (\d+)"
        return int(re.findall(sent, self._printed, re.M | re.S)[-1])

    @property
    def keys_seen(self) -> set[str]:
        """SDES keys in all SIP it sent and received; of an encrypted telephone."""
        return set(re.findall(r"inline:([A-Za-z0-9+/=]+)", self._printed))

    @property
    def _printed(self) -> str:
        return (self.folder / "out").read_text(errors="replace")

    @property
    def heard(self) -> Samples:
        """What it decoded so far, from the moment it had media."""
        return self._kept("dec")

    @property
    def said(self) -> Samples:
        """What it handed to its encoder so far."""
        return self._kept("enc")

    def wait_to_hear(self, sound: Samples, within: float = 30.0) -> Match:
        """As soon as it has heard `sound` to its end; fails when it does not."""
        deadline = time.monotonic() + within
        search = Search(sound)
        while True:
            match = search.look(self.heard)
            if match.heard:
                return match
            assert time.monotonic() < deadline, f"likeness {match.likeness:.2f} after {within} s:\n{self.story()}"
            self._read(0.1)

    def wait_to_hear_talk(self, talk: Samples, within: float = 45.0) -> None:
        """As soon as the latest second that it heard, of what comes from now on, is one of `talk`, whichever: on a
        loaded machine nobody knows how long somebody has been talking when two are connected."""
        deadline, begun = time.monotonic() + within, len(self.heard)
        while True:
            heard = self.heard
            begun = min(begun, len(heard))  # a new dump begins when the codec changes
            latest = heard[begun:][-RATE:]
            match = find(latest, talk) if len(latest) == RATE else None
            if match is not None and match.heard:
                return
            assert time.monotonic() < deadline, f"{match} after {within} s:\n{self.story()}"
            self._read(0.5)

    def _kept(self, kind: str) -> Samples:
        files = sorted(self.folder.glob(f"dump-*-{kind}.wav"))
        if not files:
            return silence(0)
        data = files[-1].read_bytes()[_WAV_HEAD:]
        return np.frombuffer(data[: len(data) // 2 * 2], np.dtype("<i2")).astype(np.int16)

    # -- control port: JSON in netstrings ---------------------------------------------------------------------------

    def _command(self, command: str, parameter: str = "") -> None:
        assert self._control is not None
        text = json.dumps({"command": command, "params": parameter, "token": command}).encode()
        self._control.sendall(b"%d:%s," % (len(text), text))

    def _read(self, seconds: float) -> None:
        assert self._control is not None
        self._control.settimeout(seconds or 0.001)
        try:
            self._unread += self._control.recv(65_536)
        except TimeoutError:
            return
        while (found := re.match(rb"(\d+):", self._unread)) and len(self._unread) > found.end() + int(found[1]):
            start, end = found.end(), found.end() + int(found[1])
            self.events.append(json.loads(self._unread[start:end]))
            self._unread = self._unread[end + 1 :]
