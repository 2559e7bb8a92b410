"""Uses deployments of an Azure OpenAI resource, from a program that was written for Azure's own Assistants API.

Start the service with these settings; `make try-model` tries them:

    export AZURE_OPENAI_ENDPOINT=https://NAME.openai.azure.com
    export AZURE_OPENAI_API_KEY=...    # or none, if the identity of the process has a role there
    export MODEL_MAP='gpt-4o=deployment-a,*=deployment-b,text-embedding-3-large=deployment-c'
    make run

`MODEL_MAP` translates the model that an assistant names; `*` stands for every other model. The program keeps its client
and its API version, and changes the endpoint.
"""

import os
import warnings

from openai import AzureOpenAI

warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's, as OpenAI itself no longer serves this API

client = AzureOpenAI(
    azure_endpoint=os.environ.get("BASE_URL", "http://127.0.0.1:7071/v1").removesuffix("/v1"),
    api_key=os.environ.get("OPENAI_API_KEY", "local-development-key"),
    api_version="2024-05-01-preview",
)

for model in ("gpt-4o", "gpt-4o-mini"):
    assistant = client.beta.assistants.create(model=model, instructions="You are a friendly host. Answer briefly.")
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hello, is anybody there?"}]}
    )
    if run.status != "completed":
        raise SystemExit(f"The run is {run.status}: {run.last_error}")
    for part in client.beta.threads.messages.list(run.thread_id).data[0].content:
        if part.type == "text":
            print(f"{run.model}: {part.text.value}")
