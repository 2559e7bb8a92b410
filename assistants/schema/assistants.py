"""Assistants (contract, 1)."""

from typing import Annotated, Literal

from pydantic import Field

from assistants.schema.base import Metadata, NotNull, ObjectMetadata, OptionalNulls, Request, Resource, Timestamp
from assistants.schema.tools import (
    AssistantTool,
    AssistantTools,
    Instructions,
    Model,
    NewToolResources,
    ReasoningEffort,
    ResponseFormat,
    Temperature,
    ToolResources,
    TopP,
)

AssistantName = Annotated[str, Field(max_length=256)]
Description = Annotated[str, Field(max_length=512)]


class _AssistantFields(Request):
    name: AssistantName | None = None
    description: Description | None = None
    instructions: Instructions | None = None
    reasoning_effort: ReasoningEffort | None = None
    tools: NotNull[AssistantTools] = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: ResponseFormat | None = None


class CreateAssistant(_AssistantFields):
    """A request to create an assistant."""

    model: Model
    tool_resources: OptionalNulls[NewToolResources] | None = None


class ModifyAssistant(_AssistantFields):
    """A request to modify an assistant. Only the fields in `model_fields_set` change; a null clears one."""

    model: NotNull[Model] = None
    tool_resources: OptionalNulls[ToolResources] | None = None


class Assistant(Resource):
    """An assistant: a model with instructions and tools."""

    object: Literal["assistant"] = "assistant"
    created_at: Timestamp
    name: str | None = None
    description: str | None = None
    model: str
    instructions: str | None = None
    tools: list[AssistantTool] = Field(default_factory=list[AssistantTool])
    top_p: float | None = 1.0
    temperature: float | None = 1.0
    reasoning_effort: ReasoningEffort | None = None
    tool_resources: ToolResources = Field(default_factory=ToolResources)
    metadata: ObjectMetadata = Field(default_factory=dict[str, str])
    response_format: ResponseFormat | None = "auto"
