"""Holds a conversation with an assistant by the official OpenAI SDK, as a program for OpenAI does but for `base_url`.

`make run` starts the service; `.venv/bin/python examples/quickstart.py` runs this program in a second terminal.
"""

import os
import warnings

from openai import OpenAI

warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's, as OpenAI itself no longer serves this API

client = OpenAI(
    base_url=os.environ.get("BASE_URL", "http://127.0.0.1:7071/v1"),
    api_key=os.environ.get("OPENAI_API_KEY", "local-development-key"),
)

assistant = client.beta.assistants.create(model="gpt-4o", instructions="You are a friendly host. Answer briefly.")
thread = client.beta.threads.create()

for question in ["Hello, is anybody there?", "What did I just ask you?"]:
    client.beta.threads.messages.create(thread.id, role="user", content=question)
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    if run.status != "completed":
        raise SystemExit(f"The run is {run.status}: {run.last_error}")

for message in client.beta.threads.messages.list(thread.id, order="asc"):
    for part in message.content:
        if part.type == "text":
            print(f"{message.role}: {part.text.value}")
