"""One turn calls a tool of the service and a function of this program. The service executes its tool by itself."""

import os
import warnings
from typing import Any

from openai import OpenAI

warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's, as OpenAI itself no longer serves this API

client = OpenAI(
    base_url=os.environ.get("BASE_URL", "http://127.0.0.1:7071/v1"),
    api_key=os.environ.get("OPENAI_API_KEY", "local-development-key"),
)

# `retrieval` is a type that the SDK does not know: hence the Any.
TOOLS: Any = [
    {"type": "retrieval"},
    {"type": "function", "function": {"name": "get_weather", "description": "The weather where we are."}},
]

assistant = client.beta.assistants.create(
    model="gpt-4o", instructions="Answer with what the tools tell you.", tools=TOOLS
)
run = client.beta.threads.create_and_run_poll(
    assistant_id=assistant.id,
    thread={"messages": [{"role": "user", "content": "Ask retrieval where we are, and get weather, please."}]},
)

if run.status == "requires_action" and run.required_action:
    calls = run.required_action.submit_tool_outputs.tool_calls
    print(f"asks us for {', '.join(call.function.name for call in calls)}")
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id,
        thread_id=run.thread_id,
        tool_outputs=[{"tool_call_id": call.id, "output": "snow, -3 °C"} for call in calls],
    )
if run.status != "completed":
    raise SystemExit(f"The run is {run.status}: {run.last_error}")

for step in client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc"):
    if step.step_details.type == "tool_calls":
        print(f"called {', '.join(call.type for call in step.step_details.tool_calls)}")
for message in client.beta.threads.messages.list(run.thread_id, order="asc"):
    for part in message.content:
        if part.type == "text":
            print(f"{message.role}: {part.text.value}")
