"""The limits of one run."""

import pytest
from openai import OpenAI

from tests.support.sdk.conversation import WEATHER, Conversation, call, unique
from tests.support.service.processes import Model

LIMIT = 128
"""Tool calls of one run."""


def calling(client: OpenAI, model: Model, *counts: int) -> Conversation:
    """A run whose model makes these numbers of calls in its turns; all but those of the last turn are answered."""
    question = unique()
    for turn, count in enumerate(counts):
        calls = [call("get_weather", f"call_{turn}_{number}") for number in range(count)]
        model.script({"match": question, "tool_calls": calls})
    model.script({"match": question, "text": "That was a lot."})
    conversation = Conversation(client, question, WEATHER)
    for count in counts[:-1]:
        submit_all(conversation, count)
    return conversation


def submit_all(conversation: Conversation, count: int) -> None:
    action = conversation.reaches("requires_action").required_action
    assert action is not None
    calls = action.submit_tool_outputs.tool_calls
    assert len(calls) == count
    conversation.submit({each.id: "sunny" for each in calls})


def test_a_run_may_make_128_tool_calls(client: OpenAI, model: Model):
    conversation = calling(client, model, LIMIT - 1, 1)
    submit_all(conversation, 1)
    conversation.reaches("completed")
    assert conversation.said() == ["That was a lot."]


@pytest.mark.parametrize("counts", [(LIMIT + 1,), (LIMIT, 1), (LIMIT - 1, 2)], ids=str)
def test_a_run_that_passes_128_tool_calls_ends_failed_and_says_so(
    client: OpenAI, model: Model, counts: tuple[int, ...]
):
    conversation = calling(client, model, *counts)
    error = conversation.reaches("failed").last_error
    assert error is not None
    assert (error.code, error.message) == (
        "server_error",
        "The run made more than 128 tool calls, which is the limit.",
    )
    assert conversation.progress() == [("tool_calls", "completed")] * (len(counts) - 1) + [("tool_calls", "failed")]
    conversation.ask("Are you still there?")
