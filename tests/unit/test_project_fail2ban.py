"""The shipped fail2ban filter reads the line that we write, in both forms, and no other line of ours."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import structlog

from tests.support.logging import configured_logs

FILTER = Path(__file__).parents[2] / "contrib/fail2ban/filter.d/maskline.conf"
BANNED = ["192.0.2.66", "203.0.113.201", "2001:db8::66"]


def written(form: str) -> str:
    """Lines as a server writes them."""
    stream = io.StringIO()
    with configured_logs(form=form, stream=stream):
        log = structlog.get_logger("maskline.engine")
        for host in BANNED:
            log.warning("source_banned", host=host, seconds=300.0)
        log.warning("stranger_dropped", host="192.0.2.99", datagrams=1)
        log.warning("trunk_not_proved", host="192.0.2.98", requests=7)
        log.warning("unknown_number", number="source_banned host=192.0.2.97", trunk="x", calls=1)
    return stream.getvalue()


def patterns() -> list[str]:
    text = FILTER.read_text()
    block = text[text.index("failregex = ") + len("failregex = ") : text.index("ignoreregex")]
    return [line.strip().replace("<ADDR>", r"(?P<host>[0-9a-fA-F.:]+)") for line in block.strip().splitlines()]


@pytest.mark.parametrize("form", ["text", "json"])
def test_only_banned_strangers_are_found(form: str) -> None:
    found = []
    for line in written(form).splitlines():
        found += [match["host"] for pattern in patterns() if (match := re.search(pattern, line))]
    assert found == BANNED


@pytest.mark.skipif(shutil.which("fail2ban-regex") is None, reason="needs Debian's fail2ban")
@pytest.mark.parametrize("form", ["text", "json"])
def test_fail2ban_itself_finds_them(form: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(written(form))
    told = subprocess.run(
        ["fail2ban-regex", "--out", "ip", str(log), str(FILTER)], capture_output=True, text=True, timeout=30, check=True
    )
    assert told.stdout.split() == BANNED, told.stdout + told.stderr
