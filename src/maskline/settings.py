# budget: every setting is declared here once, in one class, with the sentences that document it.
"""Every setting of Maskline, declared once: type, default, environment name, one sentence, secret or not.

What it is: one frozen value read from `MASKLINE_…` variables, and the sentences that explain a wrong one. What
it is not: a place for behaviour; `app.py` turns settings into parts. Who uses it: `app.py`, the CLI, and the
generator of docs/reference/settings.md, which prints `describe()`. The sentence under each field is its
documentation (style.md §4, principle 14). The words and texts a setting may have are in `setting_values.py`.

Lists are kept as the text an operator writes and read through a property, so that the reference, the start-up
summary and the environment all show the same form.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from maskline.errors import ConfigurationError
from maskline.setting_values import (
    DatabaseUrl,
    Destination,
    DtmfPolicy,
    EngineName,
    FrontAddress,
    HostNames,
    HostPorts,
    HttpUrl,
    IpAddress,
    IpAddresses,
    LogFormat,
    LogLevel,
    MediaChoice,
    NamePrefix,
    NameServers,
    Network,
    Networks,
    OperatorKey,
    PlivoEvents,
    PortRange,
    PromptMoment,
    PromptSource,
    SessionDefaults,
    SpeechChoice,
    WithheldPolicy,
    check_hosts,
    read_addresses,
    read_list,
    read_name_servers,
    read_networks,
    read_range,
)

PREFIX = "MASKLINE_"


def _secret(default: str) -> Any:
    return Field(default=default, json_schema_extra={"secret": True})


def _port(default: int) -> Any:
    return Field(default=default, ge=1, le=65535)


class RecordingSettings(BaseModel):
    """Where the recordings of calls go; a part of `Settings`."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    recording_destination: Destination = "local"
    """Where finished recordings go: `local` (sealed, in MASKLINE_DATA_DIR/recordings), `s3://BUCKET/PREFIX` or \
`sftp://USER@HOST:PORT/PATH`; what is elsewhere is not sealed."""
    recording_keep_local: bool = True
    """Whether a recording that was pushed elsewhere is kept here too; if not, it cannot be downloaded from here."""
    recording_s3_endpoint: HttpUrl = ""
    """URL of S3-compatible storage; empty: Amazon's."""
    recording_s3_region: str = "us-east-1"
    """Region of the bucket."""
    recording_s3_key_id: str = ""
    """Access key id; with no id and no secret, those of the host are used (instance profile)."""
    recording_s3_secret: str = _secret("")
    """Secret access key."""
    recording_sftp_password: str = _secret("")
    """Password for SFTP; empty: the key file alone."""
    recording_sftp_key_file: str = ""
    """Private key for SFTP, without passphrase."""
    recording_sftp_known_hosts: str = ""
    """File with the SFTP server's public key as `ssh-keyscan` prints it; another key is refused."""
    recording_jobs: int = Field(default=1, ge=1, le=16)
    """Recordings that are made into files at a time, each by a niced process; a minute of MP3 costs 0.7 s of CPU."""
    recording_retention_days: int = Field(default=90, ge=0, le=36500)
    """Days after which a recording's file here is deleted, and the spool of one that failed; 0: never."""
    recording_link_time: float = Field(default=604_800.0, ge=60.0, le=31_536_000.0)
    """Seconds for which a link to a recording holds; whoever has the link has the file."""

    @model_validator(mode="after")
    def _pushable(self) -> RecordingSettings:
        if self.recording_destination.startswith("sftp:"):
            if not self.recording_sftp_known_hosts:
                raise ValueError("SFTP needs MASKLINE_RECORDING_SFTP_KNOWN_HOSTS: the server's key must be known")
            if not (self.recording_sftp_password or self.recording_sftp_key_file):
                raise ValueError("SFTP needs MASKLINE_RECORDING_SFTP_KEY_FILE or MASKLINE_RECORDING_SFTP_PASSWORD")
        if bool(self.recording_s3_key_id) != bool(self.recording_s3_secret):
            raise ValueError("MASKLINE_RECORDING_S3_KEY_ID and MASKLINE_RECORDING_S3_SECRET belong together")
        return self


