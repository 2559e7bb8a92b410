"""Answers of endpoints in every reported form, and in invalid forms."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from assistants.engine.turn.completion import Completion
from assistants.model import answers
from assistants.model.answers import MAX_EVENT, chunks, whole
from assistants.model.errors import CutOff, EndpointError, Refused, TooMuch, Unreadable
from assistants.model.sse import Event, events, lines

Json = dict[str, Any]


def delta(finish: str | None = None, **fields: Any) -> Json:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


HELLO, END, USAGE = delta(content="Hello"), delta("stop"), {"choices": [], "usage": {"prompt_tokens": 1}}
WHOLE: Json = {
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
}
DONE = b"data: [DONE]\n\n"


def told(*values: Any, end: bytes = b"\n\n", field: bytes = b"data: ") -> bytes:
    return b"".join(field + json.dumps(value).encode() + end for value in values)


async def sent(pieces: Iterable[bytes | Exception]) -> AsyncIterator[bytes]:
    for piece in pieces:
        if isinstance(piece, Exception):
            raise piece
        yield piece


async def heard(*pieces: bytes | Exception) -> list[Any]:
    return [chunk async for chunk in chunks(sent(pieces))]


async def trouble(*pieces: bytes | Exception) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        await heard(*pieces)
    return caught.value


def bytewise(content: bytes) -> list[bytes]:
    return [content[at : at + 1] for at in range(len(content))]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(told(HELLO, END) + DONE, id="as OpenAI sends it"),
        pytest.param(told(HELLO, END, end=b"\r\n\r\n"), id="CRLF"),
        pytest.param(told(HELLO, END, end=b"\r\r"), id="CR"),
        pytest.param(told(HELLO, END, end=b"\n"), id="single newlines"),
        pytest.param(told(HELLO, END, field=b"data:"), id="no space"),
        pytest.param(told(HELLO, END, field=b"id: 1\nevent: completion.chunk\nretry: x\ndata: "), id="other fields"),
        pytest.param(b": ping\n\n" + told(HELLO) + b": ping\n: ping\n\n" + told(END), id="comments"),
        pytest.param(b"data\n\ndata:\n\ndata: \n\n" + told(HELLO, END) + b"data:\n\n", id="data without a value"),
        pytest.param(b"event: ping\ndata: {}\n\n" + told(HELLO, END), id="an event without choices"),
        pytest.param(b"event: keepalive\ndata: ping\n\n" + told(HELLO, END), id="an event of another kind"),
        pytest.param(b"\xef\xbb\xbf" + told(HELLO, END), id="a byte order mark"),
        pytest.param(told(HELLO) + told(END, end=b""), id="no newline at the end"),
        pytest.param(told(HELLO, END) + DONE + b"what follows is not read", id="bytes after the end"),
        pytest.param(told(HELLO, END, field=b"", end=b"\n"), id="objects, one a line"),
    ],
)
@pytest.mark.parametrize("cut", [bytewise, lambda content: [content], lambda content: [b"", content[:7], content[7:]]])
async def test_a_stream_is_read_however_it_is_written_and_cut(content: bytes, cut: Any):
    assert [chunk for chunk in await heard(*cut(content)) if chunk.get("choices")] == [HELLO, END]


@pytest.mark.parametrize(
    "content", [json.dumps(WHOLE).encode(), json.dumps([WHOLE]).encode(), b"\n " + json.dumps(WHOLE, indent=2).encode()]
)
async def test_an_answer_may_be_unstreamed(content: bytes):
    assert await heard(content) == [WHOLE]
    assert await heard(*bytewise(content)) == [WHOLE]


async def test_an_unstreamed_answer_may_be_one_event_and_on_several_lines():
    assert await heard(told(WHOLE)) == [WHOLE]
    pretty = json.dumps(WHOLE, indent=1).splitlines()
    assert await heard("".join(f"data: {line}\n" for line in pretty).encode() + b"\n") == [WHOLE]


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(told(END) + DONE, id="both"),
        pytest.param(told(END), id="a finish reason alone"),
        pytest.param(DONE, id="[DONE] alone"),
        pytest.param(told(delta("unheard_of")), id="a reason of its own"),
    ],
)
async def test_an_answer_with_an_end_is_complete(end: bytes):
    assert (await heard(told(HELLO) + end))[0] == HELLO


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param(told(HELLO), "its stream has no end", id="neither a reason nor [DONE]"),
        pytest.param(told(HELLO, delta("")), "its stream has no end", id="an empty reason"),
        pytest.param(told(HELLO) + b'data: {"choices": [{"del', 'it ends with {"choices": [{"del', id="within a chunk"),
        pytest.param(told(delta(role="assistant")) + DONE, "its stream has no end", id="no content, and [DONE]"),
        pytest.param(DONE, "its stream has no end", id="[DONE] only"),
        pytest.param(b": ping\n\n", "its stream has no end", id="comments"),
        pytest.param(b"", "it is empty", id="no bytes"),
    ],
)
async def test_a_stream_without_its_end_is_no_answer(content: bytes, text: str):
    error = await trouble(content)
    assert isinstance(error, CutOff)
    assert str(error) == f"The model's answer broke off: {text}"


async def test_an_error_after_the_finish_reason_is_ignored():
    assert await heard(told(HELLO, END), ConnectionResetError()) == [HELLO, END]
    with pytest.raises(ConnectionResetError):
        await heard(told(HELLO), ConnectionResetError())


async def test_an_endpoint_that_does_not_hang_up_after_the_finish_reason_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(answers, "LINGER", 0.01)
    forever = asyncio.Event()

    async def silent() -> AsyncIterator[bytes]:
        yield told(HELLO, END)
        yield told(USAGE)
        await forever.wait()

    found = [chunk async for chunk in chunks(silent())]
    assert found == [HELLO, END, USAGE]


@pytest.mark.parametrize(
    ("content", "text", "status"),
    [
        pytest.param(b'{"error": {"message": "Nope.", "code": 429}}', "Nope.", 429, id="JSON"),
        pytest.param(b'[{"error": {"message": "Nope.", "code": 429}}]', "Nope.", 429, id="JSON, in a list"),
        pytest.param(b'{"detail": "Nope."}', "Nope.", None, id="a detail"),
        pytest.param(b'{"error": "Nope."}\n', "Nope.", None, id="a line"),
        pytest.param(told(HELLO) + b'{"error": "Nope."}\n', "Nope.", None, id="a line after events"),
        pytest.param(told(HELLO) + b"event: error\ndata: Nope.\n\n", "Nope.", None, id="event: error, a text"),
        pytest.param(
            b'event: error\r\ndata: {"message": "Nope."}\r\n\r\n', "Nope.", None, id="event: error, an object",
        ),
        pytest.param(told({"error": "Nope."}), "Nope.", None, id="data, a text"),
        pytest.param(
            told(HELLO, {"object": "error", "message": "Nope.", "code": 500}), "Nope.", 500, id="object: error",
        ),
        pytest.param(told({"type": "error", "error": {"type": "overloaded_error", "message": "Nope."}}), "Nope.", 503,
            id="type: error",
        ),
        pytest.param(told({**delta("error"), "error": {"message": "Nope.", "code": 502}}), "Nope.", 502,
            id="an error beside choices",
        ),
        pytest.param(
            told({"choices": [{"delta": {}, "finish_reason": "error", "error": {"message": "Nope.", "code": 502}}]}),
            "Nope.", 502, id="an error in a choice",
        ),
        pytest.param(told({"choices": None, "base_resp": {"status_code": 1004, "status_msg": "Nope."}}), "Nope.", None,
            id="base_resp",
        ),
        pytest.param(told(HELLO, delta("insufficient_system_resource")),
            "The model's answer broke off: insufficient_system_resource", 503, id="a reason that is a failure",
        ),
    ],
)  # fmt: skip
async def test_an_error_is_recognized_at_any_place(content: bytes, text: str, status: int | None):
    error = await trouble(content)
    assert isinstance(error, Refused)
    assert (str(error), error.status) == (text, status)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please.</body></html>", "Sign in Please."),
        (b"upstream connect error", "upstream connect error"),
        (b'{"object": "list", "data": []}', '{"object": "list", "data": []}'),
        (told("a text"), '"a text"'),
        (told(5), "5"),
        (b"data: not JSON\n\n", "not JSON"),
        (told(HELLO) + b"data: {nonsense\n\n", "{nonsense"),
        (b"data: " + b"[" * 50_000 + b"\n\n", "[" * 200 + "…"),
    ],
)
async def test_an_answer_of_an_unknown_form_is_an_error(content: bytes, text: str):
    error = await trouble(content)
    assert isinstance(error, Unreadable)
    assert str(error) == f"The model's endpoint sent an answer that cannot be understood: {text}"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda: [b"data: " + b"x" * (MAX_EVENT + 1)], id="a line"),
        pytest.param(lambda: [b"data: {\n" + (b"data: " + b"x" * 1_000 + b"\n") * 2_000], id="an event of many lines"),
        pytest.param(lambda: [b": " + b"x" * 1000] * 2000, id="a comment without end"),
        pytest.param(lambda: [b"{" + b" " * (MAX_EVENT + 1)], id="an object"),
    ],
)
async def test_an_answer_is_not_collected_beyond_a_limit(content: Any):
    assert isinstance(await trouble(*content()), TooMuch)


async def test_a_stream_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(answers, "MAX_ANSWER", 10_000)
    assert isinstance(await trouble(*[told(HELLO)] * 1_000), TooMuch)


async def test_the_time_for_a_line_grows_with_its_bytes_and_not_with_their_square():
    async def seconds(size: int) -> float:
        pieces, begun = bytewise(b"x" * size + b"\n"), time.process_time()
        assert [len(line) async for line in lines(sent(pieces), size + 1)] == [size + 1]
        return time.process_time() - begun

    short, long = await seconds(25_000), await seconds(400_000)
    assert long < 64 * short, "a square would be 256 times as much"


async def test_a_line_feed_in_another_piece_than_its_carriage_return_ends_no_other_line():
    pieces = [b"a\r", b"\n", b"\nb\r", b"", b"\nc\n"]
    assert [line async for line in lines(sent(pieces), 10)] == [b"a\r", b"\n", b"b\r", b"c\n"]


async def test_an_event_has_its_name_its_lines_and_whether_it_ended():
    content = b"event: a\ndata: 1\ndata: 2\n\ndata: 3\n\nevent: b\n\ndata: 4"
    found = [event async for event in events(sent([content]), 100)]
    assert found == [Event("a", b"1\n2"), Event("", b"3"), Event("", b"4", ended=False)]


async def test_an_answer_that_should_be_one_object_is_one_or_fails():
    assert await whole(sent([b'{"data": ', b"[]}"])) == {"data": []}
    with pytest.raises(Refused, match="Nope"):
        await whole(sent([b'{"error": "Nope."}']))
    with pytest.raises(Unreadable, match="Sign in"):
        await whole(sent([b"<html><title>Sign in</title>"]))


async def longest_stall(content: bytes) -> float:
    """The longest time, between two iterations of the event loop while an answer is read."""
    gaps, heard = [0.0], asyncio.Event()

    async def watch() -> None:
        last = time.process_time()
        while not heard.is_set():
            await asyncio.sleep(0)
            now = time.process_time()
            gaps.append(now - last)
            last = now

    async def arriving() -> AsyncIterator[bytes]:
        for at in range(0, len(content), 65_536):
            await asyncio.sleep(0)
            yield content[at : at + 65_536]

    watching = asyncio.create_task(watch())
    await Completion().take(chunks(arriving()))
    heard.set()
    await watching
    return max(gaps)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(lambda size: b'{"x": [' + b"0," * (size // 2) + b"0]}", id="numbers"),
        pytest.param(
            lambda size: b'{"choices": [{"delta": {"tool_calls": [' + b"{}," * (size // 3) + b"{}]}}]}", id="calls"
        ),
    ],
)
async def test_no_event_holds_up_other_runs_for_longer_than_the_largest_that_is_read(event: Any):
    whole_event = event(8 * MAX_EVENT)
    begun = time.process_time()
    json.loads(whole_event)
    parsing = time.process_time() - begun
    for content in (whole_event, event(MAX_EVENT - 100)):
        assert await longest_stall(b"data: " + content + b"\n\n") < parsing / 2
