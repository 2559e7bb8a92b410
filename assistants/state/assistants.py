"""Assistants: the record, with the fields that were set, and the object that the API shows."""

from pydantic import Field

from assistants.schema.assistants import Assistant
from assistants.schema.tools import AssistantTool, ResponseFormat
from assistants.state.resources import Equipped, view_resources


class AssistantRecord(Equipped):
    """An assistant as it is stored. None means never set: it is shown as the default, and not sent to the model."""

    created_at: int
    model: str
    name: str | None = None
    description: str | None = None
    instructions: str | None = None
    reasoning_effort: str | None = None
    tools: list[AssistantTool] = Field(default_factory=list[AssistantTool])
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    temperature: float | None = None
    top_p: float | None = None
    response_format: ResponseFormat | None = None


def view(record: AssistantRecord) -> Assistant:
    """The assistant in the API's form: a field that was never set has its default (contract, 1)."""
    fields = {name: value for name, value in record if value is not None}
    return Assistant.model_validate(fields | {"tool_resources": view_resources(record.tool_resources, record.tools)})
