"""The function app with the installed version of `azure-functions`: `python app.py CONNECTION_STRING`.

It runs in a separate environment with the packages of a deployed app, and prints the results for the host and callers.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path

os.environ |= {
    "AzureWebJobsStorage": sys.argv[1], "API_KEYS": "key=functions", "CORS_ORIGINS": "https://app.example.com",
    "OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "MODEL_RETRIES": "0",
}  # fmt: skip
sys.path.insert(0, str(Path(__file__).parents[3]))

import azure.functions as func

from assistants.service import close_service
from tests.support.service.worker import load_function_app, worker

HEADERS = {"api-key": "key", "origin": "https://app.example.com"}


async def main() -> None:
    print("azure-functions:", version("azure-functions").partition(".")[0])
    function_app = load_function_app()
    functions = {each.get_function_name(): each for each in function_app.app.get_functions()}
    kinds = Counter(each.get_trigger().get_binding_name() for each in functions.values())
    print("functions:", kinds["httpTrigger"] > 50, kinds["queueTrigger"], kinds["timerTrigger"])
    async with worker(function_app) as client:
        client.headers.update(HEADERS)
        made = await client.post("/v1/assistants", json={"model": "gpt-4o", "name": "Grüße"})
        print("created:", made.status_code, made.json()["name"], made.headers["x-request-id"][:4])
        missing = await client.get("/v1/assistants/asst_none")
        print("missing:", missing.status_code, missing.json()["error"]["type"])
        body = {"assistant_id": made.json()["id"], "thread": {"messages": [{"role": "user", "content": "Hello"}]}}
        async with client.stream("POST", "/v1/threads/runs", json={**body, "stream": True}) as answer:
            lines = [line async for line in answer.aiter_lines() if line.startswith("event: ")]
        print("stream:", lines[0], lines[-2], lines[-1], answer.headers["access-control-allow-origin"])
        run = (await client.post("/v1/threads/runs", json=body)).json()
        item = {"kind": "attend", "project": "functions", "thread": run["thread_id"], "run": run["id"]}
        await functions["work"].get_user_function()(func.QueueMessage(body=json.dumps(item).encode()))
        ended = (await client.get(f"/v1/threads/{run['thread_id']}/runs/{run['id']}")).json()
        print("attended:", run["status"], ended["status"])
    await close_service()


asyncio.run(main())
