"""lab.platform: how it ends, speaks to the CLI and waits, with a stand-in for the program it starts."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from aiohttp import web

from maskline.lab.platform import LabError, Platform
from tests.support.waiting import until

_STAND_IN = """\
import signal, sys, time
if sys.argv[1] == "serve":
    signal.signal(signal.SIGTERM, lambda *_: {end})
    print("listens", flush=True)
    while True:
        time.sleep(60)
print('{{"asked": "' + " ".join(sys.argv[1:]) + '"}}' if sys.argv[1] == "account" else "")
sys.exit(0 if sys.argv[1] == "account" else "no such thing")
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Where a package of the product's name lies that does as the tests want."""
    (tmp_path / "stand_in" / "maskline").mkdir(parents=True)
    return tmp_path / "stand_in"


def made(program: Path, end: str = "sys.exit(7)") -> Platform:
    (program / "maskline" / "__init__.py").touch()
    (program / "maskline" / "__main__.py").write_text(_STAND_IN.format(end=end))
    return Platform(program, MASKLINE_MEDIA="none", PYTHONPATH=str(program))


async def spawned(platform: Platform) -> Platform:
    """It takes signals by now."""
    platform._spawn()
    await until(lambda: platform.log_lines("listens"), within=60.0, what="the start")
    return platform


def test_one_that_was_never_started_has_no_process(program: Path) -> None:
    platform = made(program)
    with pytest.raises(LabError, match="not running"):
        _ = platform.pid
    assert platform.stop() == 0


async def test_it_is_told_to_end_and_says_its_code(program: Path) -> None:
    platform = await spawned(made(program))
    assert platform.pid > 0
    assert platform.stop(60.0) == 7
    assert platform.stop() == 7


async def test_one_that_does_not_end_is_killed(program: Path) -> None:
    platform = await spawned(made(program, end="print('told', flush=True)"))
    assert platform.stop(0.1, calls_may_end=False) == -signal.SIGKILL


def test_the_document_of_a_command_or_its_sentence(program: Path) -> None:
    platform = made(program)
    assert platform.cli("account", "list") == {"asked": "account list --json"}
    with pytest.raises(LabError, match="maskline number add: no such thing"):
        platform.cli("number", "add", "+15550100")


async def test_it_is_ready_when_it_says_200_and_is_spoken_to_with_credentials(program: Path) -> None:
    answers = iter([503, 200])
    heard: list[tuple[str, str]] = []

    async def health(_request: web.Request) -> web.Response:
        return web.Response(status=next(answers))

    async def account(request: web.Request) -> web.Response:
        heard.append((request.method, request.headers["Authorization"]))
        return web.json_response(await request.json(), status=201)

    platform = made(program)
    app = web.Application()
    app.router.add_get("/healthz", health)
    app.router.add_post("/v1/Account/", account)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, platform.host, platform.http_port).start()
    try:
        await platform.start(60.0)
        assert next(answers, None) is None
        assert await platform.rest("POST", "/v1/Account/", ("id", "token"), {"a": 1}) == (201, {"a": 1})
        assert heard == [("POST", "Basic aWQ6dG9rZW4=")]
    finally:
        platform._process.kill()  # type: ignore[union-attr]
        platform.stop(60.0)
        await runner.cleanup()


async def test_one_that_ends_at_once_is_not_waited_for(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    platform = made(program)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(LabError, match="did not become ready"):
        await platform.start(60.0)
