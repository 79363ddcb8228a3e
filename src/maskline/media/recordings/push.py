"""Bring a finished file to storage elsewhere: S3-compatible (obstore) or SFTP (asyncssh).

What it is: one upload, whole or not at all, under a name that a repeat writes again. What it is not: retries over hours
(`workflows/process_recordings.py`), or encryption: the copy elsewhere is in clear, for whoever is to hear it. Who uses
it: the job's process. Both libraries are loaded here alone and when first needed: asyncssh takes 0.3 s.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from maskline.media.recordings.job import Destination, s3_url, stored_key

_CONNECT_SECONDS = 15.0
_CONTENT_TYPES = {".mp3": "audio/mpeg", ".wav": "audio/wav"}


class PushFailed(Exception):
    """The file is not there. The sentence names neither credentials nor the file."""


class Pushed(NamedTuple):
    size: int
    """Bytes that are there."""
    url: str
    host_key: str = ""
    """Of an SFTP server, in the form of OpenSSH."""


def push(path: Path, name: str, to: Destination) -> Pushed:
    """Put the file at `name` below the destination's prefix. Raises `PushFailed`."""
    key = stored_key(to, name)
    size = path.stat().st_size
    pushed = _push_s3(path, key, to) if to.kind == "s3" else asyncio.run(_push_sftp(path, key, to))
    if pushed.size != size:
        raise PushFailed("The storage has another number of bytes than were sent.")
    return pushed


def _push_s3(path: Path, key: str, to: Destination) -> Pushed:
    import obstore
    from obstore.store import S3Store

    try:
        store = S3Store(
            to.bucket, endpoint=to.endpoint or None, region=to.region, access_key_id=to.key_id or None,
            secret_access_key=to.secret or None,
            client_options={"allow_http": to.endpoint.startswith("http://"), "connect_timeout": "15s"},
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=60)},
        )  # fmt: skip
        obstore.put(store, key, path, attributes={"Content-Type": _CONTENT_TYPES[path.suffix]})
        stored = int(obstore.head(store, key)["size"])
    except (obstore.exceptions.BaseError, OSError) as error:
        raise PushFailed(f"The S3 storage did not take the file ({type(error).__name__}).") from None
    return Pushed(stored, s3_url(to, key))


async def _push_sftp(path: Path, key: str, to: Destination) -> Pushed:
    import asyncssh

    # Under another name until it is whole: who watches the folder must not find half a file.
    target = PurePosixPath("/" + key if to.prefix.startswith("/") else key)
    draft = str(target.with_name(f".{target.name}.part"))
    try:
        async with asyncssh.connect(
            to.host, to.port, username=to.username, password=to.secret or None,
            client_keys=_client_keys(to), known_hosts=_known_hosts(to),
            connect_timeout=_CONNECT_SECONDS, login_timeout=_CONNECT_SECONDS, config=None, agent_path=None,
        ) as connection, connection.start_sftp_client() as sftp:  # fmt: skip
            await sftp.makedirs(str(target.parent), exist_ok=True)
            await sftp.put(str(path), draft)
            await sftp.posix_rename(draft, str(target))
            stored = await sftp.stat(str(target))
            seen = connection.get_server_host_key()
    except asyncssh.HostKeyNotVerifiable:
        known = "that it had at the first upload" if to.host_key else "in MASKLINE_RECORDING_SFTP_KNOWN_HOSTS"
        raise PushFailed(f"The SFTP server's host key is not the one {known}.") from None
    except asyncssh.KeyImportError:
        raise PushFailed("The private key for the SFTP server cannot be read.") from None
    except asyncssh.PermissionDenied:
        raise PushFailed("The SFTP server refuses the user, key or password.") from None
    except (asyncssh.Error, OSError) as error:
        raise PushFailed(f"The SFTP server did not take the file ({type(error).__name__}).") from None
    url = f"sftp://{to.shown_host or to.host}:{to.port}/{str(target).lstrip('/')}"
    return Pushed(stored.size or 0, url, seen.export_public_key().decode().strip() if seen else "")


def is_private_key(text: str) -> bool:
    """Whether an SFTP server can be shown this key: one that asyncssh reads without a passphrase. The first time it
    takes 0.3 s, so not in an event loop."""
    import asyncssh
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        # Of an RSA key it is not asked whether its factors are primes: of a large one that takes minutes.
        asyncssh.import_private_key(text, unsafe_skip_rsa_key_validation=True)
    except (ValueError, UnsupportedAlgorithm):  # asyncssh's own errors are ValueErrors; the other is cryptography's
        return False
    return True


def _client_keys(to: Destination) -> Any:
    import asyncssh

    if to.private_key:
        return [asyncssh.import_private_key(to.private_key)]
    return [to.key_file] if to.key_file else None


def _known_hosts(to: Destination) -> Any:
    """asyncssh takes None for any key."""
    import asyncssh

    if to.host_key:
        return asyncssh.import_known_hosts(f"* {to.host_key}\n")
    return None if to.trust_first else to.known_hosts
