"""The package stays thin, and a typed program that uses it type-checks."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import plivo.resources
import pytest

import maskline.client
from maskline.client import AsyncRestClient, CreateOptions, ListFilters, RestClient, UpdateOptions
from maskline.client.aio import AsyncMaskingSessions
from maskline.client.sync import MaskingSessions

ROOT = Path(__file__).resolve().parents[3]


def test_the_blocking_client_brings_nothing_but_the_standard_library():
    program = "import sys; import maskline.client as c; c.RestClient; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, env={
        "PYTHONPATH": str(ROOT / "src")}).stdout.split()  # fmt: skip
    tops = {name.partition(".")[0] for name in loaded}
    assert not tops & {"aiohttp", "asyncio", "pydantic", "structlog", "starlette", "cryptography", "phonenumbers"}
    ours = {name for name in loaded if name.startswith("maskline")}
    assert {name for name in ours if not name.startswith("maskline.client")} == {"maskline"}


def test_every_public_name_is_there():
    for name in maskline.client.__all__:
        assert getattr(maskline.client, name).__name__ == name
    with pytest.raises(AttributeError, match="Elsewhere"):
        maskline.client.Elsewhere  # noqa: B018


def test_both_clients_have_the_same_methods_with_the_same_arguments():
    for ours, theirs in ((MaskingSessions, AsyncMaskingSessions), (RestClient, AsyncRestClient)):
        public = [name for name in vars(ours) if not name.startswith("_")]
        assert public == [name for name in vars(theirs) if not name.startswith("_")]
        for name in (*public, "__init__"):
            assert (
                inspect.signature(getattr(ours, name)).parameters.keys()
                == inspect.signature(getattr(theirs, name)).parameters.keys()
            )


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("create_masking_session", CreateOptions),
        ("update_masking_session", UpdateOptions),
        ("list_masking_session", ListFilters),
        ("get_masking_session", None),
        ("delete_masking_session", None),
    ],
)
def test_every_argument_of_plivos_client_is_taken(method, options):
    wrapped = inspect.unwrap(getattr(plivo.resources.maskingsession.MaskingSessions, method))
    theirs = set(inspect.signature(wrapped).parameters) - {"self"}
    ours = set(inspect.signature(getattr(MaskingSessions, method)).parameters) - {"self"}
    assert theirs <= ours | set(options.__annotations__ if options else ())


def test_every_option_says_what_it_is():
    text = (ROOT / "src/maskline/client/options.py").read_text()
    for cls in [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]:
        body = cls.body[1:]  # after the docstring
        for one, following in zip(body, [*body[1:], None], strict=True):
            if isinstance(one, ast.AnnAssign) and "__" not in ast.unparse(one.target):
                assert isinstance(following, ast.Expr), f"{cls.name}.{ast.unparse(one.target)}"


GOOD = """
    from datetime import UTC, datetime, timedelta
    from typing import assert_type
    from maskline.client import AsyncRestClient, RestClient, RestError, Session, SessionPage, SessionReply

    def tell(client: RestClient) -> str:
        sessions = client.masking_sessions
        reply = sessions.create_masking_session("+6590000001", "+6590000002", session_expiry=600, record=True)
        assert_type(reply, SessionReply)
        assert_type(reply.session, Session)
        assert_type(reply.expiry_time, datetime | None)
        sessions.update_masking_session(session_uuid=reply.session_uuid, call_time_limit=3600, record=True)
        page = sessions.list_masking_session(status="active", created_time__gte=datetime.now(UTC) - timedelta(days=1))
        assert_type(page, SessionPage)
        try:
            return sessions.delete_masking_session(page[0].session_uuid).message
        except RestError as error:
            return f"{error.status} {error.error} {error.parameter}"

    async def walk(client: AsyncRestClient) -> list[str]:
        return [one.session_uuid async for one in client.masking_sessions.iterate_masking_sessions(limit=20)]
"""

BAD = """
    from maskline.client import AsyncRestClient, RestClient

    def wrong(client: RestClient) -> None:
        client.masking_sessions.create_masking_session("+65", "+66", sesion_expiry=600)
        client.masking_sessions.create_masking_session("+65", "+66", record="yes")
        client.masking_sessions.update_masking_session("s", record_file_format="ogg")
        client.masking_sessions.get_masking_session("s").expires.isoformat()

    async def forgotten(client: AsyncRestClient) -> int:
        return len(client.masking_sessions.list_masking_session())
"""


def test_a_typed_program_passes_mypy_strict_and_a_wrong_one_does_not(tmp_path):
    (tmp_path / "good.py").write_text(textwrap.dedent(GOOD))
    (tmp_path / "bad.py").write_text(textwrap.dedent(BAD))
    # As an installed package is met: no stubs, found by its py.typed alone; the project's own cache saves six seconds.
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(ROOT / ".mypy_cache"), "good.py", "bad.py"]
    environment = {"MYPYPATH": str(ROOT / "src"), "PATH": ""}
    told = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, env=environment).stdout
    lines = sorted({int(line) for line in re.findall(r"^bad\.py:(\d+): error", told, re.M)})
    assert lines == [5, 6, 7, 8, 11], told
    assert "good.py" not in told
    assert (ROOT / "src/maskline/py.typed").exists()
