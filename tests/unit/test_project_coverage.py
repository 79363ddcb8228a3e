"""tools/check_coverage.py holds the floors and makes the list of exceptions shrink."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools import check_coverage
from tools.check_coverage import Exemption


def complaints(percents: dict[str, float], *exemptions: Exemption, pure_only: bool = False) -> list[str]:
    listed = {exemption.path: exemption for exemption in exemptions}
    return [line.split(":")[0] for line in check_coverage.check(percents, listed, pure_only=pure_only)]


@pytest.mark.parametrize(
    ("path", "pure"),
    [
        ("sip/parser.py", True),
        ("sdp/session.py", True),
        ("masking/e164.py", True),
        ("engine/call.py", True),
        ("engine/call_states.py", True),
        ("engine/pin_prompt.py", True),
        ("engine/runner.py", False),
        ("webhooks/schedule.py", True),
        ("webhooks/formats/plivo.py", True),
        ("webhooks/deliver.py", False),
        ("cli/main.py", False),
    ],
)
def test_the_pure_packages_are_the_ones_promised(path: str, pure: bool) -> None:
    assert check_coverage.is_pure(path) is pure


def test_pure_files_need_everything_and_others_nine_tenths() -> None:
    assert complaints({"sip/parser.py": 99.9, "cli/main.py": 90.0, "app.py": 89.9}) == ["app.py", "sip/parser.py"]


def test_the_core_report_judges_pure_files_alone() -> None:
    assert complaints({"sip/parser.py": 99.9, "app.py": 0.0}, pure_only=True) == ["sip/parser.py"]


def test_an_exception_lowers_the_floor_and_holds_it() -> None:
    lowered = Exemption("app.py", 70.0, "started by the wire suite")
    assert complaints({"app.py": 70.0}, lowered) == []
    assert complaints({"app.py": 69.9}, lowered) == ["app.py"]


def test_an_exception_no_longer_needed_is_a_complaint() -> None:
    assert complaints({"app.py": 95.0}, Exemption("app.py", 70.0, "was hard")) == ["app.py"]
    assert complaints({}, Exemption("gone.py", 70.0, "was hard")) == ["gone.py"]


def test_an_exception_without_a_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="unpack"):
        check_coverage.read_exemptions("app.py 70\n")


def test_the_list_of_exceptions_is_readable() -> None:
    for exemption in check_coverage.read_exemptions(check_coverage.EXCEPTIONS.read_text()).values():
        assert 0 <= exemption.floor < 100
        assert len(exemption.reason) > 20


def test_a_report_below_the_floor_ends_with_exit_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = tmp_path / "exceptions.txt"
    listed.write_text("# none\n")
    monkeypatch.setattr(check_coverage, "EXCEPTIONS", listed)
    report = tmp_path / "coverage.json"

    def run(percent: float) -> int:
        files = {"src/maskline/app.py": {"summary": {"percent_covered": percent}}}
        report.write_text(json.dumps({"files": files, "totals": {"percent_covered": percent}}))
        return check_coverage.main([str(report)])

    assert run(89.99) == 1
    assert run(90.0) == 0
