"""The published description is whole: every reference resolves, every route is in it."""

from __future__ import annotations

import json

import pytest

from maskline.api.eight.errors import ErrorShape
from maskline.api.eight.openapi import openapi_document
from maskline.api.eight.routes import EightDialect
from maskline.api.services import ApiServices
from tests.support.api_world import World

DOCUMENT = openapi_document()
METHODS = {"get", "post", "put", "delete", "patch"}


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    if isinstance(node, list):
        for value in node:
            yield from references(value)


def described():
    return {
        (path, method): operation
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


@pytest.mark.row("8x8:8/openapi")
def test_every_reference_resolves_and_every_schema_is_used():
    used = set(references(DOCUMENT))
    assert used == {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]} - unused_shapes()
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def unused_shapes():
    """All four shapes are there, whichever resources are served."""
    names = {f"#/components/schemas/{shape.value}" for shape in ErrorShape}
    return names - set(references(DOCUMENT["paths"]))


@pytest.mark.row("8x8:8/openapi")
def test_every_route_is_described_under_the_name_it_has_in_metrics_and_no_other():
    world = World()
    services = ApiServices(world.store, world.clock, world.ids, *[None] * 3, None, "")
    served = {
        (len(resource.path.split("/")), method.lower(), name)
        for resource in EightDialect(services)._resources
        for method, (name, _) in resource.operations.items()
    }
    base = len(["", "api", "v1", "subaccounts", "{id}"]) - 1
    assert served == {
        (len(p.split("/")) - base, m, operation["operationId"]) for (p, m), operation in described().items()
    }


def test_each_operation_tells_all_its_errors_in_one_shape_of_the_four():
    shapes = {f"#/components/schemas/{shape.value}" for shape in ErrorShape}
    for place, operation in described().items():
        told = {
            reference
            for status, answer in operation["responses"].items()
            if not status.startswith("2")
            for reference in references(answer)
        }
        assert len(told) == 1, place
        assert told <= shapes
        assert {"401", "404", "429", "default"} <= set(operation["responses"])
