"""Say where a (sub)account's recordings are pushed. Called by the 8x8 API.

What it is: the rules for a configuration, and its life. What it is not: the push, or the judgement on a name, which is
made each time it is connected to (`push_destination.py`); here only what can never work is refused.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field

from maskline.clock import Clock
from maskline.errors import InvalidParameter, NotFound
from maskline.media.recordings.push import is_private_key
from maskline.net.guard import AddressGuard
from maskline.storage.kept import PushConfig
from maskline.storage.store import NO_PUSH_CONFIG, Store
from maskline.workflows.check_url import INTERNAL

PROTOCOLS = {"S3": 443, "SFTP": 22}
"""With the port where none is given."""
REGION = r"^[a-z0-9-]{2,32}$"
HOST = r"^[A-Za-z0-9.:_-]{1,253}$"
LONGEST_SECRET = 16_384
LONGEST_PATH = 512
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SSH_PORT = 22


@dataclass(frozen=True, slots=True)
class PushWish:
    """As the customer wrote it."""

    protocol: str
    host: str
    path: str
    username: str
    port: int | None = None
    password: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    """OpenSSH private key, instead of a password; ours."""


async def set_push_config(
    store: Store, clock: Clock, account_id: str, wish: PushWish, guard: AddressGuard
) -> PushConfig:
    """Create or replace. Raises `NotFound` and `InvalidParameter`. An SFTP server's key is forgotten: whoever is there
    at the next upload is taken for it. Its host is no address that `guard` refuses."""
    protocol = wish.protocol.upper()
    if protocol not in PROTOCOLS:
        raise _invalid("protocol", "allowed values are S3 or SFTP")
    port = PROTOCOLS[protocol] if wish.port is None else wish.port
    if not (port in (_SSH_PORT, 443) or 1024 <= port <= 65_535):
        raise _invalid("port", "should be 22, 443 or 1024 to 65535")
    if not wish.username or not wish.username.isprintable() or len(wish.username) > LONGEST_PATH:
        raise _invalid("username", "should be printable and not empty")
    if max(len(wish.password), len(wish.private_key)) > LONGEST_SECRET:
        raise _invalid("password", "is too long")
    if protocol == "S3":
        _check_s3(wish)
    else:
        _check_sftp(wish, guard)
        if wish.private_key and not await asyncio.to_thread(is_private_key, wish.private_key):
            raise _invalid("privateKey", "should be a private key in OpenSSH's form, without a passphrase")
    config = PushConfig(
        account_id, protocol, wish.host, port, wish.username, wish.path, wish.password, wish.private_key,
        changed_at=clock.wall(),
    )  # fmt: skip
    await store.set_push_config(config)
    return config


def _check_s3(wish: PushWish) -> None:
    if not re.fullmatch(REGION, wish.host):
        raise _invalid("host", "should be a region such as ap-southeast-1")
    if not wish.password:
        raise _invalid("password", "should be the secret access key")
    bucket, _, prefix = wish.path.strip("/").partition("/")
    if not _BUCKET.fullmatch(bucket) or not _is_path(prefix):
        raise _invalid("path", "should be a bucket and the folder in it, such as recordings/masked")


def _check_sftp(wish: PushWish, guard: AddressGuard) -> None:
    if not re.fullmatch(HOST, wish.host):
        raise _invalid("host", "should be a name or an address")
    if guard.refuses_literal(wish.host):
        raise _invalid("host", INTERNAL)
    if bool(wish.password) == bool(wish.private_key):
        raise _invalid("password", "should be given, or privateKey")
    if not _is_path(wish.path):
        raise _invalid("path", "should be a folder")


def _is_path(text: str) -> bool:
    return text.isprintable() and len(text) <= LONGEST_PATH and ".." not in text.split("/")


def _invalid(parameter: str, what: str) -> InvalidParameter:
    return InvalidParameter(f"Invalid parameter. {parameter} {what}", parameter=parameter)


async def get_push_config(store: Store, account_id: str) -> PushConfig:
    """Of this account or subaccount alone; raises `NotFound`."""
    config = await store.push_config(account_id)
    if config is None:
        raise NotFound(NO_PUSH_CONFIG)
    return config


async def remove_push_config(store: Store, account_id: str) -> PushConfig:
    """Returns it as it was; raises `NotFound`."""
    config = await get_push_config(store, account_id)
    await store.remove_push_config(account_id)
    return config
