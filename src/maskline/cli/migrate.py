"""`maskline migrate`: the database's tables, made and taken from version to version."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from maskline.cli.output import JsonFlag, emit
from maskline.services import migrate_database
from maskline.settings import load_settings
from maskline.storage.migrate import Migration, Phase


def migrate(
    phase: Annotated[
        Phase | None,
        typer.Option("--phase", help="pre: before new programs start; post: after the last old one has ended."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Make the tables of an empty database, or bring those of an older version up to this program's."""
    settings = load_settings()
    done = asyncio.run(migrate_database(settings, phase, dry_run=dry_run))
    steps = [str(step) for step in done.steps]
    document = {"created": done.created, "steps": steps, "version": done.version, "dry_run": dry_run}
    emit(as_json, document, _for_people(done, steps, dry_run))


def _for_people(done: Migration, steps: list[str], dry_run: bool) -> str:
    would = "Would make" if dry_run else "Made"
    if done.created:
        return f"{would} the tables: schema version {done.version}."
    if not steps:
        return f"Nothing to do: schema version {done.version}."
    lines = "\n".join(f"  {step}" for step in steps)
    return f"{'Would carry' if dry_run else 'Carried'} out:\n{lines}\nSchema version {done.version}."
