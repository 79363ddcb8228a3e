"""The crash suite notices what it is there for: with a sabotaged platform it fails, and says so in the right words.

Here the one that matters most: a request that is acknowledged before its commit. All of them: `python tools/crash.py
--teeth`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.crash_sabotage import SEEDS, SEEN_AS

if TYPE_CHECKING:
    from tests.crash.conftest import Campaign

pytestmark = pytest.mark.wire


def test_an_acknowledgement_before_the_commit_is_noticed(campaign: Campaign) -> None:
    for seed in SEEDS:
        found = campaign.run("sqlite", seed, "early").wrong
        if any(SEEN_AS["early"] in one for one in found):
            return
    pytest.fail("a platform that acknowledges before it commits has passed three times")
