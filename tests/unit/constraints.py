"""Generates cases from the reference: for each constraint a request on its limit, and one beyond it."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from assistants.schema.errors import malformed_json
from tests.support.reference.document import SUPPLEMENT, Operation, Schema, resolve

IGNORED = {"title", "description", "default", "discriminator", "deprecated"}
"""Keywords without a constraint."""
UNTRIABLE = 1_000_000
"""Items of the longest array that is generated."""
_NAMES = {"string": "a string", "integer": "an integer", "number": "a decimal", "boolean": "a boolean"}
_ID = re.compile(r"\^([a-z]+)\[")
"""The pattern of an id, which begins with a prefix."""


class Constraint(NamedTuple):
    """A keyword of a schema at one place of an operation. Equal schemas at one place are separate constraints."""

    operation: str
    param: str
    schema: int
    keyword: str

    def __str__(self) -> str:
        return f"{self.operation} {self.param} {self.keyword}"


class Sent(NamedTuple):
    """A request; the path begins after `/v1`, and without a body it has `...`."""

    method: str
    path: str
    query: str = ""
    body: Any = ...


class Case(NamedTuple):
    """A constraint with its requests, which are made when they are sent, as some are large."""

    constraint: Constraint
    passes: Callable[[], Sent]
    refused: Callable[[], Sent]
    error: dict[str, str | None]

    def __str__(self) -> str:
        return str(self.constraint)


Put = Callable[[Any], Any]
"""From the value of a field to the whole body."""


class _Place(NamedTuple):
    """The place of a schema: the name of its field, and the function that puts a value there."""

    param: str
    put: Put

    def key(self, name: str, others: Schema) -> "_Place":
        return _Place(f"{self.param}.{name}".removeprefix("."), lambda value: self.put({**others, name: value}))

    def item(self) -> "_Place":
        return _Place(f"{self.param}[0]", lambda value: self.put([value]))


class Cases:
    """The cases of an operation."""

    def __init__(self, document: Schema, operation: Operation) -> None:
        self._document = document
        self._operation = operation
        self._within: list[int] = []
        """The schemas around the present one, which may contain itself."""
        names = re.findall(r"{(\w+)}", operation.path)
        schemas = {parameter["name"]: parameter["schema"] for parameter in operation.parameters}
        self._ids = {name: self._example(schemas[name]) for name in names}

    def all(self) -> Iterator[Case]:
        method, path, body = self._operation.method, self._operation.path, self._operation.body
        for parameter in self._operation.parameters:
            for case in self._value(parameter["schema"], self._parameter(parameter["name"], parameter["in"])):
                if _applies(case.constraint, parameter):
                    yield case
        if body:
            place = _Place("", lambda value: Sent(method, path.format(**self._ids), body=value))
            yield self._case(place, body, "null", self._example(body), None, _Answer(malformed_json().message, None))
            yield from self._value(body, place)

    def constraints(self) -> Iterator[Constraint]:
        """All constraints of the operation, with or without a case."""
        for parameter in self._operation.parameters:
            for found in self._constraints(parameter["schema"], parameter["name"].removesuffix("[]")):
                if _applies(found, parameter):
                    yield found
        if self._operation.body:
            yield Constraint(self._operation.id, "", id(self._operation.body), "null")
            yield from self._constraints(self._operation.body, "")

    def _constraints(self, schema: Schema, param: str) -> Iterator[Constraint]:
        schema = resolve(self._document, schema)
        if id(schema) in self._within:
            return
        self._within.append(id(schema))
        yield from self._stated(schema, param)
        self._within.pop()

    def _stated(self, schema: Schema, param: str) -> Iterator[Constraint]:
        for keyword, value in schema.items():
            if keyword == "properties":
                for name, child in value.items():
                    place = f"{param}.{name}".removeprefix(".")
                    yield Constraint(self._operation.id, place, id(child), "null")
                    yield from self._constraints(child, place)
            elif keyword == "items":
                yield Constraint(self._operation.id, f"{param}[0]", id(value), "null")
                yield from self._constraints(value, f"{param}[0]")
            elif keyword == "additionalProperties" and isinstance(value, dict):
                yield Constraint(self._operation.id, f"{param}.k", id(value), "null")
                yield from self._constraints(value, f"{param}.k")
            elif keyword == "anyOf" or (keyword == "oneOf" and not _is_choice_of_keys(schema)):
                for each in value:
                    if each != {"type": "null"}:
                        yield from self._constraints(each, param)
            elif keyword == "required":
                for name in value:
                    yield Constraint(self._operation.id, param, id(schema), f"required {name}")
            elif keyword not in IGNORED and (keyword, value) != ("additionalProperties", True):
                yield Constraint(self._operation.id, param, id(schema), keyword)

    def _case(self, place: _Place, schema: Schema, keyword: str, passes: Any, refused: Any, answer: "_Answer") -> Case:
        """A case; `passes` and `refused` are values, or functions that make values."""
        shown = answer.param if answer.param is not None else place.param
        for end, message in SUPPLEMENT["answers"].items():
            if shown.endswith(end) and keyword.startswith(("required", "minItems")):
                answer, shown = _Answer(message, None), ""
        subject = f"'{shown}'" if shown else "the request body"
        return Case(
            Constraint(self._operation.id, place.param, id(schema), keyword),
            lambda: place.put(passes() if callable(passes) else passes),
            lambda: place.put(refused() if callable(refused) else refused),
            _error(answer.message.replace("@", subject), shown or None, answer.code),
        )

    def _parameter(self, name: str, where: str) -> _Place:
        method, path = self._operation.method, self._operation.path
        body = self._example(self._operation.body) if self._operation.body else ...

        def put(value: Any) -> Sent:
            ids, query = self._ids, ""
            if where == "path":
                ids = {**ids, name: value}
            else:
                query = f"{name}={value[0] if isinstance(value, list) else value}"
            return Sent(method, path.format(**ids), query, body)

        return _Place(name.removesuffix("[]"), put)

    def _value(self, schema: Schema, place: _Place) -> Iterator[Case]:
        """The cases of the field as a whole, then those of each alternative."""
        alternatives = list(self._alternatives(schema))
        members = [each for each in alternatives if each.get("type") != "null"]
        nullable = len(members) < len(alternatives)
        types = {each["type"] for each in members}
        wrong_type: Any = 5 if not types & {"integer", "number"} else "x" if "string" not in types else {}
        expected = self._expected(members)
        if place.param:
            null = None if nullable else self._example(schema)
            beyond = wrong_type if nullable else None
            yield self._case(place, schema, "null", null, beyond, _wrong_type(expected, beyond))
        for union in self._unions(schema):
            yield self._case(place, union, "type", self._example(schema), wrong_type, _wrong_type(expected, wrong_type))
        for member in members:
            answer = _wrong_type(expected, wrong_type)
            yield self._case(place, member, "type", self._example(member), wrong_type, answer)
            if id(member) not in self._within:
                self._within.append(id(member))
                yield from getattr(self, f"_{member['type']}", self._scalar)(member, place, members)
                self._within.pop()

    def _unions(self, schema: Schema) -> Iterator[Schema]:
        """Unions that state the type of their members."""
        schema = resolve(self._document, schema)
        if "type" in schema and "oneOf" in schema and not _is_choice_of_keys(schema):
            yield schema

    def _alternatives(self, schema: Schema) -> Iterator[Schema]:
        schema = resolve(self._document, schema)
        if _is_choice_of_keys(schema) or not ("anyOf" in schema or "oneOf" in schema):
            yield schema
        else:
            for each in schema.get("anyOf") or schema["oneOf"]:
                yield from self._alternatives(each)

    def _expected(self, members: Sequence[Schema]) -> str:
        """The types of the members in words."""
        words: list[str] = []
        for member in members:
            word = _NAMES.get(member["type"], "an object")
            if member["type"] == "array":
                items = {each["type"] for each in self._alternatives(member["items"])}
                word = f"an array of {items.pop()}s" if len(items) == 1 else "an array"
            if word not in words:
                words.append(word)
        if len(words) == 1:
            return f"one of {_listed(members[0]['enum'], 'or', 12)}" if "enum" in members[0] else words[0]
        first, *others, last = [words[0], *(word.partition(" ")[2] for word in words[1:])]
        return f"one of {', '.join([first, *others])}{',' * bool(others)} or {last}"

    def _object(self, schema: Schema, place: _Place, members: Sequence[Schema]) -> Iterator[Case]:
        example, properties = self._example(schema), schema.get("properties", {})
        for name in schema.get("required", ()):
            without = {key: value for key, value in example.items() if key != name}
            field = place.key(name, {}).param
            yield self._case(place, schema, f"required {name}", example, without, _missing(field))
        if schema.get("additionalProperties") is False:
            answer = _Answer("Unknown parameter: @.", "unknown_parameter", place.key("other", {}).param)
            yield self._case(place, schema, "additionalProperties", example, {**example, "other": 1}, answer)
        if _is_choice_of_keys(schema):
            yield from self._choice_of_keys(schema, place)
        if isinstance(schema.get("additionalProperties"), dict):
            yield from self._map(schema, place)
        objects = [each for each in members if each["type"] == "object"]
        for name, child in properties.items():
            if len(objects) > 1 and name == "type":
                tag, tags = child["enum"][0], [tag for each in objects for tag in each["properties"]["type"]["enum"]]
                field = place.key("type", example)
                yield self._case(field, child, "null", tag, None, _not_among(tags, None))
                yield self._case(field, child, "type", tag, 5, _not_among(tags, 5))
                yield self._case(field, child, "enum", tag, "other", _not_among(tags, "other"))
            else:
                chosen = _is_choice_of_keys(schema) and {"required": [name]} in schema["oneOf"]
                yield from self._value(child, place.key(name, {} if chosen else example))

    def _choice_of_keys(self, schema: Schema, place: _Place) -> Iterator[Case]:
        first, second = (each["required"][0] for each in schema["oneOf"])
        one, other = ({name: self._example(schema["properties"][name])} for name in (first, second))
        param = place.key(first, {}).param
        exclusive = (
            "Mutually exclusive parameters. Ensure you are only providing one of: "
            f"'{param}' or '{place.key(second, {}).param}'."
        )
        answer = _Answer(exclusive, "mutually_exclusive_parameters", "")
        yield self._case(place, schema, "oneOf", one, {**one, **other}, answer)
        yield self._case(place, schema, "oneOf", other, {}, _missing(param))

    def _map(self, schema: Schema, place: _Place) -> Iterator[Case]:
        value = self._example(schema["additionalProperties"])
        yield from self._value(schema["additionalProperties"], place.key("k", {}))
        if most := schema.get("maxProperties"):
            answer = _Answer(
                f"Invalid @: too many properties. Expected an object with at most {most} properties, but got an "
                f"object with {most + 1} properties instead.",
                "object_above_max_properties",
            )
            full = {str(number): value for number in range(most)}
            yield self._case(place, schema, "maxProperties", full, {**full, "more": value}, answer)
        if longest := schema.get("propertyNames", {}).get("maxLength"):
            answer = _Answer(
                f"Invalid property name in @: 'kkk...kkk' is too long. Expected a string with maximum length "
                f"{longest}, but got a string with length {longest + 1} instead.",
                "property_name_above_max_length",
            )
            longest_key = {"k" * longest: value}
            yield self._case(place, schema, "propertyNames", longest_key, {"k" * (longest + 1): value}, answer)

    def _array(self, schema: Schema, place: _Place, members: Sequence[Schema]) -> Iterator[Case]:
        item = self._example(schema["items"])
        if least := schema.get("minItems"):
            assert least == 1
            expected = "Expected an array with minimum length 1, but got an empty array instead."
            answer = _Answer(f"Invalid @: empty array. {expected}", "empty_array")
            yield self._case(place, schema, "minItems", [item], [], answer)
        most = schema.get("maxItems", UNTRIABLE)
        if most < UNTRIABLE:
            answer = _Answer(
                f"Invalid @: array too long. Expected an array with maximum length {most}, but got an array with "
                f"length {most + 1} instead.",
                "array_above_max_length",
            )
            yield self._case(place, schema, "maxItems", [item] * most, [item] * (most + 1), answer)
        yield from self._value(schema["items"], place.item())

    def _string(self, schema: Schema, place: _Place, members: Sequence[Schema]) -> Iterator[Case]:
        if "enum" in schema:
            for value in schema["enum"]:
                yield self._case(place, schema, "enum", value, "other", _not_among(schema["enum"], "other"))
        if longest := schema.get("maxLength"):
            answer = _Answer(
                f"Invalid @: string too long. Expected a string with maximum length {longest}, but got a string "
                f"with length {longest + 1} instead.",
                "string_above_max_length",
            )
            yield self._case(place, schema, "maxLength", lambda: "x" * longest, lambda: "x" * (longest + 1), answer)
        if least := schema.get("minLength"):
            assert least == 1
            expected = "Expected a string with minimum length 1, but got an empty string instead."
            answer = _Answer(f"Invalid @: string too short. {expected}", "empty_string")
            yield self._case(place, schema, "minLength", "x", "", answer)
        if pattern := schema.get("pattern"):
            expected = f"Expected a string that matches the pattern '{pattern}'."
            wrong, answer = "a b", _Answer(f"Invalid @: string does not match pattern. {expected}", "invalid_value")
            if prefix := _ID.match(pattern):
                expected = f"Expected an ID that begins with '{prefix[1]}'."
                wrong, answer = "wf_x", _Answer(f"Invalid @: 'wf_x'. {expected}", "invalid_value")
            yield self._case(place, schema, "pattern", self._example(schema), wrong, answer)
        if "format" in schema:
            expected = "Expected a valid URL that begins with 'http://' or 'https://'."
            answer = _Answer(f"Invalid @: invalid URL. {expected}", "invalid_value")
            yield self._case(place, schema, "format", self._example(schema), "ftp://x", answer)

    def _scalar(self, schema: Schema, place: _Place, members: Sequence[Schema]) -> Iterator[Case]:
        kind = "integer" if schema["type"] == "integer" else "decimal"
        for keyword, step, side, code, sign in (
            ("maximum", 1, "above maximum", "above_max", "<="),
            ("minimum", -1, "below minimum", "below_min", ">="),
        ):
            if keyword in schema:
                limit = schema[keyword]
                expected = f"Expected a value {sign} {limit}, but got {limit + step} instead."
                answer = _Answer(f"Invalid @: {kind} {side} value. {expected}", f"{kind}_{code}_value")
                yield self._case(place, schema, keyword, limit, limit + step, answer)

    def _example(self, schema: Schema) -> Any:
        """The smallest value that passes, never null."""
        schema = next(self._alternatives(schema))
        if schema["type"] == "object":
            required = [*schema.get("required", ())]
            if _is_choice_of_keys(schema):
                required += schema["oneOf"][0]["required"]
            return {name: self._example(schema["properties"][name]) for name in required}
        if schema["type"] == "array":
            return [self._example(schema["items"])] * schema.get("minItems", 0)
        if schema["type"] == "string":
            prefix = _ID.match(schema.get("pattern", ""))
            text = "https://example.com" if schema.get("format") == "uri" else "x"
            return schema["enum"][0] if "enum" in schema else f"{prefix[1]}_1" if prefix else text
        return schema.get("minimum", True if schema["type"] == "boolean" else 1)


class _Answer(NamedTuple):
    """The expected error; `@` stands for the constraint's field, or for `param` if it names another; "" means null."""

    message: str
    code: str | None
    param: str | None = None


