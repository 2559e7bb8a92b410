"""Queue items: JSON objects of ids that never expire, and may come twice, late or never."""

import base64
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from azure.core.exceptions import HttpResponseError

from assistants.storage.connection import made_on_first_use
from assistants.storage.services import QueueService, Receipt


class Queues:
    """The queues of one account."""

    def __init__(self, service: QueueService) -> None:
        self._service = service
        self.on_send: Callable[[str], None] | None = None
        """Called with the queue of each item that is visible at once, for a listener in this process."""

    async def send(self, queue: str, item: Mapping[str, Any], delay: float = 0) -> Receipt:
        """Send an item to a queue; it is visible after `delay` seconds, rounded up."""
        text = base64.b64encode(json.dumps(item).encode()).decode()  # as the Functions host expects
        receipt = await made_on_first_use(
            lambda: self._service.send(queue, text, math.ceil(delay)),
            lambda: self._service.client.create_queue(queue),
        )
        if self.on_send is not None and not delay:
            self.on_send(queue)
        return receipt

    async def delete(self, queue: str, receipt: Receipt) -> None:
        """Delete a sent item, unless it was received or deleted since then."""
        try:
            await self._service.delete(queue, receipt)
        except HttpResponseError as error:
            if error.status_code not in {400, 404}:
                raise
