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
