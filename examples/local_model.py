"""Prints answers of a model on your machine, served by Ollama, while the model writes them.

    ollama pull llama3.2 && ollama pull nomic-embed-text
    OLLAMA_CONTEXT_LENGTH=32768 ollama serve

Start the service with these settings; `make try-model` tries them:

    export OPENAI_BASE_URL=http://127.0.0.1:11434/v1
    export MODEL=llama3.2
    export EMBEDDING_MODEL=nomic-embed-text
    make run

`MODEL` replaces every model that an assistant names. Ollama needs no key. vLLM and llama.cpp need the same settings.
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

for question in ["Which fruits are yellow?", "And which of them are sour?"]:
    print(f"user: {question}")
    client.beta.threads.messages.create(thread.id, role="user", content=question)
    print("assistant: ", end="")
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        for piece in stream.text_deltas:
            print(piece, end="", flush=True)
        run = stream.get_final_run()
    print()
    if run.status != "completed":
        raise SystemExit(f"The run is {run.status}: {run.last_error}")