class SipSettings(BaseModel):
    """Where SIP is spoken, and what of it is read; a part of `Settings`."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    sip_host: IpAddresses = "127.0.0.1"
    """IP address that SIP is bound to, or one of IPv4 and one of IPv6 (`0.0.0.0,::`)."""
    sip_port: int = _port(5060)
    """Port of SIP over UDP and TCP."""
    dns_servers: NameServers = ""
    """Comma-separated name servers (`192.0.2.53`, `[2001:db8::53]:53`) for trunks whose host is a name; empty: the
    system's."""
    sip_tls_port: int = _port(5061)
    """Port of SIP over TLS, opened when MASKLINE_SIP_TLS_CERTIFICATE is set."""
    sip_tls_certificate: str = ""
    """PEM file with the certificate that SIP over TLS shows and the chain behind it; read again when it changes or at \
SIGHUP. Empty: nobody can connect by TLS; trunks over TLS can be called all the same."""
    sip_tls_key: str = ""
    """PEM file with the key of that certificate, unencrypted; empty: in the same file."""
    sip_tls_ca: str = ""
    """PEM file of the authorities whose certificates of TLS trunks are believed; empty: those the system believes."""
    sip_tls_client_ca: str = ""
    """PEM file of authorities; with it, whoever connects by TLS must show a certificate of one of them (mutual TLS)."""
    sip_connections: int = Field(default=4096, ge=1, le=60_000)
    """TCP and TLS connections at a time; more are closed when they come."""
    sip_connections_per_source: int = Field(default=256, ge=1, le=60_000)
    """Those of them that one address may have opened."""
    max_calls: int = Field(default=20_000, ge=0, le=1_000_000)
    """Calls at a time; one more, or sixteen times as many SIP transactions, and new calls get a 503; 0: no limit."""
    sip_source_rate: float = Field(default=0.0, ge=0.0, le=1_000_000.0)
    """SIP messages a second that are read from one trunk's address, twice as many at once; the rest is dropped; \
0: all. A call takes six to ten."""
    sip_vain_rate: float = Field(default=500.0, ge=0.0, le=1_000_000.0)
    """UDP datagrams a second from one trunk's address that may come to nothing (malformed, refused, not proved, to \
numbers that are not ours), twice as many at once, new calls and all else counted apart; above, what comes from there \
and belongs to no call in progress is dropped. Good calls are never charged. 0: no limit."""
    sip_ban_time: float = Field(default=300.0, ge=0.0, le=604_800.0)
    """Seconds for which an address of no trunk is banned after 20 datagrams or connections in a minute: the log has a \
line for fail2ban, and its connections are closed unread; silence it gets anyway. 0: never."""
    sip_advertised_host: IpAddresses = ""
    """IP address for Via and Contact behind a NAT or with 0.0.0.0, or one of each family; empty: MASKLINE_SIP_HOST."""
    sip_advertised_port: int = Field(default=0, ge=0, le=65535)
    """Port for Via and Contact; 0: MASKLINE_SIP_PORT."""
    sip_front: FrontAddress = ""
    """Address `HOST:PORT` of the SIP proxy in front of this engine (deploy/kamailio): all SIP comes from there and \
goes there, over UDP, and what it says of where a request came from is believed. MASKLINE_SIP_ADVERTISED_HOST, \
MASKLINE_SIP_ADVERTISED_PORT and MASKLINE_SIP_TLS_PORT are the proxy's then. Empty: no proxy."""


class PartSettings(BaseModel):
    """Of processes that share a database; a part of `Settings`."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    engine_id: EngineName = ""
    """Name of this engine among those that share a database, the same after its restart: 32 letters, digits, `-`, `_` \
