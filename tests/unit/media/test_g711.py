"""A-law and µ-law tables."""

from __future__ import annotations

from maskline.media.g711 import A_OF_LINEAR, A_TO_LINEAR, A_TO_MU, MU_OF_LINEAR, MU_TO_A, MU_TO_LINEAR


def test_known_levels_are_read() -> None:
    assert [MU_TO_LINEAR[byte] for byte in (0x00, 0x80, 0xFF, 0x7F)] == [-32124, 32124, 0, 0]
    assert [A_TO_LINEAR[byte] for byte in (0x2A, 0xAA, 0xD5, 0x55)] == [-32256, 32256, 8, -8]


def test_recoding_keeps_the_level_within_half_a_step() -> None:
    for byte, level in enumerate(MU_TO_LINEAR):
        assert abs(A_TO_LINEAR[MU_TO_A[byte]] - level) <= max(8, abs(level) // 32)
    for byte, level in enumerate(A_TO_LINEAR):
        assert abs(MU_TO_LINEAR[A_TO_MU[byte]] - level) <= max(8, abs(level) // 32)


def test_there_and_back_again_changes_a_level_by_one_step_at_most() -> None:
    for byte, level in enumerate(MU_TO_LINEAR):
        back = MU_TO_LINEAR[A_TO_MU[MU_TO_A[byte]]]
        assert abs(back - level) <= max(16, abs(level) // 16)


def test_writing_finds_the_nearest_level_and_keeps_what_was_read() -> None:
    for table, levels in ((MU_OF_LINEAR, MU_TO_LINEAR), (A_OF_LINEAR, A_TO_LINEAR)):
        assert len(table) == 65_536
        assert all(levels[table[level & 0xFFFF]] == level for level in levels)
        for sample in range(-32768, 32768, 101):
            assert abs(levels[table[sample & 0xFFFF]] - sample) == min(abs(level - sample) for level in levels)
