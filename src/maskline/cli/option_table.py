"""Options of a command from a table: for commands with more of them than a signature can hold.

Who uses it: `trunk_options.py`, `account_limits.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints


def add_options(command: Callable[..., None], options: Mapping[str, Any]) -> Callable[..., None]:
    """Give `command`, which takes them as `**said`, all of `options`: annotated types by parameter's name."""
    hints = get_type_hints(command, include_extras=True)
    own = [one for one in inspect.signature(command).parameters.values() if one.kind is not one.VAR_KEYWORD]
    kinds = inspect.Parameter.KEYWORD_ONLY
    more = [inspect.Parameter(name, kinds, default=None, annotation=kind) for name, kind in options.items()]
    command.__annotations__ = {**{one.name: hints[one.name] for one in own}, **options, "return": None}
    vars(command)["__signature__"] = inspect.Signature(
        [one.replace(kind=kinds, annotation=hints[one.name]) for one in own] + more
    )
    return command