at most. What is this engine's alone is then in MASKLINE_DATA_DIR/engines/NAME, so that several can share a directory; \
empty: made at the first start, and kept in MASKLINE_DATA_DIR."""
    engine_http_port: int = _port(8081)
    """TCP port of `maskline engine` for /healthz and /metrics, on MASKLINE_HTTP_HOST."""
    deliver_http_port: int = _port(8082)
    """TCP port of `maskline deliver` for /healthz and /metrics, on MASKLINE_HTTP_HOST."""


class Settings(SipSettings, RecordingSettings, PartSettings):
    """All settings. Build it with `load_settings()`, which reads the environment and turns a wrong value into
    one sentence; `Settings(...)` alone gives the defaults and what is passed (tests, the lab)."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    database_url: DatabaseUrl = _secret("sqlite:///maskline.db")
    """Where sessions, calls and webhooks are kept: `sqlite:///PATH` (a fourth slash makes the path absolute) or \
`postgresql://USER:PASSWORD@HOST:PORT/DATABASE`."""
    database_connections: int = Field(default=8, ge=1, le=200)
    """Connections to PostgreSQL that this process reads on; it has two more, to write and to listen."""
    key_file: Path = Path("maskline.key")
    """File with the key that seals numbers at rest; created with mode 0600 when missing, and worth a backup: \
