"""Prints an answer while the model writes it. The run calls a function of this program in between."""

import json
import os
import warnings
from typing import Any

from openai import AssistantEventHandler, OpenAI
from openai.types.beta.threads import Run, Text, TextDelta
from openai.types.beta.threads.run_submit_tool_outputs_params import ToolOutput
from typing_extensions import override

warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's, as OpenAI itself no longer serves this API

client = OpenAI(
    base_url=os.environ.get("BASE_URL", "http://127.0.0.1:7071/v1"),
    api_key=os.environ.get("OPENAI_API_KEY", "local-development-key"),
)

CITY = {"type": "object", "properties": {"city": {"type": "string", "enum": ["Oslo", "Lima"]}}, "required": ["city"]}
WEATHER: Any = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}


def get_weather(city: str) -> str:
    """The weather in a city."""
    return {"Oslo": "snow, -3 °C", "Lima": "sunshine, 24 °C"}[city]


class Printer(AssistantEventHandler):
    """Prints the answer word by word."""

    @override
    def on_text_created(self, text: Text) -> None:
        print("assistant: ", end="")

    @override
    def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        print(delta.value, end="", flush=True)

    @override
    def on_text_done(self, text: Text) -> None:
        print()


def outputs(run: Run) -> list[ToolOutput]:
    """The outputs of our function for the calls that the run waits for."""
    assert run.required_action
    answers: list[ToolOutput] = []
    for call in run.required_action.submit_tool_outputs.tool_calls:
        print(f"calls {call.function.name}({call.function.arguments})")
        answers.append({"tool_call_id": call.id, "output": get_weather(**json.loads(call.function.arguments))})
    return answers


assistant = client.beta.assistants.create(model="gpt-4o", tools=[WEATHER])
thread = client.beta.threads.create(messages=[{"role": "user", "content": "Get weather for Lima, please."}])

with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id, event_handler=Printer()) as stream:
    run = stream.get_final_run()
while run.status == "requires_action":
    with client.beta.threads.runs.submit_tool_outputs_stream(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs(run), event_handler=Printer()
    ) as stream:
        run = stream.get_final_run()
if run.status != "completed":
    raise SystemExit(f"The run is {run.status}: {run.last_error}")
