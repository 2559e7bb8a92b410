"""Converts objects of any version and service to v2's format: pure functions. They report the data that is lost."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

from pydantic import BaseModel, TypeAdapter, ValidationError

from assistants.migrate.lines import END
from assistants.migrate.times import LATEST, seconds
from assistants.schema import v1
from assistants.schema.assistants import Assistant
from assistants.schema.base import AssistantId, FileId, MessageId, Resource, RunId, StepId, ThreadId, VectorStoreId
from assistants.schema.files import File
from assistants.schema.messages import Message
from assistants.schema.runs import Run
from assistants.schema.steps import RunStep
from assistants.schema.threads import Thread
from assistants.schema.vector_stores import VectorStore, VectorStoreFile
from assistants.storage.ids import derived

Json = dict[str, Any]

CONTENT = "file.content"
"""The kind of a line with a piece of a file's content: `file_id`, and `data` in base64. The lines are in order."""


class Kind(NamedTuple):
    """The model of a kind of objects, its type of ids, and the prefix that identifies an object without a kind."""

    model: type[Resource]
    id: TypeAdapter[str]
    prefixes: tuple[str, ...]


def _kind(model: type[Resource], identifier: Any, *prefixes: str) -> Kind:
    return Kind(model, TypeAdapter(identifier), prefixes)


KINDS: Mapping[str, Kind] = {
    "assistant": _kind(Assistant, AssistantId, "asst_"),
    "thread": _kind(Thread, ThreadId, "thread_"),
    "thread.message": _kind(Message, MessageId, "msg_"),
    "thread.run": _kind(Run, RunId, "run_"),
    "thread.run.step": _kind(RunStep, StepId, "step_"),
    "vector_store": _kind(VectorStore, VectorStoreId, "vs_"),
    "vector_store.file": _kind(VectorStoreFile, FileId),
    "file": _kind(File, FileId, "file-", "file_", "assistant-"),
}

_LEFT: Mapping[str, str] = {
    "assistant.file": "The assistant itself has the files.",
    "thread.message.file": "The message itself has the files.",
    "vector_store.files_batch": "Batches are not imported: the store's files are.",
    "vector_store.file_batch": "Batches are not imported: the store's files are.",
}

_MOST_MENDED = 200
"""The most parts of one object that are left out."""


class Mapped(NamedTuple):
    """An object in the imported form, and the parts of it that are left out."""

    model: Resource
    notes: list[str]


class Refused(Exception):
    """The object cannot be imported; the text gives the reason."""


def kind_of(raw: Any) -> str:
    """The kind of an object, by its field `object`, or by its id if it has no such field.

    Raises
    ------
    Refused
        The object has no kind that can be imported.
    """
    if not isinstance(raw, dict):
        raise Refused("Not a JSON object.")
    fields = cast("Json", raw)
    named = fields.get("object")
    if isinstance(named, str) and (named in KINDS or named in (CONTENT, END)):
        return named
    if isinstance(named, str):
        raise Refused(_LEFT.get(named, f"Objects of the kind '{named[:64]}' are not imported."))
    identifier = str(fields.get("id", ""))
    for name, kind in KINDS.items():
        if kind.prefixes and identifier.startswith(kind.prefixes):
            return name
    raise Refused("It has neither `object` nor an `id` that says what it is.")


def mapped(kind: str, raw: Json) -> Mapped:
    """
    Raises
    ------
    Refused
        The object lacks a required field, or its id is invalid.
    """
    model, notes = KINDS[kind].model, list[str]()
    shaped = _as_v2(kind, {**raw, "object": kind}, notes)
    for _ in range(_MOST_MENDED):
        try:
            found = model.model_validate(shaped)
            break
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            shaped, note = _without(model, shaped, problem["loc"], problem["msg"])
            notes.append(note)
    else:
        raise Refused(f"More than {_MOST_MENDED} parts of it are not known.")
    try:
        KINDS[kind].id.validate_python(found.id)
    except ValidationError as error:
        raise Refused(f"id: {error.errors()[0]['msg']}") from None
    if not 0 <= getattr(found, "created_at", 0) < LATEST:
        raise Refused("created_at: Not a time in Unix seconds.")
    notes += [f"{path}: unknown, left out" for path in _unknown(shaped, found.model_dump(mode="json"), "")]
    return Mapped(found, notes)


def synthetic(raw: Json) -> list[Json]:
    """The vector store of an assistant of v1 with `retrieval`, which had no store, and the files in it."""
    files, tools = raw.get("file_ids"), raw.get("tools")
    if not isinstance(files, list) or not files or not isinstance(tools, list):
        return []
    if not any(_retrieves(each) for each in cast("list[Any]", tools)):
        return []
    store, created = store_of(str(raw.get("id"))), raw.get("created_at")
    common = {"created_at": created, "status": "completed"}
    return [
        {"object": "vector_store", "id": store, "file_counts": {}, **common},
        *(
            {"object": "vector_store.file", "id": each, "vector_store_id": store, **common}
            for each in cast("list[Any]", files)
        ),
    ]