without it no stored number can be read."""
    data_dir: Path = Path("maskline-data")
    """Directory for the relay's control socket, recordings and spools; created when missing."""

    http_host: IpAddress = "127.0.0.1"
    """Address the REST API, /healthz and /metrics listen on."""
    http_port: int = _port(8080)
    """TCP port of the REST API."""
    public_url: HttpUrl = ""
    """Base URL under which customers reach the API, used in links; empty: taken from each request."""
    http_rate_limit: int = Field(default=300, ge=0, le=1_000_000)
    """API requests an account may send in any five seconds before it is answered 429; 0: no limit. 300 is what the \
vendor publishes."""
    vts_hosts: HostNames = ""
    """Comma-separated host names under which `/v1` answers in the flat, all-text form of the VTS pages; `/vts/v1` \
always does."""
    create_window: float = Field(default=15.0, ge=0.0, le=3600.0)
    """Seconds in which the same create from the same account, sent again without an Idempotency-Key, returns the \
session it made the first time, while that lives; 0: every create makes a session."""

    media: MediaChoice = MediaChoice.EMBEDDED
    """Who moves the audio: `embedded` (own relay processes), `rtpengine`, or `none` (signalling only, SDP \
addresses left as sent: for benchmarks and tests)."""
    rtpengine: HostPorts = "127.0.0.1:2223"
    """Comma-separated ng addresses of rtpengine, used when MASKLINE_MEDIA=rtpengine."""
    rtpengine_recordings: Path = Path("/var/spool/rtpengine")
    """Directory that rtpengine has as `recording-dir`, as seen from this host; recordings are taken from there."""
    media_host: IpAddresses = "127.0.0.1"
    """IP address for SDP, where the embedded relay receives audio, or one of each family: a leg gets its own."""
    media_ports: PortRange = "20000-29999"
    """First and last UDP port of the embedded relay; each call uses four."""
    media_workers: int = Field(default=1, ge=1, le=64)
    """Number of embedded relay processes; one per core that may be used for audio."""
    media_timeout: float = Field(default=60.0, ge=1.0, le=3600.0)
    """Seconds without a packet from either side after which an answered call is ended."""

    prompts: PromptMoment = PromptMoment.EARLY
    """When a caller hears the prompts before the bridge: `early` (as early media, before the call is answered; \
answered first where the caller's offer comes late) or `answered` (always answered first, so the caller pays)."""
    session_ended_prompt: PromptSource = ""
    """What a caller hears whose session is over, before the refusal: the URL of an mp3 or wav file, `say:TEXT` or \
`say@VOICE:TEXT`; empty: nothing."""
    consent_prompt: PromptSource = ""
    """What each party hears before the bridge of a call that is recorded; written as MASKLINE_SESSION_ENDED_PROMPT."""
    withheld_caller: WithheldPolicy = WithheldPolicy.PIN
    """What becomes of a call without caller number: `pin` (asked for a PIN where a session has PINs, else the \
number's fallback), `reject`, or `prompt` (hears MASKLINE_WITHHELD_PROMPT and is rejected)."""
    withheld_prompt: PromptSource = ""
    """What a caller without number hears, if MASKLINE_WITHHELD_CALLER=prompt; written as \
MASKLINE_SESSION_ENDED_PROMPT."""
    pin_caller_limit: int = Field(default=5, ge=1, le=1_000)
    """Wrong PINs of one caller within MASKLINE_PIN_WINDOW after which its PINs are not looked at for a while; all who \
withhold their number on one virtual number count as one caller."""
    pin_number_limit: int = Field(default=100, ge=1, le=1_000_000)
    """Wrong PINs on one number within that window after which it takes PINs of callers it knows only, until its end."""
    pin_window: float = Field(default=86_400.0, ge=1.0, le=2_592_000.0)
    """Seconds, from the first wrong PIN, in which wrong PINs are counted together."""
    pin_lock: float = Field(default=900.0, ge=1.0, le=86_400.0)
    """Seconds for which a caller is locked; each further time within a week it is twice as long, up to a day."""
    pin_timeout: float = Field(default=20.0, ge=1.0, le=120.0)
    """Seconds after the prompt within which a PIN has to be entered."""
    pin_digit_timeout: float = Field(default=5.0, ge=0.5, le=60.0)
    """Seconds after a digit that end a PIN for which `#` was not pressed."""
    dtmf: DtmfPolicy = DtmfPolicy.PASS
    """Whether digits that a party presses during the call reach the other party: `pass` or `block`."""
    prompt_timeout: float = Field(default=5.0, ge=0.1, le=8.0)
    """Seconds that fetching one prompt may take in all; a caller waits as long at most."""
    prompt_size: float = Field(default=5.0, ge=0.01, le=100.0)
    """Megabytes that a prompt file may have."""
    prompt_length: float = Field(default=120.0, ge=1.0, le=120.0)
    """Seconds that a prompt file may last; carriers cut early media off at about 120."""
    prompt_cache_time: float = Field(default=3600.0, ge=0.0, le=604_800.0)
    """Seconds after which a prompt's URL is fetched again; 0: for each call."""
    prompt_cache_size: float = Field(default=500.0, ge=1.0, le=1_000_000.0)
    """Megabytes of converted prompts kept in MASKLINE_DATA_DIR/prompts; those used longest ago go first."""
    speech: SpeechChoice = SpeechChoice.ESPEAK
    """Who speaks texts: `espeak` (Debian package espeak-ng), `piper` (`pip install maskline[piper]` and a voice file) \
or `none`."""
    speech_voice: str = ""
    """Voice of texts that name none, as `maskline prompt voices` lists them; empty: the first of English, or of all."""
    piper_voices: str = ""
    """Comma-separated paths of piper's voices (NAME.onnx, NAME.onnx.json beside it), if MASKLINE_SPEECH=piper."""

    call_action_connect: float = Field(default=3.0, ge=0.1, le=10.0)
    """Seconds in which a customer's application has to take a connection when it is asked what to do with a call."""
    call_action_total: float = Field(default=5.0, ge=0.1, le=10.0)
    """Seconds in which it has to have answered in all; one second try, after a failed connect or a 5xx, is within \
them."""
    call_action_failed_prompt: PromptSource = ""
    """What a caller hears whose call ends because the application could not be asked or answered with no call flow; \
written as MASKLINE_SESSION_ENDED_PROMPT."""
    eight_strict: bool = False
    """Whether call flows are refused whose digitTimeout has no overallTimeout beside it, or an equal one; 8x8's guide \
and its reference differ."""

    egress_allow: Networks = ""
    """Comma-separated CIDR list of internal addresses that webhooks and prompt fetches may reach nevertheless."""
    session_defaults: SessionDefaults = SessionDefaults.DOCUMENTED
    """Defaults of a new session: `documented` (expiry 3600 s, call limit 3600 s, ring timeout 120 s), \
`plivo-actual` (1800, 14400 and 45 s, what the vendor's service was seen to use) or `custom`."""
    session_expiry: int = Field(default=3600, ge=60, le=86_400)
    """Seconds after which a new session ends, if MASKLINE_SESSION_DEFAULTS=custom."""
    call_time_limit: int = Field(default=3600, ge=60, le=86_400)
    """Seconds after which a call is ended, if MASKLINE_SESSION_DEFAULTS=custom."""
    ring_timeout: int = Field(default=120, ge=1, le=3_600)
    """Seconds the called party may ring, if MASKLINE_SESSION_DEFAULTS=custom."""
    plivo_events: PlivoEvents = PlivoEvents.SECOND
    """Which edition of the Plivo event list callbacks follow: `2023` (Initiated, Ringing, Complete, Failed), `2024` \
(Hangup, SessionTimeout), `2025`, `current` (adds SessionPartiesHangup) or `all`."""
    callback_prefix: NamePrefix = "Plivo"
    """First part of the names of the HangupCause and HangupCauseCode attributes of Plivo callbacks."""
    retention_days: int = Field(default=90, ge=0, le=36500)
    """Days that an ended session is kept, with its calls, facts and webhooks, before all is deleted; 0: for ever."""
    webhook_retention_days: int = Field(default=30, ge=0, le=36500)
    """Days after which a webhook that was delivered, given up or held is deleted with its attempts; 0: with what it \
tells of, by MASKLINE_RETENTION_DAYS."""
    operator_webhook: HttpUrl = ""
    """URL that is told when a customer's endpoint is disabled, and of alarms and stops of accounts; empty: only \
the log and the metrics say so."""
    operator_webhook_secret: str = _secret("")
    """Standard Webhooks secret (whsec_…) that these are signed with; empty: they are not."""
    operator_key: OperatorKey = _secret("")
    """Bearer key of the operator's requests below /maskline/v1/operator, 24 characters or more; empty: nobody has \
one."""
    drain_timeout: float = Field(default=30.0, ge=0.0, le=86400.0)
    """Seconds a stopping server waits for calls in progress before it hangs them up."""
    keep_calls: bool = False
    """A stopping server waits only for calls that are not connected yet; the others go on in the server that is started
    next, which the embedded relay awaits for as long as calls have audio. For restarts, an upgrade say."""

    log_level: LogLevel = LogLevel.INFO
    """Least severe log lines written: debug, info, warning or error."""
    log_format: LogFormat = LogFormat.TEXT
    """`text` for people, `json` for one JSON object a line."""

    @field_validator(
        "media", "session_defaults", "plivo_events", "log_level", "log_format",
        "prompts", "withheld_caller", "dtmf", "speech", mode="before",
    )  # fmt: skip
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.strip().lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _custom_times(self) -> Settings:
        given = self.model_fields_set & {"session_expiry", "call_time_limit", "ring_timeout"}
        if given and self.session_defaults is not SessionDefaults.CUSTOM:
            names = " and ".join(PREFIX + name.upper() for name in sorted(given))
            raise ValueError(
                f"{names} would have no effect, because MASKLINE_SESSION_DEFAULTS is {self.session_defaults}; "
                "set that to custom"
            )
        return self

    @model_validator(mode="after")
    def _audible(self) -> Settings:
        if (self.withheld_caller is WithheldPolicy.PROMPT) != bool(self.withheld_prompt):
            raise ValueError(
                "MASKLINE_WITHHELD_CALLER=prompt needs MASKLINE_WITHHELD_PROMPT"
                if not self.withheld_prompt
                else "MASKLINE_WITHHELD_PROMPT would have no effect without MASKLINE_WITHHELD_CALLER=prompt"
            )
        if (self.speech is SpeechChoice.PIPER) != bool(self.piper_voices):
            raise ValueError(
                "MASKLINE_SPEECH=piper needs MASKLINE_PIPER_VOICES"
                if not self.piper_voices
                else "MASKLINE_PIPER_VOICES would have no effect without MASKLINE_SPEECH=piper"
            )
        for name in ("session_ended_prompt", "consent_prompt", "withheld_prompt", "call_action_failed_prompt"):
            if self.speech is SpeechChoice.NONE and getattr(self, name).startswith("say"):
                raise ValueError(f"{PREFIX}{name.upper()} is to be spoken, but MASKLINE_SPEECH is none")
        return self

    @model_validator(mode="after")
    def _reachable(self) -> Settings:
        if any(ipaddress.ip_address(host).is_unspecified for host in self.advertised_sip_hosts):
            raise ValueError(
                "MASKLINE_SIP_ADVERTISED_HOST must name the address carriers reach, "
                f"because MASKLINE_SIP_HOST is {self.sip_host}"
            )
        check_hosts(self.media_hosts, read_list(self.sip_advertised_host), self.advertised_sip_hosts)
        return self

    @property
    def database_file(self) -> Path | None:
        """The SQLite file behind `database_url`; None when that is PostgreSQL."""
        found = self.database_url.removeprefix("sqlite:///")
        return None if found == self.database_url else Path(found)

    @property
    def engine_dir(self) -> Path:
        """The part of the data directory that is one engine's alone."""
        return self.data_dir / "engines" / self.engine_id if self.engine_id else self.data_dir

    @property
    def sip_hosts(self) -> tuple[str, ...]:
        """One, or one of each address family."""
        return tuple(read_list(self.sip_host))

    @property
    def advertised_sip_hosts(self) -> tuple[str, ...]:
        """The addresses for Via and Contact, in the order of `sip_hosts`."""
        named = {":" in host: host for host in read_list(self.sip_advertised_host)}
        return tuple([named.get(":" in host, host) for host in self.sip_hosts])

    @property
    def media_hosts(self) -> tuple[str, ...]:
        return tuple(read_list(self.media_host))

    @property
    def sip_tls_files(self) -> tuple[Path | None, ...]:
        """Certificate, key, authorities of trunks, authorities of peers that connect."""
        names = (self.sip_tls_certificate, self.sip_tls_key, self.sip_tls_ca, self.sip_tls_client_ca)
        return tuple(Path(name) if name else None for name in names)

    @property
    def media_port_range(self) -> tuple[int, int]:
        """First and last port, both usable."""
        return read_range(self.media_ports)

    @property
    def rtpengine_addresses(self) -> tuple[tuple[str, int], ...]:
        """(host, port) of each rtpengine."""
        return read_addresses(self.rtpengine)

    @property
    def sip_front_address(self) -> tuple[str, int] | None:
        return read_addresses(self.sip_front)[0] if self.sip_front else None

    @property
    def name_servers(self) -> tuple[tuple[str, int], ...]:
        """(address, port) of each; none: the system's."""
        return read_name_servers(self.dns_servers)

    @property
    def egress_networks(self) -> tuple[Network, ...]:
        return read_networks(self.egress_allow)

    @property
    def piper_voice_files(self) -> tuple[Path, ...]:
        return tuple(Path(part) for part in read_list(self.piper_voices))

    @property
    def prompt_sources(self) -> tuple[str, ...]:
        """What anybody may hear, whatever the session."""
        sources = (
            self.session_ended_prompt, self.consent_prompt, self.withheld_prompt, self.call_action_failed_prompt,
        )  # fmt: skip
        return tuple(source for source in sources if source)

    @property
    def default_times(self) -> tuple[int, int, int]:
        """Session expiry, call time limit, ring timeout in seconds (plivo-vts.md §2.1)."""
        if self.session_defaults is SessionDefaults.CUSTOM:
            return (self.session_expiry, self.call_time_limit, self.ring_timeout)
        return (3600, 3600, 120) if self.session_defaults is SessionDefaults.DOCUMENTED else (1800, 14400, 45)

    @property
    def vts_host_names(self) -> tuple[str, ...]:
        """In lower case."""
        return tuple(read_list(self.vts_hosts))

    def summary(self) -> dict[str, str]:
        """Environment name → value as text; of a secret only whether it differs from its default."""
        shown = {}
        for doc in describe():
            value = getattr(self, doc.field)
            configured = "yes" if str(value) != doc.default else "no"
            shown[doc.env] = f"configured: {configured}" if doc.secret else str(value)
        return shown


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """One row of the reference."""

    field: str
    env: str
    type: str
    """For people: `whole number`, `text`, or the allowed words joined by `|`."""
    default: str
    sentence: str
    secret: bool


