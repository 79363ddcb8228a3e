"""The file of an export at `/exports/ID.csv?expires=…&signature=…`, for whoever has the link.

What it is: HTTP around `OpenExport`, as for recordings. What it is not: a resource of the account API; no credentials
are asked for and none are in the link. Who uses it: `api/app.py`.
"""

from __future__ import annotations

import re

from maskline.api.dispatch import Request, Response
from maskline.api.recordings import file_answer, read_proof, refusal
from maskline.errors import MasklineError, NotFound
from maskline.workflows.exports import FORMAT, UNKNOWN, OpenExport

_NAME = re.compile(r"([0-9a-zA-Z-]{1,64})\.csv")


class ExportDownload:
    __slots__ = ("_open",)

    def __init__(self, opener: OpenExport) -> None:
        self._open = opener

    async def __call__(self, request: Request) -> Response:
        try:
            match = _NAME.fullmatch(request.params["name"])
            if match is None:
                raise NotFound(UNKNOWN)
            file = await self._open.by_link(match[1], FORMAT, *read_proof(request.query))
        except MasklineError as error:
            return refusal(error)
        return file_answer(request, file, match[1], FORMAT)
