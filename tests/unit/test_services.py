"""The shared parts: store and key belong together."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from maskline.errors import ConfigurationError
from maskline.services import build_services, opened_services
from maskline.settings import Settings
from maskline.workflows.create_account import create_account
from maskline.workflows.list_accounts import list_accounts


def settings(folder: Path) -> Settings:
    return Settings(database_url=f"sqlite:///{folder / 'maskline.db'}", key_file=folder / "maskline.key")


async def test_the_first_opening_makes_database_and_private_key(tmp_path: Path):
    async with opened_services(settings(tmp_path)) as services:
        await create_account(services.store, services.clock, services.ids, "Acme")
    assert stat.S_IMODE((tmp_path / "maskline.key").stat().st_mode) == 0o600
    async with opened_services(settings(tmp_path)) as again:
        assert [account.name for account in await list_accounts(again.store)] == ["Acme"]
        assert again.installation == services.installation
        assert len(again.installation) == 8


async def test_a_database_without_its_key_gets_no_new_one(tmp_path: Path):
    async with opened_services(settings(tmp_path)):
        """Both files exist now."""
    (tmp_path / "maskline.key").unlink()
    with pytest.raises(ConfigurationError, match="MASKLINE_KEY_FILE"):
        build_services(settings(tmp_path))
    assert not (tmp_path / "maskline.key").exists()


async def test_two_installations_have_different_names(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = (build_services(settings(tmp_path / name)).installation for name in "ab")
    assert first != second


def plan(folder: Path, **values: object):
    known = {"recording_sftp_known_hosts": "/etc/hosts", "recording_sftp_key_file": "/key"}
    chosen = settings(folder).model_copy(update={**known, **values})
    return build_services(chosen).recordings


async def test_recordings_stay_here_unless_a_destination_is_set(tmp_path: Path):
    here = plan(tmp_path, data_dir=tmp_path / "data")
    assert here.destination is None
    assert (here.folder, here.spools) == (tmp_path / "data" / "recordings", tmp_path / "data" / "spool")
    assert len(here.key) == 32
    assert here.key == plan(tmp_path).key


async def test_a_destination_is_taken_apart(tmp_path: Path):
    s3 = plan(tmp_path, recording_destination="s3://my-bucket/calls/2026/").destination
    assert s3 is not None
    assert (s3.kind, s3.bucket, s3.prefix) == ("s3", "my-bucket", "calls/2026")
    sftp = plan(tmp_path, recording_destination="sftp://o%40x@files.example:2222/in/").destination
    assert sftp is not None
    assert (sftp.kind, sftp.host, sftp.port, sftp.username, sftp.prefix) == (
        "sftp",
        "files.example",
        2222,
        "o@x",
        "/in",
    )


async def test_links_begin_with_the_public_url_or_where_we_listen(tmp_path: Path):
    found = build_services(settings(tmp_path).model_copy(update={"public_url": "https://masking.example"}))
    assert found.links.resource("MA", "rec").startswith("https://masking.example/v1/")
    for host, shown in (("127.0.0.1", "http://127.0.0.1:8080/"), ("::1", "http://[::1]:8080/")):
        bound = build_services(settings(tmp_path).model_copy(update={"http_host": host}))
        assert bound.links.resource("MA", "rec").startswith(shown)
