"""What one `maskline …` command printed and returned."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """stdout of a command with --json; fails when there is anything beside the one document."""
        return json.loads(self.out)


Cli = Callable[..., Result]
