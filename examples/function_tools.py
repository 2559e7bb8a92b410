"""An assistant calls two functions in one turn. This program executes both and submits their outputs together."""

import json
import os
import warnings
from typing import Any

from openai import OpenAI
from openai.types.beta.threads.run_submit_tool_outputs_params import ToolOutput

warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's, as OpenAI itself no longer serves this API

client = OpenAI(
    base_url=os.environ.get("BASE_URL", "http://127.0.0.1:7071/v1"),
    api_key=os.environ.get("OPENAI_API_KEY", "local-development-key"),
)

TIMES = {"Oslo": "14:05", "Lima": "08:05"}
WEATHER = {"Oslo": "snow, -3 °C", "Lima": "sunshine, 24 °C"}


def get_time(city: str) -> str:
    """The local time in a city."""
    return TIMES[city]


def get_weather(city: str) -> str:
    """The weather in a city."""
    return WEATHER[city]


FUNCTIONS = {"get_time": get_time, "get_weather": get_weather}
CITY = {"type": "object", "properties": {"city": {"type": "string", "enum": list(TIMES)}}, "required": ["city"]}
TOOLS: Any = [
    {"type": "function", "function": {"name": name, "description": function.__doc__, "parameters": CITY}}
    for name, function in FUNCTIONS.items()
]

assistant = client.beta.assistants.create(
    model="gpt-4o", instructions="Answer with what the functions tell you.", tools=TOOLS
)
run = client.beta.threads.create_and_run_poll(
    assistant_id=assistant.id,
    thread={"messages": [{"role": "user", "content": "Get time and get weather for Oslo, please."}]},
)

while run.status == "requires_action" and run.required_action:
    outputs: list[ToolOutput] = []
    for call in run.required_action.submit_tool_outputs.tool_calls:
        print(f"calls {call.function.name}({call.function.arguments})")
        output = FUNCTIONS[call.function.name](**json.loads(call.function.arguments))
        outputs.append({"tool_call_id": call.id, "output": output})
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs
    )
if run.status != "completed":
    raise SystemExit(f"The run is {run.status}: {run.last_error}")

for message in client.beta.threads.messages.list(run.thread_id, order="asc"):
    for part in message.content:
        if part.type == "text":
            print(f"{message.role}: {part.text.value}")
