"""Bodies are counted as they arrive, and refused before they are parsed."""

import asyncio
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from starlette.datastructures import Headers
from starlette.types import Message

from assistants.api import bodies
from assistants.api.app import create_api
from assistants.api.bodies import MAX_HELD, MAX_VALUES, Body, BodyRefused, Held, Values
from assistants.api.multipart import HELD
from assistants.schema.base import MAX_DEPTH, MAX_ITEMS, MAX_NODES
from assistants.schema.errors import ApiError
from assistants.service import Service
from assistants.settings import settings
from tests.unit.accepting import UNAWAITED, accepting

pytestmark = UNAWAITED

MEGABYTE = 1024 * 1024
PARAMETERS = "tools[0].function.parameters"


def taken(text: bytes, longest: int, chance: random.Random) -> int:
    values = Values()
    while text:
        size = chance.randint(1, longest)
        values.add(text[:size])
        text = text[size:]
    return values.count


def inner(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from inner(child)


def test_values_are_counted_for_every_way_of_cutting_the_text_and_any_strings():
    chance = random.Random(1)

    def made(depth: int) -> Any:
        if depth and chance.random() < 0.7:
            children = [made(depth - 1) for _ in range(chance.randint(1, 4))]
            return children if chance.random() < 0.5 else {text(): child for child in children}
        return chance.choice((text(), 1, None))

    def text() -> str:
        return "".join(chance.choice('"\\[]{},:\n\té ') for _ in range(chance.randint(0, 12)))

    for _ in range(200):
        value = [made(5)]
        # Every array and object opens once, and has a comma before each of its values but the first.
        nodes = list(inner(value))
        wanted = sum(len(each) for each in nodes if isinstance(each, dict | list))
        content = json.dumps(value, ensure_ascii=chance.random() < 0.5).encode()
        assert taken(content, 9, chance) == taken(content, len(content), chance) == wanted


def body(
    pieces: Sequence[bytes], headers: dict[str, str] | None = None, most: int = MEGABYTE, held: Held | None = None
) -> Body:
    left = list(pieces)

    async def receive() -> Message:
        piece = left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(left)}

    return Body(receive, Headers(headers or {}), most, held or Held())


async def refused(found: Body) -> ApiError:
    async def read() -> None:
        while True:
            await found.receive()

    with pytest.raises(BodyRefused) as caught:
        await read()
    return caught.value.error


async def test_a_body_is_refused_by_its_length_before_any_of_it_is_received():
    error = await refused(body([], {"content-length": str(MEGABYTE + 1)}))
    assert (error.status, error.message) == (413, "Maximum content size limit (1048576) exceeded.")


async def test_a_body_of_unknown_length_is_refused_as_soon_as_it_is_too_long():
    error = await refused(body([bytes(MEGABYTE), b" "], {"transfer-encoding": "chunked"}))
    assert (error.status, error.code) == (413, "request_too_large")


async def test_a_body_of_brackets_is_refused_while_it_is_received():
    piece = b"[" * 65536
    found = body([piece] * 1000, most=100 * MEGABYTE)
    error = await refused(found)
    assert (error.status, error.code) == (400, "invalid_value")
    assert found._size <= MAX_VALUES + len(piece)


async def test_a_form_is_counted_by_its_reader_only():
    found = body([bytes(MEGABYTE), b" "])
    found.stream(1)
    assert (await found.receive())["more_body"]
    assert not (await found.receive())["more_body"]