def _retrieves(tool: Any) -> bool:
    return isinstance(tool, dict) and cast("Json", tool).get("type") == "retrieval"


def store_of(assistant_id: str) -> str:
    """The id of the vector store that is created for an assistant of v1."""
    return derived("vs_", assistant_id)


def _as_v2(kind: str, raw: Json, notes: list[str]) -> Json:
    shaped = dict(raw)
    if kind == "thread.message" and isinstance(raw.get("content"), (str, list)):
        raw = shaped = {**shaped, "content": _parts(raw["content"])}
    if isinstance(raw.get("file_ids"), list):
        shaped = v1.restored(raw)
        if synthetic(raw) and kind == "assistant":
            resources = {**shaped["tool_resources"], "file_search": {"vector_store_ids": [store_of(str(raw["id"]))]}}
            shaped = {**shaped, "tool_resources": resources}
    if kind in ("assistant", "thread.run") and isinstance(shaped.get("tools"), list):
        tools = cast("list[Any]", shaped["tools"])
        shaped["tools"] = [{"type": "file_search"} if _retrieves(each) else each for each in tools]
    if kind == "vector_store":
        shaped = {"status": "completed", "file_counts": {}, **shaped}
    if kind == "vector_store.file":
        shaped = {"chunking_strategy": {"type": "other"}, "attributes": {}, "status": "completed", **shaped}
    if isinstance(metadata := shaped.get("metadata"), dict):
        shaped["metadata"] = dict(_texts(cast("Json", metadata), notes))
    for name, field in KINDS[kind].model.model_fields.items():
        if name.endswith("_at") and isinstance(shaped.get(name), str | float):
            time = seconds(shaped[name])
            shaped[name] = shaped[name] if time is None else time
        if name in shaped and shaped[name] is None and not field.is_required():
            del shaped[name]  # the default, which may differ from null
            if field.default is None:
                shaped[name] = None
    return shaped


def _parts(content: str | list[Any]) -> list[Any]:
    """The parts of a message, also of a message in the form of a request."""
    if isinstance(content, str):
        return [_text_part(content)]
    return [_text_part(each["text"]) if _is_sent(each) else each for each in content]


def _is_sent(part: Any) -> bool:
    return (
        isinstance(part, dict)
        and part == {"type": "text", "text": cast("Json", part).get("text")}
        and isinstance(cast("Json", part)["text"], str)
    )


def _text_part(text: str) -> Json:
    return {"type": "text", "text": {"value": text, "annotations": []}}


def _texts(metadata: Json, notes: list[str]) -> Iterable[tuple[str, str]]:
    """Metadata with texts as values."""
    for name, value in metadata.items():
        if not isinstance(value, str):
            notes.append(f"metadata.{name}: not a text, {'left out' if value is None else 'kept as one'}")
        if value is not None:
            yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _without(model: type[BaseModel], raw: Json, location: tuple[int | str, ...], why: str) -> tuple[Json, str]:
    """The object without the invalid field or list item."""
    path = _path(raw, location)
    items = [number for number, part in enumerate(path) if isinstance(part, int)]
    cut = path[: items[-1] + 1] if items else path[:1]
    field = model.model_fields.get(str(cut[0])) if cut else None
    if not cut or (len(cut) == 1 and (field is None or field.is_required())):
        raise Refused(f"{'.'.join(map(str, location))}: {why}")
    left = "Left out." if cut == path else f"`{_shown(cut)}` is left out."
    return _cut(raw, cut), f"{_shown(path)}: {why} {left}"


def _shown(path: Iterable[int | str]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _path(raw: Any, location: Iterable[int | str]) -> list[int | str]:
    """The part of an error's location that exists in the value: locations also name the members of unions."""
    path, node = list[int | str](), raw
    for part in location:
        if isinstance(node, list) and isinstance(part, int) and part < len(cast("list[Any]", node)):
            node = cast("list[Any]", node)[part]
        elif isinstance(node, dict) and part in node:
            node = cast("Json", node)[str(part)]
        else:
            continue
        path.append(part)
    return path


def _cut(node: Any, path: list[int | str]) -> Any:
    first, rest = path[0], path[1:]
    if isinstance(node, list):
        items = cast("list[Any]", node)
        return [_cut(each, rest) if at == first else each for at, each in enumerate(items) if rest or at != first]
    fields = cast("Json", node)
    return {name: _cut(each, rest) if name == first else each for name, each in fields.items() if rest or name != first}


def _unknown(raw: Any, kept: Any, path: str) -> Iterable[str]:
    """The paths of fields that the object has and the kept one does not."""
    if raw == kept:
        return
    if isinstance(raw, dict) and isinstance(kept, dict):
        for name, value in cast("Json", raw).items():
            inner = f"{path}.{name}".lstrip(".")
            if name not in kept:
                if value not in (None, [], {}):
                    yield inner
            else:
                yield from _unknown(value, cast("Json", kept)[name], inner)
    elif isinstance(raw, list) and isinstance(kept, list):
        for number, (one, other) in enumerate(zip(cast("list[Any]", raw), cast("list[Any]", kept), strict=False)):
            yield from _unknown(one, other, f"{path}[{number}]")
