"""The vendor's codes have the vendor's texts, letter by letter, as tests/spec/8x8-wavecell.txt quotes them."""

from __future__ import annotations

import re

import pytest

from maskline.webhooks.formats.eight import ERRORS
from maskline.webhooks.formats.eight_fault import SENTENCES
from tools.check_rows import CATALOGUES

QUOTED = re.compile(r'(-?\d+) "([^"]+)"')


def quoted(section: str) -> dict[int, str]:
    """Code → text of the rows of one section."""
    rows = [row for catalogue in CATALOGUES if catalogue.prefix == "8x8:" for row in catalogue.read()[0]]
    found = [QUOTED.match(row.sentence) for row in rows if row.section == section]
    return {int(match[1]): match[2] for match in found if match}


@pytest.mark.row("8x8:6.2/no-periods", "8x8:13/C21")
def test_summaries_know_the_published_codes_and_no_others():
    assert quoted("6.2") == ERRORS
    assert not set(ERRORS) & (set(SENTENCES) - {-9999})


@pytest.mark.row("8x8:8.1/-1001", "8x8:8.1/-1002", "8x8:8.1/-1003", "8x8:8.1/-1005", "8x8:8.1/-1006", "8x8:8.1/-1007")
@pytest.mark.row("8x8:8.1/-1008", "8x8:8.1/-1009", "8x8:8.1/-1010", "8x8:8.1/-1011", "8x8:8.1/-1012", "8x8:8.1/-1013")
@pytest.mark.row("8x8:8.1/-1014", "8x8:8.1/-1016", "8x8:8.1/-1017", "8x8:8.1/-1018", "8x8:8.1/-1019", "8x8:8.1/-1020")
def test_call_flows_are_refused_in_the_published_words():
    assert {code: text for code, text in quoted("8.1").items() if code < 0} == SENTENCES
