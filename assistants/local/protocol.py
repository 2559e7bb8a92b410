"""HTTP of the local server: disconnects clients that send too slowly, or too much."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_WITHIN = 20.0
"""Seconds for the head of a request, from the connection or from its first byte."""

BODY_PERIOD = 20.0
"""Seconds within which at least `BODY_BYTES` of a body have to arrive, unless the application does not read them."""

BODY_BYTES = 4 * 1024

LINGER_SECONDS = 5.0
LINGER_BYTES = 64 * 1024 * 1024
"""Seconds and bytes for which a body that is not read is discarded, so that its client can read the answer."""


class Protocol(H11Protocol):
    """uvicorn's protocol, with limits for the heads and bodies of requests."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._connection: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._limited: Any = None
        """The state of the client to which the present time limit applies."""
        self._received = 0
        self._was_paused = self._lingers = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._connection = transport
        super().connection_made(_Transport(transport, self._close))
        self._limit_time()

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if not self._lingers:
            super().data_received(data)
            self._limit_time()
        elif self._received > LINGER_BYTES:
            self._disconnect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_limit()
        super().connection_lost(exc)

    def _limit_time(self) -> None:
        """Start the time limit of the client's present state, unless it has started, and stop any other."""
        state: Any = self.conn.their_state
        if state is self._limited or self._lingers:
            return
        self._end_limit()
        if state is h11.IDLE:
            self._limited, self._timer = state, self.loop.call_later(HEAD_WITHIN, self._disconnect)
        elif state is h11.SEND_BODY:
            self._limited = state
            self._begin_period()

    def _end_limit(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._limited = None

    def _begin_period(self) -> None:
        self._received, self._was_paused = 0, self.flow.read_paused
        self._timer = self.loop.call_later(BODY_PERIOD, self._end_period)

    def _end_period(self) -> None:
        if self._received < BODY_BYTES and not (self._was_paused or self.flow.read_paused):
            self._disconnect()
        else:
            self._begin_period()

    def _close(self) -> None:
        """End the connection. While a body is arriving, only the end of the answer is sent to the client."""
        assert self._connection
        if self.conn.their_state is not h11.SEND_BODY or self._connection.is_closing():
            return self._connection.close()
        self._end_limit()
        self._lingers, self._received = True, 0
        self._connection.write_eof()
        self.flow.resume_reading()
        self._timer = self.loop.call_later(LINGER_SECONDS, self._disconnect)
        return None

    def _disconnect(self) -> None:
        assert self._connection
        self._end_limit()
        self._connection.close()


class _Transport(asyncio.Transport):
    """A transport with another way to close the connection."""

    def __init__(self, inner: asyncio.Transport, close: Any) -> None:
        super().__init__()
        self._inner, self._close, self._closed = inner, close, False

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._close()

    def is_closing(self) -> bool:
        return self._closed or self._inner.is_closing()

    def write(self, data: Any) -> None:
        self._inner.write(data)

    def pause_reading(self) -> None:
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        self._inner.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._inner.get_extra_info(name, default)

    def abort(self) -> None:
        self._inner.abort()
