"""Ids have their forms, are never handed out twice, and repeat only from a seed."""

from __future__ import annotations

import os
import re
import threading
import time
import uuid

import pytest

from maskline.ids import SeededIds, SystemIds, process_mark


@pytest.mark.parametrize("ids", [SystemIds(), SeededIds(3)], ids=["system", "seeded"])
class TestForms:
    @pytest.mark.parametrize("nbytes", [4, 8, 16, 17, 32])
    def test_of_tokens(self, ids, nbytes):
        assert re.fullmatch(rf"[0-9a-f]{{{2 * nbytes}}}", ids.token(nbytes))

    def test_of_uuids(self, ids):
        made = uuid.UUID(ids.uuid())
        assert made.version in (4, 7)
        assert made.variant == uuid.RFC_4122

    def test_of_credentials(self, ids):
        assert re.fullmatch(r"MA[A-Z0-9]{18}", ids.credential_id("MA"))

    def test_of_secrets(self, ids):
        assert re.fullmatch(r"[A-Za-z0-9_-]{40}", ids.secret())


def test_a_uuid_sorts_by_the_time_of_its_making(monkeypatch):
    ids, moments = SystemIds(), [1_700_000_000_000, 1_700_000_000_001, 1_800_000_000_000]
    made = []
    for moment in moments:
        monkeypatch.setattr(time, "time_ns", lambda moment=moment: moment * 1_000_000)
        made.append(ids.uuid())
    assert made == sorted(made)
    assert [int(text.replace("-", "")[:12], 16) for text in made] == moments


def test_many_ids_over_many_blocks_are_all_different():
    ids = SystemIds()
    assert len({ids.uuid() for _ in range(2_000)} | {ids.token(16) for _ in range(2_000)}) == 4_000


def test_threads_never_get_the_same_id():
    ids, found = SystemIds(), []

    def take():
        found.extend([ids.token(16) for _ in range(3_000)])

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(set(found)) == 12_000


def in_a_forked_child(tell):
    """What `tell` answers there."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, tell().encode())
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="ascii") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return told


def test_a_fork_does_not_repeat_its_parents_ids():
    ids = SystemIds()
    ids.token()
    child = in_a_forked_child(lambda: " ".join(ids.token(16) for _ in range(20))).split()
    parent = [ids.token(16) for _ in range(300)]
    assert len(child) == 20
    assert not set(child) & set(parent)


def test_a_forked_childs_child_has_a_mark_of_its_own():
    marks = [process_mark()]
    told = in_a_forked_child(lambda: f"{process_mark()} {in_a_forked_child(lambda: str(process_mark()))}")
    marks += map(int, told.split())
    assert len(set(marks)) == 3


def test_a_seed_repeats_itself():
    one, two = SeededIds(5), SeededIds(5)
    assert [one.uuid(), one.token(), one.secret()] == [two.uuid(), two.token(), two.secret()]
