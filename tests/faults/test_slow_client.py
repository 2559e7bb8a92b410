"""A client that opens a stream and does not read it."""

import asyncio
import json
from typing import Any

from assistants.api.eventstream import MAX_UNSENT
from assistants.local.azurite import Storage
from tests.support.service.attending import ScriptedModel
from tests.support.service.inprocess import InProcess, in_process

PIECES = 8_000
"""Each is one event of some 200 bytes: more than are kept for a slow client."""


class Stalled:
    """A client that reads the first bytes, and then none until it is released."""

    def __init__(self) -> None:
        self.released = asyncio.Event()
        self.sizes: list[int] = []
        self.text = b""

    async def send(self, message: Any) -> None:
        if message["type"] != "http.response.body":
            return
        if self.sizes:
            await self.released.wait()
        self.sizes.append(len(message["body"]))
        self.text += message["body"]


async def post(service: InProcess, path: str, body: dict[str, Any], client: Stalled) -> None:
    """Send a request whose answer goes to the client, as from a server."""
    bodies = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]

    async def receive() -> Any:
        return bodies.pop() if bodies else await asyncio.Event().wait()

    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "POST",
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(b"openai-beta", b"assistants=v2")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
    }  # fmt: skip
    await service.api(scope, receive, client.send)


async def test_its_stream_is_closed_and_its_run_completes_with_the_whole_message(idle: Storage):
    model = ScriptedModel({"chunks": ["word "] * PIECES})
    async with in_process(idle, model) as service:
        threads = service.client.beta.threads
        assistant = await service.client.beta.assistants.create(model="demo")
        thread = await threads.create(messages=[{"role": "user", "content": "Go on."}])
        stalled = Stalled()
        path, body = f"/v1/threads/{thread.id}/runs", {"assistant_id": assistant.id, "stream": True}
        answering = asyncio.create_task(post(service, path, body, stalled))

        async def ended() -> str:
            while True:
                runs = (await threads.runs.list(thread.id)).data
                if runs and runs[0].status not in {"queued", "in_progress"}:
                    return runs[0].status
                await asyncio.sleep(0.1)

        assert await asyncio.wait_for(ended(), 60) == "completed"
        said = (await threads.messages.list(thread.id)).data[0].content[0]
        assert said.type == "text"
        assert said.text.value == "word " * PIECES

        assert not answering.done()
        stalled.released.set()
        await asyncio.wait_for(answering, 10)
        assert sum(stalled.sizes) <= MAX_UNSENT
        assert b"event: done" not in stalled.text
