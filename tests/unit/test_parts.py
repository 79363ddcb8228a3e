"""Which parts a process has: what each needs, where it listens, and what is its own."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from maskline.errors import ConfigurationError
from maskline.ids import SystemIds
from maskline.parts import ALL, Part, check_database, engine_id_of, listener_of, name_of, take_folders
from maskline.settings import Settings

IDS = SystemIds()
EACH = [pytest.param(part, id=part.value) for part in Part]


def settings(folder: Path, **changes: object) -> Settings:
    return Settings(data_dir=folder / "data", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("part", EACH)
def test_a_file_has_one_process(part: Part) -> None:
    with pytest.raises(ConfigurationError, match=f"maskline {part.value} .*PostgreSQL.*maskline serve"):
        check_database({part}, Settings())
    check_database({part}, Settings(database_url="postgresql://maskline@db/maskline"))
    check_database(ALL, Settings())


def test_each_process_answers_at_an_address_of_its_own() -> None:
    chosen = Settings(http_port=1, engine_http_port=2, deliver_http_port=3)
    assert [listener_of({part}, chosen).port for part in Part] == [1, 2, 3]
    assert listener_of(ALL, chosen).port == 1
    assert [name_of(parts) for parts in (ALL, {Part.DELIVER})] == ["serve", "deliver"]


def test_an_engines_id_outlives_it(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    chosen.data_dir.mkdir()
    first = engine_id_of(chosen, IDS)
    assert first.isalnum() and len(first) == 16
    assert engine_id_of(chosen, IDS) == first
    assert engine_id_of(settings(tmp_path, engine_id="north-1"), IDS) == "north-1"


def test_an_id_that_cannot_be_kept_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="engine's id"):
        engine_id_of(settings(tmp_path), IDS)


@pytest.mark.parametrize("name", ["a b", "a;b", "x" * 33, "número"])
def test_a_name_that_may_not_stand_in_a_uri_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="32 letters"):
        Settings(engine_id=name)


async def test_engines_share_a_data_directory_by_their_names(tmp_path: Path) -> None:
    async with AsyncExitStack() as running:
        for name in ("one", "two"):
            take_folders({Part.ENGINE}, settings(tmp_path, engine_id=name), running)
        take_folders({Part.API}, settings(tmp_path), running)
        with pytest.raises(ConfigurationError, match="MASKLINE_ENGINE_ID"):
            take_folders({Part.ENGINE}, settings(tmp_path, engine_id="two"), running)
        assert {path.name for path in (tmp_path / "data").iterdir()} == {"engines", "exports", "recordings", "spool"}
