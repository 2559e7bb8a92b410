"""Threads (contract, 2)."""

from typing import Literal

from pydantic import Field

from assistants.schema.base import Metadata, NotNull, ObjectMetadata, OptionalNulls, Request, Resource, Timestamp
from assistants.schema.messages import CreateMessages
from assistants.schema.tools import NewToolResources, ToolResources


class CreateThread(Request):
    """A request to create a thread, with its first messages if there are any."""

    messages: NotNull[CreateMessages] = None
    tool_resources: OptionalNulls[NewToolResources] | None = None
    metadata: Metadata | None = None


class ModifyThread(Request):
    """A request to modify a thread. Only the fields in `model_fields_set` change; a null clears one."""

    tool_resources: OptionalNulls[ToolResources] | None = None
    metadata: Metadata | None = None


class Thread(Resource):
    """A thread: a conversation of messages."""

    object: Literal["thread"] = "thread"
    created_at: Timestamp
    metadata: ObjectMetadata = Field(default_factory=dict[str, str])
    tool_resources: ToolResources = Field(default_factory=ToolResources)
