"""masking.policy: the words an operator writes for how sessions hold numbers."""

from __future__ import annotations

import pytest

from maskline.errors import InvalidParameter
from maskline.masking.policy import AccountPolicy, read_modes


@pytest.mark.parametrize(
    "text", ["shared", "split", "pin", "shared-then-split", "split-then-pin", "shared-then-split-then-pin"]
)
def test_a_policy_reads_as_it_is_written(text: str) -> None:
    assert AccountPolicy(read_modes(text)).pool == text


def test_case_and_blanks_do_not_matter() -> None:
    assert AccountPolicy(read_modes(" Shared-Then-PIN ")).pool == "shared-then-pin"


@pytest.mark.parametrize("text", ["", "open", "shared-then-shared", "shared,split", "shared-then-"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        read_modes(text)
    assert caught.value.parameter == "pool"


def test_the_default_is_one_number_shared_by_both_parties() -> None:
    assert AccountPolicy().pool == "shared"
