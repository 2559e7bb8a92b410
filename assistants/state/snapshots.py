"""Records made from requests: they have only the fields that the client sent."""

from collections.abc import Sequence
from typing import Any

from assistants.schema.assistants import CreateAssistant, ModifyAssistant
from assistants.schema.messages import CreateMessage, Message
from assistants.schema.runs import CreateRun, CreateThreadAndRun
from assistants.schema.threads import CreateThread
from assistants.state.assistants import AssistantRecord
from assistants.state.resources import named
from assistants.state.runs import RunRecord
from assistants.state.store import Store
from assistants.state.threads import ThreadRecord
from assistants.storage.slices import Pace

_OVERRIDABLE = (
    "model", "instructions", "tools", "tool_resources", "temperature", "top_p", "response_format", "reasoning_effort",
)  # fmt: skip
_OF_THE_RUN = (
    "tool_choice", "parallel_tool_calls", "max_prompt_tokens", "max_completion_tokens", "truncation_strategy",
    "metadata",
)  # fmt: skip


def new_assistant(store: Store, request: CreateAssistant) -> AssistantRecord:
    """An assistant with a new id and the present time (contract, 1)."""
    fields: dict[str, Any] = _given(request) | {"tool_resources": named(request.tool_resources)}
    return AssistantRecord(id=store.ids.new("asst_"), created_at=int(store.clock.now()), **fields)


def modified_assistant(record: AssistantRecord, request: ModifyAssistant) -> AssistantRecord:
    """Change the fields that were sent; a null unsets one."""
    fields = {name: getattr(request, name) for name in request.model_fields_set}
    if fields.get("metadata", ()) is None:
        fields["metadata"] = {}
    return record.model_copy(update=fields)


def new_thread(store: Store, request: CreateThread) -> ThreadRecord:
    """A thread without its messages (contract, 2)."""
    return ThreadRecord(
        id=store.ids.new("thread_"),
        created_at=int(store.clock.now()),
        metadata=request.metadata or {},
        tool_resources=named(request.tool_resources),
        asked=any(message.role == "user" for message in request.messages or ()),
    )


def new_message(store: Store, thread_id: str, request: CreateMessage) -> Message:
    """A client's message, created with the status completed (contract, 3)."""
    now = int(store.clock.now())
    return Message.model_validate(
        {
            "id": store.ids.new("msg_"),
            "created_at": now,
            "completed_at": now,
            "thread_id": thread_id,
            "role": request.role,
            "content": _content(request.content),
            "attachments": request.attachments or [],
            "metadata": request.metadata,
        }
    )


async def new_messages(store: Store, thread_id: str, requests: Sequence[CreateMessage] | None) -> list[Message]:
    """Many messages, made in slices."""
    pace, messages = Pace(store.slices), list[Message]()
    for request in requests or ():
        messages.append(new_message(store, thread_id, request))
        await pace.done()
    return messages


def new_run(
    store: Store,
    thread_id: str,
    assistant: AssistantRecord,
    request: CreateRun | CreateThreadAndRun,
    additional_messages: Sequence[Message] = (),
    v1: bool = False,
) -> RunRecord:
    """A run with a copy of the assistant's fields: a later change or deletion of the assistant does not affect it."""
    now = store.clock.now()
    given = _given(request)
    fields: dict[str, Any] = {
        name: given.get(name, getattr(assistant, name))
        for name in _OVERRIDABLE
        if given.get(name, getattr(assistant, name)) is not None
    }
    instructions = [fields.get("instructions", ""), given.get("additional_instructions", "")]
    fields |= {name: given[name] for name in _OF_THE_RUN if name in given}
    fields["instructions"] = "\n".join(text for text in instructions if text)
    return RunRecord(
        id=store.ids.new("run_"),
        thread_id=thread_id,
        assistant_id=assistant.id,
        created_at=now,
        entered_at=now,
        touched_at=now,
        expires_at=int(now) + store.settings.run_lifetime,
        additional_messages=list(additional_messages),
        v1=v1,
        **fields,
    )


def _given(request: CreateAssistant | CreateRun | CreateThreadAndRun) -> dict[str, Any]:
    """The fields that were sent with a value."""
    return {name: value for name in request.model_fields_set if (value := getattr(request, name)) is not None}


def _content(content: str | Sequence[Any]) -> list[dict[str, Any]]:
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [_part(part) for part in parts]


def _part(part: dict[str, Any]) -> dict[str, Any]:
    kind = part["type"]
    if kind == "text":
        return {"type": "text", "text": {"value": part["text"], "annotations": []}}
    return {"type": kind, kind: {"detail": "auto", **part[kind]}}
