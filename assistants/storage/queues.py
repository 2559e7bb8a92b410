"""Queue items: JSON objects that carry ids only, never expire, and may come twice, late or never."""

import base64
import json
import math
from collections.abc import Mapping
from typing import Any

from azure.core.exceptions import HttpResponseError

from assistants.storage.connection import made_on_first_use
from assistants.storage.services import QueueService, Receipt


class Queues:
    """The queues of one account."""

    def __init__(self, service: QueueService) -> None:
        self._service = service

    async def send(self, queue: str, item: Mapping[str, Any], delay: float = 0) -> Receipt:
        """Put an item into a queue, to appear after `delay` seconds (whole ones; a part counts as one)."""
        text = base64.b64encode(json.dumps(item).encode()).decode()  # as the Functions host expects
        return await made_on_first_use(
            lambda: self._service.send(queue, text, math.ceil(delay)),
            lambda: self._service.client.create_queue(queue),
        )

    async def delete(self, queue: str, receipt: Receipt) -> None:
        """Delete an item that was sent; one that is gone or was received since is left to its receiver."""
        try:
            await self._service.delete(queue, receipt)
        except HttpResponseError as error:
            if error.status_code not in {400, 404}:
                raise
