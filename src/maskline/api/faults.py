"""Where a bug is, for the log line of a request that met one.

What it is not: the text of the exception, which may hold a number. Who uses it: the dialects' borders.
"""

from __future__ import annotations


def place_of(error: Exception) -> str:
    """`file:line` of the innermost frame."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return "?"
    return f"{traceback.tb_frame.f_code.co_filename.rpartition('/maskline/')[2]}:{traceback.tb_lineno}"
