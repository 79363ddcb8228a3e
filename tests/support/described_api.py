"""Requests that a published OpenAPI document allows or forbids, made up by schemathesis; answers held against it.

An operation is called with made-up values and, more often than not, with ids and a body that exist (`real`, `body`):
made-up ones alone would see nothing but 401 and 400. The first request is real in all, and must succeed. Values that a
schema allows and meaning forbids (a text that is no number of a person) may be refused; what the answer looks like must
be in the document either way. The same examples every time, so that a failure is one of the change at hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from maskline.api.dispatch import AsgiApp

load_all_checks()
_CHECKS = CHECKS.get_by_names(
    [
        "not_a_server_error", "status_code_conformance", "content_type_conformance",
        "response_headers_conformance", "response_schema_conformance",
    ]
)  # fmt: skip
EXAMPLES = 8
"""For each operation, some 10 ms each; the whole suite has minutes."""


class DescribedApi:
    """One document, read once; `app` is set anew for each operation, since some remove what others need."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.app: AsgiApp | None = None
        self._schema = schemathesis.openapi.from_dict(dict(document))
        self._schema.app = self._forward
        self._schema.location = "http://api.test/openapi.json"

    async def _forward(self, scope: Any, receive: Any, send: Any) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)

    def hold(
        self, path: str, method: str, headers: Mapping[str, str], real: Mapping[str, str], body: Any = None
    ) -> Counter[int]:
        """Raises on the first answer that is not as described; otherwise how often each status came, that of the real
        request first."""
        operation = self._schema[path][method]
        statuses: Counter[int] = Counter()

        @settings(
            max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(
            case=operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
            use_real=st.sampled_from([True, True, False]),
            use_body=st.sampled_from([True, False]),
        )
        def one(case: Any, use_real: bool, use_body: bool) -> None:
            if use_real:
                case.path_parameters.update({name: real[name] for name in case.path_parameters if name in real})
            if use_body and body is not None:
                case.body, case.media_type = body, "application/json"
            response = case.call(headers=dict(headers))
            statuses[response.status_code] += 1
            case.validate_response(response, checks=_CHECKS)

        one()
        return statuses


def operations(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(path, method) of all that the document describes."""
    methods = {"get", "put", "post", "delete", "patch"}
    return [(path, method) for path, item in document["paths"].items() for method in item if method in methods]
