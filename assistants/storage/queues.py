"""Queue items: JSON objects that hold ids only, never expire, and may come twice, late or never."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from azure.core.exceptions import HttpResponseError
from azure.storage.queue import TextBase64EncodePolicy
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from assistants.storage.connection import made_on_first_use


class Receipt(NamedTuple):
    """The ids that delete an item which was sent and has not been received yet."""

    id: str
    pop_receipt: str


class Queues:
    """The queues of one account."""

    def __init__(self, service: QueueServiceClient) -> None:
        self._service = service
        self._clients: dict[str, QueueClient] = {}
        self.on_send: Callable[[str], None] | None = None
        """Is told the queue of each item that appears at once, for a listener in this process."""

    async def send(self, queue: str, item: Mapping[str, Any], delay: float = 0) -> Receipt:
        """Send an item to a queue, to appear after `delay` seconds, rounded up."""
        client = self._client(queue)
        content = json.dumps(item)
        message = await made_on_first_use(
            lambda: client.send_message(content, time_to_live=-1, visibility_timeout=math.ceil(delay)),
            client.create_queue,
        )
        if self.on_send is not None and not delay:
            self.on_send(queue)
        return Receipt(str(message.id), str(message.pop_receipt))

    async def delete(self, queue: str, receipt: Receipt) -> None:
        """Delete an item that was sent, unless it was received or deleted since."""
        try:
            await self._client(queue).delete_message(receipt.id, receipt.pop_receipt)
        except HttpResponseError as error:
            if error.status_code not in {400, 404}:
                raise

    def _client(self, queue: str) -> QueueClient:
        if queue not in self._clients:
            # Base64 is what the Functions host expects.
            policy = TextBase64EncodePolicy()
            self._clients[queue] = self._service.get_queue_client(queue, message_encode_policy=policy)
        return self._clients[queue]
