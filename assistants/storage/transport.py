"""The one place where every storage request leaves the process, below the SDK's own retries."""

from email.utils import parsedate_to_datetime
from typing import Any

from azure.core.pipeline.transport import AioHttpTransport, AsyncHttpResponse, HttpRequest

from assistants.storage.clock import Clock


class Transport(AioHttpTransport):
    """Sends storage requests, and shows each answer's `Date` header to the clock."""

    def __init__(self, clock: Clock, timeout: float) -> None:
        super().__init__(connection_timeout=timeout, read_timeout=timeout)
        self._clock = clock

    async def send(self, request: HttpRequest, **config: Any) -> AsyncHttpResponse:
        sent = self._clock.local()
        response = await super().send(request, **config)
        date = response.headers.get("Date")
        if date:
            self._clock.observe(parsedate_to_datetime(date).timestamp(), sent, self._clock.local())
        return response
