"""`maskline.compiled`: the package tells what it is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from maskline import compiled


@pytest.mark.parametrize(
    ("origin", "is_so"),
    [("maskline/sip/parser.cpython-311-x86_64-linux-gnu.so", True), ("maskline/sip/parser.py", False)],
)
def test_a_parser_that_is_a_library_was_compiled(monkeypatch: pytest.MonkeyPatch, origin: str, is_so: bool):
    monkeypatch.setattr(compiled, "find_spec", lambda _name: SimpleNamespace(origin=origin))
    assert compiled.is_compiled() is is_so
