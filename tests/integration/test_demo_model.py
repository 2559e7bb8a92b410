import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from assistants.local.model import demo_model
from assistants.local.server import serving

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]


@pytest.fixture
async def client() -> AsyncIterator[openai.AsyncOpenAI]:
    async with serving(demo_model()) as url, openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client:
        yield client


async def script(client: openai.AsyncOpenAI, *replies: dict[str, Any]) -> None:
    async with httpx2.AsyncClient() as http:
        (await http.post(str(client.base_url.join("/script")), json=list(replies))).raise_for_status()


async def requests(client: openai.AsyncOpenAI) -> list[dict[str, Any]]:
    async with httpx2.AsyncClient() as http:
        return (await http.get(str(client.base_url.join("/requests")))).json()


async def test_the_sdk_reads_both_forms(client: openai.AsyncOpenAI):
    completion = await client.chat.completions.create(model="m", messages=HELLO)
    assert completion.choices[0].message.content == "You said: hello"
    stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert text == "You said: hello"
    assert [model.id async for model in client.models.list()] == ["demo"]


async def test_a_connection_that_drops(client: openai.AsyncOpenAI):
    await script(client, {"text": "one two three", "cut_after": 2})
    stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True)
    assert (await anext(stream)).choices[0].delta.content == ""
    assert (await anext(stream)).choices[0].delta.content == "one"
    with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
        await anext(stream)


@pytest.mark.parametrize("waits", [{"delay": 30}, {"chunk_delay": 30}])
async def test_a_client_that_disconnects_is_recorded(client: openai.AsyncOpenAI, waits: dict[str, Any]):
    await script(client, {"text": "one two three", **waits})
    with pytest.raises(openai.APITimeoutError):
        await client.chat.completions.create(model="m", messages=HELLO, timeout=0.3)
    for _ in range(50):
        (record,) = await requests(client)
        if record["disconnected"]:
            return
        await asyncio.sleep(0.05)
    pytest.fail("not recorded")
