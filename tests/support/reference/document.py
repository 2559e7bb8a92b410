"""The reference document of the API, completed by the limits that only the contract states."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

Schema = dict[str, Any]
DATA = Path(__file__).parents[2] / "data"
SUPPLEMENT: Mapping[str, Any] = yaml.safe_load((DATA / "supplement.yaml").read_text("utf-8"))
_METHODS = ("get", "post", "delete")
_COMPOSED = ("anyOf", "oneOf", "allOf")


class Operation(NamedTuple):
    """One operation of the document; `path` is relative to `/v1`."""

    id: str
    method: str
    path: str
    parameters: list[Schema]
    body: Schema | None


def operations(document: Schema) -> dict[str, Operation]:
    """The operations by their ids."""
    found: dict[str, Operation] = {}
    for path, item in document["paths"].items():
        for method in (name for name in _METHODS if name in item):
            operation = item[method]
            content: Schema = operation.get("requestBody", {}).get("content", {})
            body = next((media["schema"] for media in content.values()), None)
            id_ = operation["operationId"]
            found[id_] = Operation(id_, method.upper(), path, operation.get("parameters", []), body)
    return found


@cache
def reference() -> Schema:
    """The document with its supplement. Tests share it: a test that changes it has to copy it first.

    `nullable` is written as in OpenAPI 3.1, and every object of a request that lists its properties refuses others.
    """
    document: Schema = yaml.safe_load((DATA / "assistants-openapi.yaml").read_text("utf-8"))
    schemas = document["components"]["schemas"]
    for path, schema in SUPPLEMENT["replaced"].items():
        node = _at(schemas, path)
        node.clear()
        node.update(deepcopy(schema))
    for path, schema in SUPPLEMENT["schemas"].items():
        _merge(_at(schemas, path), schema)
    seen: set[int] = set()
    for operation in operations(document).values():
        for parameter in operation.parameters:
            limits, name = SUPPLEMENT["parameters"], parameter["name"]
            _merge(parameter["schema"], limits.get(f"{operation.id} {name}", limits.get(name, {})))
        if operation.id not in SUPPLEMENT["absent"] and operation.body:
            _complete(document, operation.body, seen)
    return _without_nullable(document)


def resolve(document: Schema, schema: Schema) -> Schema:
    """The schema that a schema refers to, or the schema itself."""
    while "$ref" in schema:
        node: Any = document
        for name in schema["$ref"].removeprefix("#/").split("/"):
            node = node[name]
        schema = node
    return schema


def _at(schemas: Schema, path: str) -> Schema:
    first, *steps = path.split("/")
    node: Any = schemas.setdefault(first, {})
    for step in steps:
        node = node[int(step)] if isinstance(node, list) else node[step]
    return node


def _merge(schema: Schema, more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(schema.get(key), dict):
            _merge(schema[key], value)
        elif isinstance(value, list):
            schema[key] = [*schema.get(key, []), *deepcopy(value)]
        else:
            schema[key] = deepcopy(value)


def _complete(document: Schema, request: Schema, seen: set[int]) -> None:
    for schema in _nodes(document, request, seen):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for name, child in schema.get("properties", {}).items():
            (target, *_) = child.get("anyOf", [child])
            _merge(target, SUPPLEMENT["properties"].get(name, {}))


def _nodes(document: Schema, schema: Schema, seen: set[int]) -> Iterator[Schema]:
    schema = resolve(document, schema)
    if id(schema) in seen:
        return
    seen.add(id(schema))
    yield schema
    children = [*schema.get("properties", {}).values(), *(each for key in _COMPOSED for each in schema.get(key, []))]
    for child in [*children, *([schema["items"]] if "items" in schema else [])]:
        yield from _nodes(document, child, seen)


def _without_nullable(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_nullable(each) for each in node]
    if not isinstance(node, dict):
        return node
    if node.get("allOf", [])[1:] == [{"nullable": True}]:
        node = {**node["allOf"][0], "nullable": True}
    schema = {key: _without_nullable(value) for key, value in node.items() if key != "nullable"}
    return {"anyOf": [schema, {"type": "null"}]} if node.get("nullable") is True else schema
