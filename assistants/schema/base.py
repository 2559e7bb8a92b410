"""The base of all schemas: requests, objects, identifiers, metadata, and unions chosen by their JSON type."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError
from pydantic_core.core_schema import with_info_before_validator_function

MAX_TEXT = 256_000
"""The longest string of a request, in characters (contract, 1 and 3)."""

MAX_DEPTH = 100
"""The deepest nesting of a client's own JSON: parsers stop at 200, and it has to be readable once it is stored."""

MAX_NODES = 50_000
"""Values in a client's own JSON: a schema of 5,000 properties, each described, has some 20,000."""

MAX_ITEMS = 1_000
"""Items of a list that has no smaller limit of its own, such as the messages of a request."""

T = TypeVar("T")


def _mapping(value: object) -> dict[str, object]:
    """A JSON value as an object; any other type has no keys."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


class Deferred(BaseModel):
    """A model whose validator is built at its first use, or by `build`: all of them take a tenth of a start."""

    model_config = ConfigDict(defer_build=True)

    @classmethod
    def build(cls) -> None:
        """Build the validators of all models below this one that are in use."""
        for model in cls.__subclasses__():
            model.model_rebuild()
            model.build()


class Request(Deferred):
    """A request body: unknown fields and loose types are refused (contract, 0).

    `model_fields_set` distinguishes a field that was sent as null from one that was left out. Every string is bounded,
    as pydantic checks only bounded strings for lone surrogates, which cannot be stored.
    """

    model_config = ConfigDict(extra="forbid", strict=True, str_max_length=MAX_TEXT)

    @model_validator(mode="before")
    @classmethod
    def _one_unknown_field(cls, value: object) -> object:
        """Only the first unknown field is reported: errors for a million fields would block the process."""
        fields = _mapping(value)
        if len(fields) <= len(cls.model_fields):
            return value
        known = {name: each for name, each in fields.items() if name in cls.model_fields}
        unknown = next(name for name in fields if name not in known)
        return {**known, unknown: fields[unknown]}


class Object(Deferred):
    """An object that is answered and stored; fields are in the API's order, and unknown ones are dropped on load.

    Answers have all fields: in /openapi.json those with a default are required, too.
    """

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        if handler.mode == "serialization":
            found = handler.resolve_ref_schema(schema)
            found["required"] = list(found["properties"])
        return schema


class Resource(Object):
    """An object with an id of its own, which lists can contain."""

    id: str


class _NotNull:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        return schema["schema"] if schema["type"] == "nullable" else schema


NotNull = Annotated[T | None, _NotNull()]
"""A field of a request that may be left out but not be null: None says that it was left out."""


_NULL = {"type": "null"}

KEEP_NULLS = {"nulls": "kept"}
"""The context of a validation in which `OptionalNulls` drops no null: such nulls are errors of an answer."""


class _OptionalNulls:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        fields = cast("dict[str, Any]", handler.resolve_ref_schema(schema))["fields"]
        optional = [name for name, field in fields.items() if not field["required"]]
        names = {name for name in optional if fields[name]["schema"]["type"] != "nullable"}

        def without_nulls(value: object, info: ValidationInfo) -> object:
            sent = _mapping(value)
            dropped = {name for name in names if sent.get(name, ...) is None}
            if not dropped or info.context == KEEP_NULLS:
                return value
            return {name: each for name, each in sent.items() if name not in dropped}

        return with_info_before_validator_function(without_nulls, schema)

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        if handler.mode == "validation":
            found = handler.resolve_ref_schema(schema)
            for name, field in found["properties"].items():
                if name not in found.get("required", ()) and _NULL not in field.get("anyOf", ()):
                    found["properties"][name] = {"anyOf": [field, _NULL]}
        return schema


OptionalNulls = Annotated[T, _OptionalNulls()]
"""An object in a request: a null for an optional key that is not nullable counts as left out.

Clients read objects into classes and send them back with nulls for all missing keys.
"""


_MAX_ID = 144
"""Characters of an id; this service's have about 30, those of imported objects up to 128 after their prefix."""