def _is_choice_of_keys(schema: Schema) -> bool:
    """Whether its `oneOf` requires one of several keys."""
    return all(set(each) == {"required"} for each in schema.get("oneOf", [{}]))


def _applies(constraint: Constraint, parameter: Schema) -> bool:
    """Whether a keyword applies to a parameter: its values are strings, never null, and one value is a list."""
    return constraint.keyword != "null" and (constraint.keyword != "type" or parameter["schema"]["type"] == "integer")


def _error(message: str, param: str | None, code: str | None) -> dict[str, str | None]:
    return {"message": message, "type": "invalid_request_error", "param": param, "code": code}


def _missing(param: str) -> _Answer:
    return _Answer("Missing required parameter: @.", "missing_required_parameter", param)


def _wrong_type(expected: str, got: Any) -> _Answer:
    described = {int: "an integer", str: "a string", dict: "an object", type(None): "null"}[type(got)]
    return _Answer(f"Invalid type for @: expected {expected}, but got {described} instead.", "invalid_type")


def _listed(values: Sequence[str], conjunction: str, longest: int = 64) -> str:
    order = next((each for each in SUPPLEMENT["orders"] if set(values) == set(each)), list(values))
    shown = [value if len(value) <= longest else f"{value[:3]}...{value[-3:]}" for value in order if value in values]
    *others, last = [f"'{value}'" for value in shown]
    return f"{', '.join(others)}{',' * (len(others) > 1)} {conjunction} {last}" if others else last


def _not_among(values: Sequence[str], got: Any) -> _Answer:
    if not isinstance(got, str):
        return _wrong_type(f"one of {_listed(values, 'or', 12)}", got)
    listed = _listed(values, "and")
    return _Answer(f"Invalid value: '{got}'. Supported values are: {listed}.", "invalid_value")
