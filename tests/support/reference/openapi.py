"""Two descriptions of an API, compared by the values that they allow."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]

_DEEPEST = 12

METHODS = ("get", "post", "put", "patch", "delete")
_LIMITS = (
    "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "maxProperties", "pattern",
)  # fmt: skip


@dataclass
class Shape:
    """The values that a schema allows: JSON types, limits, values, and the contents of arrays and objects.

    Objects are tagged by the one value of their `type`; the others have the empty tag.
    """

    types: set[str] = field(default_factory=set)
    limits: dict[str, Any] = field(default_factory=dict)
    items: "Shape | None" = None
    objects: dict[str, "ObjectShape"] = field(default_factory=dict)


@dataclass
class ObjectShape:
    """The fields of an object."""

    fields: dict[str, Shape]
    required: set[str]
    closed: bool


class Document:
    """An OpenAPI document; paths are without `prefix`."""

    def __init__(self, document: Json, prefix: str = "") -> None:
        self._document = document
        self._depth = 0
        self.operations = {
            f"{method.upper()} {path.removeprefix(prefix)}": operation
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if method in METHODS
        }

    def shape(self, schema: Json) -> Shape:
        """The shape of a schema, down to a depth that only recursive schemas reach."""
        self._depth += 1
        try:
            return self._shape(schema) if self._depth <= _DEEPEST else Shape()
        finally:
            self._depth -= 1

    def _shape(self, schema: Json) -> Shape:
        found = Shape()
        alternatives = list(self._alternatives(schema))
        strings = [each for each in alternatives if each.get("type") == "string"]
        for each in alternatives:
            kind = each.get("type", "object" if "properties" in each else "anything")
            found.types.add(kind)
            found.limits |= {name: each[name] for name in _LIMITS if name in each}
            if kind == "array":
                found.items = self.shape(each.get("items", {}))
            elif kind == "object":
                found.objects[self._tag(each)] = self._object(each)
        if strings and all("enum" in each for each in strings):
            found.limits["enum"] = sorted({value for each in strings for value in each["enum"]})
        return found

    def parameters(self, operation: Json) -> dict[str, tuple[bool, Shape]]:
        """By name: whether the parameter is required, and its shape."""
        found = [self.resolved(parameter) for parameter in operation.get("parameters", ())]
        return {
            f"{each['in']} {each['name']}": (each.get("required", False), self.shape(each["schema"])) for each in found
        }

    def request(self, operation: Json) -> Shape | None:
        body = operation.get("requestBody")
        return self.shape(next(iter(body["content"].values()))["schema"]) if body else None

    def response(self, operation: Json) -> Shape:
        return self.shape(operation["responses"]["200"]["content"].get("application/json", {}).get("schema", {}))

    def resolved(self, schema: Json) -> dict[str, Any]:
        """The schema without references and compositions; keywords beside a reference take precedence."""
        found: dict[str, Any] = {}
        if "$ref" in schema:
            target: Any = self._document
            for step in schema["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            found |= self.resolved(target)
        for each in schema.get("allOf", ()):
            found |= self.resolved(each)
        found |= {name: value for name, value in schema.items() if name not in ("$ref", "allOf")}
        if "const" in found:
            found["enum"] = [found["const"]]
        return found

    def _alternatives(self, schema: Json) -> Iterator[dict[str, Any]]:
        found = self.resolved(schema)
        others = found.get("anyOf") or (found.get("oneOf") if "properties" not in found else None)
        if not others:
            yield found
            return
        around = {name: found[name] for name in ("default",) if name in found}
        for each in others:
            yield from ({**alternative, **around} for alternative in self._alternatives(each))

    def _tag(self, schema: Json) -> str:
        values = self.resolved(schema.get("properties", {}).get("type", {})).get("enum", ())
        return values[0] if len(values) == 1 else ""

    def _object(self, schema: Json) -> ObjectShape:
        fields = {name: self.shape(value) for name, value in schema.get("properties", {}).items()}
        inner = schema.get("additionalProperties")
        if isinstance(inner, Mapping) and inner:
            fields["*"] = self.shape(inner)
        return ObjectShape(fields, set(schema.get("required", ())), inner is False)


def differences(theirs: Document, ours: Document) -> Iterator[str]:
    """One line for each difference: the place, the property, the value in `theirs` and in `ours`."""
    for name in sorted(theirs.operations | ours.operations):
        if name not in ours.operations or name not in theirs.operations:
            yield f"{name}: {_presence(theirs.operations, name)} -> {_presence(ours.operations, name)}"
            continue
        yield from _operation(name, theirs, ours)


def matches(pattern: str, line: str) -> bool:
    """Whether a line matches a pattern, in which `*` stands for any text."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), line) is not None


def _operation(name: str, theirs: Document, ours: Document) -> Iterator[str]:
    their, our = theirs.operations[name], ours.operations[name]
    their_parameters, our_parameters = theirs.parameters(their), ours.parameters(our)
    for each in sorted(their_parameters | our_parameters):
        if each not in their_parameters or each not in our_parameters:
            yield f"{name} {each}: {_presence(their_parameters, each)} -> {_presence(our_parameters, each)}"
            continue
        (their_need, their_shape), (our_need, our_shape) = their_parameters[each], our_parameters[each]
        yield from _values(f"{name} {each} required", their_need, our_need)
        yield from _shapes(f"{name} {each}", their_shape, our_shape)
    their_body, our_body = theirs.request(their), ours.request(our)
    yield from _values(f"{name} request", their_body is not None, our_body is not None)
    if their_body and our_body:
        yield from _shapes(f"{name} request", their_body, our_body)
    yield from _shapes(f"{name} response", theirs.response(their), ours.response(our))


def _shapes(where: str, theirs: Shape, ours: Shape) -> Iterator[str]:
    yield from _values(f"{where} types", sorted(theirs.types), sorted(ours.types))
    for name in sorted(theirs.limits | ours.limits):
        yield from _values(f"{where} {name}", theirs.limits.get(name), ours.limits.get(name))
    if theirs.items and ours.items:
        yield from _shapes(f"{where}[]", theirs.items, ours.items)
    for tag in sorted(theirs.objects | ours.objects):
        place = f"{where}<{tag}>" if tag else where
        if tag in theirs.objects and tag in ours.objects:
            yield from _objects(place, theirs.objects[tag], ours.objects[tag])
        else:
            yield f"{place} object: {_presence(theirs.objects, tag)} -> {_presence(ours.objects, tag)}"


def _objects(where: str, theirs: ObjectShape, ours: ObjectShape) -> Iterator[str]:
    yield from _values(f"{where} closed", theirs.closed, ours.closed)
    for name in sorted(theirs.fields | ours.fields):
        place = f"{where}.{name}"
        if name not in theirs.fields or name not in ours.fields:
            yield f"{place}: {_presence(theirs.fields, name)} -> {_presence(ours.fields, name)}"
            continue
        yield from _values(f"{place} required", name in theirs.required, name in ours.required)
        yield from _shapes(place, theirs.fields[name], ours.fields[name])


def _values(where: str, theirs: object, ours: object) -> Iterator[str]:
    if theirs != ours:
        yield f"{where}: {_text(theirs)} -> {_text(ours)}"


def _text(value: object) -> str:
    return "none" if value is None else f"{value}"


def _presence(names: Mapping[str, object], name: str) -> str:
    return "there" if name in names else "absent"
