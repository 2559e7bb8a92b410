"""Server-sent events (contract, 7): framing, and a channel that neither blocks its run nor grows without bound."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Any

from starlette.responses import StreamingResponse

from assistants.schema.base import Object
from assistants.schema.errors import ApiError, server_error

log = logging.getLogger("assistants.api")

HEARTBEAT = 15.0
"""Seconds without an event after which a comment line keeps the connection open."""

MAX_UNSENT = 1_000_000
"""Bytes that may wait for a slow client, besides the largest event; above that its stream is closed, not the run."""


class Channel:
    """The events of one stream, from the run to the client."""

    def __init__(self, heartbeat: float = HEARTBEAT) -> None:
        self._heartbeat = heartbeat
        self._unsent: deque[bytes] = deque()
        self._size = self._largest = 0
        self._ended = False
        self._news = asyncio.Event()
        self._first_sent = asyncio.Event()

    def emit(self, event: str, data: Object | dict[str, Any]) -> None:
        """Queue one event; after the end of the stream it is dropped."""
        content = data.model_dump_json() if isinstance(data, Object) else json.dumps(data, ensure_ascii=False)
        self._put(f"event: {event}\ndata: {content}\n\n".encode(errors="replace"))

    def end(self) -> None:
        """Queue the last event of the stream."""
        self._put(b"event: done\ndata: [DONE]\n\n")
        self._ended = True
        self._news.set()

    async def first_sent(self, at_most: float = 1.0) -> None:
        """Wait until the first bytes are sent, for at most `at_most` seconds."""
        sent = asyncio.create_task(self._first_sent.wait())
        try:
            await asyncio.wait({sent}, timeout=at_most)  # `wait_for` may swallow a cancellation, before Python 3.12
        finally:
            sent.cancel()

    async def read(self) -> AsyncIterator[bytes]:
        """The bytes to send, with a comment line after `HEARTBEAT` seconds without any."""
        try:
            while self._unsent or not self._ended:
                if not self._unsent and not await self._news_within(self._heartbeat):
                    yield b":\n"  # no blank line: clients of Azure AI Agents take text before a blank line for an event
                if self._unsent:
                    content = b"".join(self._unsent)
                    self._unsent.clear()
                    yield content
                    # They have been sent only now: a client that does not read blocks the sender.
                    self._size -= len(content)
                    self._first_sent.set()
        finally:
            self._close()

    async def _news_within(self, seconds: float) -> bool:
        self._news.clear()
        with suppress(TimeoutError):
            return await asyncio.wait_for(self._news.wait(), seconds)
        return False

    def _put(self, content: bytes) -> None:
        if self._ended:
            return
        self._size += len(content)
        self._largest = max(self._largest, len(content))
        if self._size - self._largest > MAX_UNSENT:
            self._close()
            return
        self._unsent.append(content)
        self._news.set()

    def _close(self) -> None:
        self._ended = True
        self._unsent.clear()
        self._news.set()
        self._first_sent.set()


async def produce(channel: Channel, work: Awaitable[None], request_id: str) -> None:
    """Await the work of a stream once its first bytes are sent, and end the stream, even if the work fails.

    Work that is cancelled before it begins is begun and cancelled, so that it releases its claim.
    """
    task = asyncio.current_task()
    assert task is not None
    try:
        try:
            await channel.first_sent()
        except asyncio.CancelledError:
            task.cancel()
        await work
    except asyncio.CancelledError:  # the process is stopping; the run continues without this stream
        channel.emit("error", server_error(request_id).body()["error"])
        raise
    except Exception as error:
        log.error("%s: a stream broke off", request_id, exc_info=error)
        shown = error if isinstance(error, ApiError) else server_error(request_id)
        channel.emit("error", shown.body()["error"])
    finally:
        channel.end()


def response(channel: Channel) -> StreamingResponse:
    """The response that the client reads."""
    return StreamingResponse(
        channel.read(), media_type="text/event-stream; charset=utf-8", headers={"cache-control": "no-cache"}
    )
