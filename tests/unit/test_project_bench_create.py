"""What `make bench-create` concludes from a profile is right."""

from __future__ import annotations

import pytest

from tools.bench_create import area_of, by_area, machine_class

REQUEST = [
    "thread (1): MainThread",
    "Runner.run (asyncio/runners.py:118)",
    "RequestResponseCycle.run_asgi (uvicorn/protocols/http/httptools_impl.py:422)",
    "Dispatcher.__call__ (maskline/api/dispatch.py:165)",
    "SessionOperations._create (maskline/api/plivo/sessions.py:61)",
]
WRITER = ["thread (2): maskline-writer", "GroupWriter._run (maskline/storage/sqlite_writer.py:228)"]


@pytest.mark.parametrize(
    ("frames", "area"),
    [
        (REQUEST[:2], "loop"),
        (REQUEST[:3], "HTTP"),
        (REQUEST[:4], "API: dispatch"),
        (REQUEST, "API: dispatch"),
        ([*REQUEST, "read_attributes (maskline/api/plivo/schemas.py:37)"], "API: attributes"),
        ([*REQUEST, "CreateSession.__call__ (maskline/workflows/create_session.py:54)"], "workflow"),
        ([*REQUEST, "CreateSession.__call__ (maskline/workflows/create_session.py:54)",
          "SqliteStore._rows (maskline/storage/sqlite.py:66)"], "store: reads"),
        ([*REQUEST[:2], "GroupWriter._run_slice (maskline/storage/sqlite_writer.py:179)",
          "_run_unit (maskline/storage/sqlite_writer.py:298)", "allocate (maskline/masking/pool.py:142)"],
         "store: the unit"),
        ([*REQUEST[:2], "GroupWriter._finished (maskline/storage/sqlite_writer.py:200)"], "store: transactions"),
        ([*WRITER, "GroupWriter._commit (maskline/storage/sqlite_writer.py:235)"], "store: commit"),
        (WRITER, "idle"),
        (["thread (3): maskline-reader_0", "_worker (concurrent/futures/thread.py:81)"], "idle"),
        (["thread (1): MainThread", "something (else.py:1)"], "other"),
    ],
)  # fmt: skip
def test_a_sample_counts_for_the_part_that_was_at_work(frames: list[str], area: str) -> None:
    assert area_of(frames).startswith(area)


def test_samples_are_added_up_by_area() -> None:
    lines = [
        ";".join(REQUEST[:2]) + " 3",
        ";".join([*REQUEST[:2], "callback (x.py:1)"]) + " 2",
        ";".join(WRITER) + " 7",
    ]
    assert sorted(by_area(lines).values()) == [5, 7]


def test_the_machine_is_told_by_its_class() -> None:
    assert "core" in machine_class()
    assert "Python 3." in machine_class()
