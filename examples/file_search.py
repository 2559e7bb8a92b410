"""Puts files into a vector store, which the model searches. The answer has a citation for each passage."""

import os
import warnings
from io import BytesIO

from openai import OpenAI

warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's, as OpenAI itself no longer serves this API

client = OpenAI(
    base_url=os.environ.get("BASE_URL", "http://127.0.0.1:7071/v1"),
    api_key=os.environ.get("OPENAI_API_KEY", "local-development-key"),
)

FILES = {
    "cathedrals.md": "The spire of Strasbourg is 142 metres high.\nIt was the highest building until 1874.",
    "bread.md": "Sourdough bread needs flour, water and salt.\nIt is baked at 250 degrees.",
}

store = client.vector_stores.create(name="Guide")
client.vector_stores.file_batches.upload_and_poll(
    store.id, files=[(name, BytesIO(text.encode())) for name, text in FILES.items()]
)
assistant = client.beta.assistants.create(
    model="gpt-4o",
    instructions="Answer from the files.",
    tools=[{"type": "file_search"}],
    tool_resources={"file_search": {"vector_store_ids": [store.id]}},
)
run = client.beta.threads.create_and_run_poll(
    assistant_id=assistant.id,
    thread={"messages": [{"role": "user", "content": "Use file search: how high is the spire of Strasbourg?"}]},
)
if run.status != "completed":
    raise SystemExit(f"The run is {run.status}: {run.last_error}")

message = client.beta.threads.messages.list(run.thread_id).data[0]
for part in message.content:
    if part.type == "text":
        text, sources = part.text.value, list[str]()
        for annotation in part.text.annotations:
            if annotation.type == "file_citation":
                name = client.files.retrieve(annotation.file_citation.file_id).filename
                quote = getattr(annotation.file_citation, "quote", "")  # the SDK's type leaves it out
                sources.append(f'{name}: "{quote}"')
                text = text.replace(annotation.text, f"[{len(sources)}]", 1)
        print(f"assistant: {text}")
        for number, source in enumerate(sources, 1):
            print(f"[{number}] {source}")

client.vector_stores.delete(store.id)
