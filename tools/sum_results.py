"""Add up the JUnit files of all suites and print one closing line: 'N passed, N failed, N skipped'.

Called last by `make test`. Exit 1 when a test failed or none ran, since a run without tests proves nothing.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET


def count(paths: list[str]) -> tuple[int, int, int]:
    """(passed, failed, skipped) over all files; an error counts as failed."""
    total = failed = skipped = 0
    for path in paths:
        for suite in ET.parse(path).getroot().iter("testsuite"):
            total += int(suite.get("tests", 0))
            failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped += int(suite.get("skipped", 0))
    return total - failed - skipped, failed, skipped


def main(paths: list[str]) -> int:
    passed, failed, skipped = count(paths)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
