"""The published description is whole: every reference resolves, every attribute is there."""

from __future__ import annotations

import json

from maskline.api.plivo.attributes import ATTRIBUTES
from maskline.api.plivo.openapi import openapi_document
from maskline.masking.session import SessionOptions

DOCUMENT = openapi_document(SessionOptions(session_expiry=1800))


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    if isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_resolves():
    found = set(references(DOCUMENT))
    known = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert found <= known
    assert len(found) > 8


def test_every_attribute_is_described_and_the_updatable_ones_again():
    create = DOCUMENT["components"]["schemas"]["CreateSession"]
    update = DOCUMENT["components"]["schemas"]["UpdateSession"]
    assert list(create["properties"]) == [attribute.name for attribute in ATTRIBUTES]
    assert create["anyOf"] == [{"required": ["first_party"]}, {"required": ["second_party"]}]
    assert list(update["properties"]) == [each.name for each in ATTRIBUTES if each.updatable or each.fillable]
    assert {each.name for each in ATTRIBUTES if each.fillable} == {"first_party", "second_party"}
    assert "anyOf" not in update


def test_ranges_and_defaults_come_from_the_tables():
    properties = DOCUMENT["components"]["schemas"]["CreateSession"]["properties"]
    expiry = properties["session_expiry"]
    assert (expiry["minimum"], expiry["maximum"], expiry["default"]) == (60, 86_400, 1800)
    assert "default" not in properties["geomatch"]
    retry, length = properties["pin_retry"], properties["generate_pin_length"]
    assert (retry["minimum"], retry["maximum"], retry["default"]) == (0, 5, 1)
    assert (length["minimum"], length["maximum"], length["default"]) == (4, 15, 4)
    assert properties["first_party_pin"]["pattern"] == "^[0-9]{4,15}$"


def test_operation_ids_are_distinct_and_the_document_is_json():
    ids = [op["operationId"] for path in DOCUMENT["paths"].values() for op in path.values() if isinstance(op, dict)]
    plivo = ["create_session", "expire_session", "list_sessions", "retrieve_session", "update_session"]
    sessions = [*plivo, *(name + "_vts" for name in plivo)]
    assert sorted(name for name in ids if "session" in name) == sorted(sessions)
    assert len(set(ids)) == len(ids) == len(sessions) + 13
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_nothing_is_accepted_without_effect_any_more():
    for schema in ("CreateSession", "UpdateSession"):
        properties = DOCUMENT["components"]["schemas"][schema]["properties"]
        assert not [name for name, shown in properties.items() if "later release" in shown["description"]]
