"""Requests of Azure AI Agents, translated to OpenAI's (contract, 10.1)."""

from typing import Any

import pytest

from assistants.schema.agents import HOSTED, as_openai
from assistants.schema.errors import ApiError

SOURCE = {"uri": "azureai://a", "type": "uri_asset"}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (
            {"tool_outputs": [{"tool_call_id": "a", "type": "function_call_output", "output": "b"}]},
            {"tool_outputs": [{"tool_call_id": "a", "output": "b"}]},
        ),
        ({"tool_outputs": [{"type": None}], "tool_approvals": []}, {"tool_outputs": [{}]}),
        ({"file_id": "file-a", "data_source": None, "data_sources": []}, {"file_id": "file-a"}),
        ({"name": "a", "configuration": None}, {"name": "a"}),
        (
            {"tool_resources": {"azure_ai_search": None, "mcp": [], "code_interpreter": {"data_sources": []}}},
            {"tool_resources": {"code_interpreter": {}}},
        ),
        (
            {"tool_resources": {"file_search": {"vector_stores": [{"file_ids": ["file-a"], "configuration": None}]}}},
            {"tool_resources": {"file_search": {"vector_stores": [{"file_ids": ["file-a"]}]}}},
        ),
        (
            {"thread": {"messages": [{"attachments": [{"file_id": "file-a", "data_source": None}]}]}},
            {"thread": {"messages": [{"attachments": [{"file_id": "file-a"}]}]}},
        ),
    ],
)
def test_empty_fields_are_left_out(sent: dict[str, Any], expected: dict[str, Any]):
    assert as_openai(sent) == expected


@pytest.mark.parametrize(
    "sent",
    [
        {"metadata": {"data_source": "a", "configuration": "b"}},
        {"tools": [{"type": "function", "function": {"name": "mcp", "parameters": {"tools": [{"type": "mcp"}]}}}]},
        {"tools": "mcp", "thread": [], "messages": {}, "tool_outputs": 1, "tool_resources": "a"},
        {"tools": [1, None, {"type": ["mcp"]}, {}], "messages": [1], "tool_outputs": [{"type": "other"}, "a"]},
        {"tool_resources": {"file_search": {"vector_stores": 1}}, "tool_choice": "mcp"},
        {"content": [{"type": "mcp", "data_source": 1}]},
    ],
)
def test_everything_else_is_left_as_it_is(sent: dict[str, Any]):
    assert as_openai(sent) == sent


@pytest.mark.parametrize("tool", HOSTED)
@pytest.mark.parametrize(
    ("make", "param"),
    [
        (lambda tool: {"tools": [{"type": "function"}, tool]}, "tools[1].type"),
        (lambda tool: {"tool_choice": tool}, "tool_choice.type"),
        (lambda tool: {"messages": [{"attachments": [{"tools": [tool]}]}]}, "messages[0].attachments[0].tools[0].type"),
        (
            lambda tool: {"tool_resources": {tool["type"]: {"a": "b"}}},
            "tool_resources.{}",
        ),
    ],
)
def test_a_hosted_tool_is_refused_wherever_it_is(tool: str, make: Any, param: str):
    with pytest.raises(ApiError) as caught:
        as_openai(make({"type": tool}))
    assert (caught.value.status, caught.value.code) == (400, "unsupported_tool")
    assert caught.value.param == param.format(tool)
    assert f"The tool '{tool}' is hosted by Azure AI Agents" in caught.value.message
    assert f"Use {HOSTED[tool]}." in caught.value.message


def test_approvals_of_calls_are_those_of_mcp():
    with pytest.raises(ApiError) as caught:
        as_openai({"tool_approvals": [{"tool_call_id": "a", "approve": True}]})
    assert (caught.value.code, caught.value.param) == ("unsupported_tool", "tool_approvals")


@pytest.mark.parametrize(
    ("sent", "param"),
    [
        ({"configuration": {"data_sources": [SOURCE]}}, "configuration"),
        ({"data_source": SOURCE}, "data_source"),
        ({"data_sources": [SOURCE]}, "data_sources"),
        ({"attachments": [{"data_source": SOURCE}]}, "attachments[0].data_source"),
        (
            {"additional_messages": [{}, {"attachments": [{}, {"data_source": SOURCE}]}]},
            "additional_messages[1].attachments[1].data_source",
        ),
        (
            {"thread": {"tool_resources": {"code_interpreter": {"data_sources": [SOURCE]}}}},
            "thread.tool_resources.code_interpreter.data_sources",
        ),
        (
            {"tool_resources": {"file_search": {"vector_stores": [{"configuration": {"data_sources": [SOURCE]}}]}}},
            "tool_resources.file_search.vector_stores[0].configuration",
        ),
    ],
)
def test_data_in_azures_storage_is_refused_wherever_it_is(sent: dict[str, Any], param: str):
    with pytest.raises(ApiError) as caught:
        as_openai(sent)
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "unsupported_data_source", param)