def describe() -> tuple[SettingDoc, ...]:
    """All settings in the order they are declared, those of SIP, of processes and of recordings last."""
    docs = []
    fields = Settings.model_fields
    last = (RecordingSettings.model_fields, PartSettings.model_fields, SipSettings.model_fields)
    for name in sorted(fields, key=lambda name: tuple([name in some for some in last])):
        info = fields[name]
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        docs.append(
            SettingDoc(
                field=name,
                env=PREFIX + name.upper(),
                type=_type_for_people(info.annotation),
                default=str(info.default),
                sentence=" ".join((info.description or "").split()),
                secret=bool(extra.get("secret")),
            )
        )
    return tuple(docs)


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read settings from the environment (or another mapping of `MASKLINE_…` names).

    Raises `ConfigurationError` with one sentence that names the variable and what is wrong with it; values of
    secrets are not repeated.
    """
    environ = os.environ if environ is None else environ
    given = {}
    for doc in describe():
        value = environ.get(doc.env, "").strip()
        # An empty variable counts as unset: compose files and unit files pass empty ones through.
        if value:
            given[doc.field] = value
    try:
        return Settings(**given)  # type: ignore[arg-type]  # pydantic reads the text
    except ValidationError as error:
        raise ConfigurationError(_sentence(error)) from None


def unknown_variables(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """`MASKLINE_…` variables that are no setting, each with the nearest setting's name or an empty text."""
    known = [doc.env for doc in describe()]
    found = {}
    for name in sorted(os.environ if environ is None else environ):
        if name.startswith(PREFIX) and name not in known:
            found[name] = next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.8)), "")
    return found


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    if not first["loc"]:
        return _message(first) + "."
    doc = next(doc for doc in describe() if doc.field == first["loc"][0])
    shown = "" if doc.secret else f" (now: {str(first['input'])[:80]!r})"
    return f"{doc.env} has a wrong value{shown}: {_message(first)}."


def _message(error: Any) -> str:
    """pydantic's message in the product's words (`error`: one of its ErrorDetails)."""
    match error["type"]:
        case "int_parsing" | "int_from_float":
            return "it must be a whole number"
        case "float_parsing" | "finite_number":
            return "it must be a number"
        case "enum":
            return "it must be one of " + str(error["ctx"]["expected"]).replace("'", "")
        case "greater_than_equal":
            return f"it must be at least {error['ctx']['ge']:g}"
        case "less_than_equal":
            return f"it must be at most {error['ctx']['le']:g}"
    return str(error["msg"]).removeprefix("Value error, ").rstrip(".")


def _type_for_people(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return " | ".join(annotation)
    return {int: "whole number", float: "number", Path: "path"}.get(annotation, "text")