async def test_the_process_holds_so_many_bytes_until_requests_are_answered():
    held = Held()
    half = [body([b" "], held=held) for _ in range(2)]
    for each in half:
        each.stream(MAX_HELD // 2)
    third = body([b" "], held=held)
    error = await refused(third)
    assert (error.status, error.headers) == (503, {"Retry-After": "1"})
    third.close()
    half[0].close()
    await body([b" "], held=held).receive()


async def test_a_body_of_the_greatest_size_fits_into_the_memory_for_bodies(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bodies, "MAX_HELD", 10)
    await body([bytes(1000)], most=1000).receive()


@pytest.mark.parametrize(
    ("headers", "received", "long"),
    [
        pytest.param({}, 0, False, id="none"),
        pytest.param({"content-length": "100"}, 0, False, id="a short one"),
        pytest.param({"content-length": "1000000"}, 0, True, id="a long one"),
        pytest.param({"content-length": "1000000"}, 999_000, False, id="the rest of a long one"),
        pytest.param({"transfer-encoding": "chunked"}, 10, True, id="one of unknown length"),
    ],
)
async def test_the_rest_of_a_body_may_be_too_long_to_be_received(headers: dict[str, str], received: int, long: bool):
    found = body([bytes(received), b" "], headers)
    await found.receive()
    assert found.rest_is_long == long


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    with accepting() as client:
        async with client:
            yield client


async def sent(client: httpx2.AsyncClient, path: str, content: Any, **headers: str) -> tuple[int, Any]:
    answer = await client.post(path, content=content, headers=headers)
    return answer.status_code, answer.json()["error"]


@pytest.mark.parametrize("path", ["/threads", "/threads/thread_1/runs", "/vector_stores", "/chat/completions"])
@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
async def test_a_request_that_is_too_large_is_refused_in_openais_shape(
    client: httpx2.AsyncClient, path: str, kind: str
):
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b'{"a":"' + b"a" * MEGABYTE + b'"}'

    expected = {
        "message": "Maximum content size limit (16777216) exceeded.",
        "type": "invalid_request_error",
        "param": None,
        "code": "request_too_large",
    }
    assert await sent(client, path, endless(), **{"content-type": kind}) == (413, expected)
    assert await sent(client, path, b"", **{"content-type": kind, "content-length": "99999999"}) == (413, expected)


async def test_a_hundred_megabytes_of_brackets_take_less_than_the_largest_request(client: httpx2.AsyncClient):
    largest = json.dumps({"metadata": {"key": "a" * (16 * MEGABYTE - 100)}}).encode()
    started = time.process_time()
    assert (await sent(client, "/threads", largest))[1]["code"] == "string_above_max_length"
    parsed = time.process_time() - started
    brackets = b"[" * 100 * MEGABYTE
    started = time.process_time()
    assert (await sent(client, "/threads", brackets))[0] == 413
    assert time.process_time() - started < parsed
    values = b'{"metadata":' + b"[]," * (5 * MEGABYTE)
    assert (await sent(client, "/threads", values)) == (
        400,
        {
            "message": "Invalid request body: too many values. Expected at most 100000 values in arrays and objects.",
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_value",
        },
    )


def parameters(value: Any) -> dict[str, Any]:
    return {"model": "m", "tools": [{"type": "function", "function": {"name": "f", "parameters": value}}]}


def nested(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(depth - 1):
        found = {"a": found}
    return found


@pytest.mark.parametrize(
    ("path", "allowed", "beyond", "param", "problem"),
    [
        pytest.param(
            "/assistants", parameters({"enum": [1] * (MAX_NODES - 2)}), parameters({"enum": [1] * (MAX_NODES - 1)}),
            PARAMETERS, "object too large. Expected at most 50000 values.", id="values of a schema",
        ),
        pytest.param(
            "/assistants", parameters(nested(MAX_DEPTH)), parameters(nested(MAX_DEPTH + 1)),
            PARAMETERS, "object too deep. Expected at most 100 levels of nesting.", id="depth of a schema",
        ),
        pytest.param(
            "/vector_stores/vs_1/search",
            {"query": "a", "filters": {"type": "in", "key": "a", "value": [1] * 996}},
            {"query": "a", "filters": {"type": "in", "key": "a", "value": [1] * 997}},
            "filters", "object too large. Expected at most 1000 values.", id="values of a filter",
        ),
        pytest.param(
            "/threads", {"messages": [{"role": "user", "content": "a"}] * MAX_ITEMS},
            {"messages": [{"role": "user", "content": "a"}] * (MAX_ITEMS + 1)}, "messages",
            "array too long. Expected an array with maximum length 1000, but got an array with length 1001 instead.",
            id="messages",
        ),
        pytest.param(
            "/threads/thread_1/runs",
            {"assistant_id": "asst_1", "additional_messages": [{"role": "user", "content": "a"}] * MAX_ITEMS},
            {"assistant_id": "asst_1", "additional_messages": [{"role": "user", "content": "a"}] * (MAX_ITEMS + 1)},
            "additional_messages",
            "array too long. Expected an array with maximum length 1000, but got an array with length 1001 instead.",
            id="additional messages",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_large_bodies_are_accepted_up_to_their_limit(
    client: httpx2.AsyncClient, path: str, allowed: Any, beyond: Any, param: str, problem: str, version: str
):
    beta = {"openai-beta": f"assistants={version}"}
    assert (await sent(client, path, json.dumps(allowed).encode(), **beta))[0] == 418
    status, error = await sent(client, path, json.dumps(beyond).encode(), **beta)
    assert (status, error["param"], error["message"]) == (400, param, f"Invalid '{param}': {problem}")


async def test_the_body_of_an_answered_request_is_released(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bodies, "MAX_HELD", 3000)
    monkeypatch.setenv("MAX_JSON_BYTES", "1024")
    settings.cache_clear()
    content = json.dumps({"metadata": {"key": "a" * 900}}).encode()
    assert {(await sent(client, "/threads", content))[0] for _ in range(10)} == {400}


async def test_the_number_of_slowly_sent_forms_is_bounded(monkeypatch: pytest.MonkeyPatch):
    class Store:
        ids = SimpleNamespace(new=lambda _: "file-1")

        async def hear_time(self) -> None:
            pass

    async def closed() -> None:
        pass

    monkeypatch.delenv("API_KEYS", raising=False)
    settings.cache_clear()
    monkeypatch.setattr(Service, "open", lambda: SimpleNamespace(store=Store(), close=closed))
    api = create_api()
    api.state.loopback = True
    release = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"--x"
        await release.wait()

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(api), base_url="http://test/v1") as client:
        headers = {"content-type": "multipart/form-data; boundary=x"}
        asked = [asyncio.create_task(client.post("/files", content=slow(), headers=headers)) for _ in range(50)]
        refused = 50 - MAX_HELD // HELD
        for answer in list(itertools.islice(asyncio.as_completed(asked), refused)):
            assert (await answer).status_code == 503
        release.set()
        assert Counter([(await each).status_code for each in asked]) == {503: refused, 400: 50 - refused}
        assert (await client.post("/files", content=slow(), headers=headers)).status_code == 400
    settings.cache_clear()
