"""The transport through which every storage request leaves the process, below all retries."""

from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Self
from urllib.request import getproxies

from azure.core.pipeline.transport import AioHttpTransport, AsyncHttpResponse, AsyncHttpTransport, HttpRequest

from assistants.storage.clock import Clock
from assistants.telemetry import record
from assistants.telemetry.names import METHOD, STATUS, STORAGE


class Transport(AsyncHttpTransport[HttpRequest, AsyncHttpResponse]):
    """Sends storage requests, and corrects the clock by each answer's `Date` header.

    Parameters
    ----------
    timeout
        Seconds that connecting may take, and then each wait for bytes.
    """

    def __init__(self, clock: Clock, timeout: float) -> None:
        self._clock = clock
        # With the environment's settings each request would use two threads, for a proxy and for a .netrc file.
        self._inner: AsyncHttpTransport[HttpRequest, AsyncHttpResponse] = AioHttpTransport(
            connection_timeout=timeout, read_timeout=timeout, use_env_settings=bool(getproxies())
        )

    async def send(self, request: HttpRequest, **kwargs: Any) -> AsyncHttpResponse:
        sent = self._clock.local()
        response = await self._inner.send(request, **kwargs)
        if record.is_on():
            record.add(STORAGE, 1, {METHOD: request.method, STATUS: response.status_code})
        date = response.headers.get("Date")
        if date:
            self._clock.observe(_timestamp(date), sent, self._clock.local())
        return response

    async def open(self) -> None:
        await self._inner.open()

    async def close(self) -> None:
        await self._inner.close()

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self._inner.__aexit__(*exception)


@lru_cache(8)
def _timestamp(date: str) -> float:
    """The time of a `Date` header; cached, as all answers of a second have the same one."""
    return parsedate_to_datetime(date).timestamp()