class _Id:
    """The type of an id: `prefix`, then letters, digits, `_` and `-`, as it becomes part of a blob's name."""

    def __init__(self, prefix: str, *others: str) -> None:
        self.prefix, self._prefixes = prefix, (prefix, *others)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        prefix = f"({'|'.join(self._prefixes)})" if len(self._prefixes) > 1 else self.prefix
        field = Field(max_length=_MAX_ID, json_schema_extra={"pattern": f"^{prefix}[a-zA-Z0-9_-]*$"})
        return handler.generate_schema(Annotated[source, field, AfterValidator(self.check)])

    def check(self, value: str) -> str:
        if not value.startswith(self._prefixes):
            raise PydanticCustomError(
                "id_prefix", "Expected an ID that begins with '{prefix}'.", {"prefix": self.prefix}
            )
        if not re.fullmatch("[a-zA-Z0-9_-]+", value):
            raise PydanticCustomError("id_characters", "Expected letters, numbers, underscores, or dashes.")
        return value


AssistantId = Annotated[str, _Id("asst")]
ThreadId = Annotated[str, _Id("thread")]
MessageId = Annotated[str, _Id("msg")]
RunId = Annotated[str, _Id("run")]
StepId = Annotated[str, _Id("step")]
FileId = Annotated[str, _Id("file", "assistant-")]
"""Azure's ids of files for assistants begin with `assistant-`."""
VectorStoreId = Annotated[str, _Id("vs")]
FileBatchId = Annotated[str, _Id("vsfb")]

UploadId = Annotated[str, _Id("upload")]
PartId = Annotated[str, _Id("part")]

Timestamp = int
"""Unix seconds."""

Items = Annotated[list[T], Field(fail_fast=True)]
"""A list of a request. Only its first invalid item is reported: a million could be invalid."""

_MAX_PAIRS = 16


def _few(value: object) -> object:
    length = len(_mapping(value))
    if length > _MAX_PAIRS:
        context = {"field_type": "Dictionary", "max_length": _MAX_PAIRS, "actual_length": length}
        raise PydanticKnownError("too_long", context)
    return value


Pairs = Annotated[dict[Annotated[str, Field(max_length=64)], T], Field(max_length=_MAX_PAIRS), BeforeValidator(_few)]
"""Up to 16 pairs, counted before any of them is validated."""

Metadata = Pairs[Annotated[str, Field(max_length=512)]]


def _no_none(value: Any) -> Any:
    return {} if value is None else value


ObjectMetadata = Annotated[dict[str, str], BeforeValidator(_no_none)]
"""Metadata in an object: `{}` if there is none (contract, 0)."""

Name = Annotated[str, Field(min_length=1, max_length=64, pattern="^[a-zA-Z0-9_-]+$")]
"""The name of a function or of an output schema."""


def _children(node: object) -> Iterable[object]:
    return cast("list[object]", node) if isinstance(node, list) else _mapping(node).values()


def bounded(value: T, depth: int = MAX_DEPTH, nodes: int = MAX_NODES) -> T:
    """The JSON value, unless it is nested more than `depth` levels deep or has more than `nodes` values."""
    level, count = list[object]([value]), 1
    for _ in range(depth):
        level = [child for node in level for child in _children(node)]
        count += len(level)
        if count > nodes:
            raise PydanticCustomError("json_nodes", "Expected at most {limit} values.", {"limit": nodes})
    if any(isinstance(node, (dict, list)) for node in level):
        raise PydanticCustomError("json_depth", "Expected at most {limit} levels.", {"limit": depth})
    return value


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    bounded(value)
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise PydanticCustomError("json_text", "Expected text and numbers that JSON can hold.") from None
    return value


JsonObject = Annotated[dict[str, Any], AfterValidator(_storable)]
"""A client's own JSON, in most cases a JSON Schema, kept unchanged."""


_JSON_TYPES: Mapping[type, str] = {
    str: "<string>",
    int: "<number>",
    float: "<number>",
    bool: "<boolean>",
    list: "<array>",
    dict: "<object>",
}


def _json_type(value: object) -> str | None:
    return _JSON_TYPES.get(type(value))


def by_json_type(expected: str) -> Discriminator:
    """Choose a member of a union by the value's JSON type, so that an error names the problem within that member.

    The members are tagged `<string>`, `<number>`, `<boolean>`, `<array>` or `<object>`.
    """
    return Discriminator(_json_type, custom_error_type="one_of", custom_error_message=f"one of {expected}")
