"""The queue `webhooks`: posts an event to its project's webhook until it is accepted, for about a day.

Headers and signature follow Standard Webhooks (https://www.standardwebhooks.com), as OpenAI's do.
"""

import asyncio
import json
import logging
import random
from datetime import UTC, datetime

import httpx2

from assistants.notify.addresses import Refused, address_of
from assistants.notify.items import ATTEMPTS, WEBHOOKS, Tell
from assistants.settings import Webhook
from assistants.state import post
from assistants.state.store import Store
from assistants.storage.retrying import outlast

log = logging.getLogger("assistants.notify")

FIRST_PAUSE = 5.0
"""Seconds after which an event is sent again for the first time; each further pause is four times as long."""

_LONGEST_PAUSE = 8 * 3600.0

TIMEOUT = 15.0
"""Seconds that a webhook may take to answer."""


class Webhooks:
    """The handler of the queue `webhooks`.

    Parameters
    ----------
    transport
        Sends the requests, instead of connections to the webhooks.
    """

    def __init__(self, store: Store, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._store = store
        self._transport = transport
        self._client: httpx2.AsyncClient | None = None

    async def handle(self, content: bytes) -> None:
        """Send an event; if the webhook does not accept it, send it again later.

        Raises
        ------
        pydantic.ValidationError
            The item is malformed; after its last delivery it moves to the poison queue.
        AzureError
            Storage failed; the item is to be delivered again.
        """
        item = Tell.model_validate_json(content)
        hook = self._store.settings.webhooks.get(item.project)
        if hook is None:
            return
        try:
            async with asyncio.timeout(TIMEOUT):
                status = await self._send(hook, item)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, Refused, OSError) as error:
            trouble = f"{type(error).__name__}: {error}"
        else:
            if 200 <= status < 300:
                return
            trouble = f"it answered {status}"
        log.warning("%s of %s was not taken: %s", item.type, item.project, trouble)
        await self._send_later(item)

    async def give_up(self, content: bytes) -> None:
        """Send the event of an item that failed repeatedly again, unless it has been sent for a day."""
        await outlast(lambda: self._give_up(content))

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def _give_up(self, content: bytes) -> None:
        try:
            item = Tell.model_validate_json(content)
        except ValueError:
            log.error("dropped an item of the queue %s that cannot be read", WEBHOOKS)
            return
        if item.attempt < ATTEMPTS:
            await self._send_later(item)
        else:
            log.error("gave up %s of %s (%s): %s", item.type, item.project, item.id, json.dumps(item.data))

    async def _send_later(self, item: Tell) -> None:
        pause = min(FIRST_PAUSE * 4**item.attempt, _LONGEST_PAUSE) * random.uniform(0.9, 1.1)
        again = item.model_copy(update={"attempt": item.attempt + 1})
        await post.send(self._store, again, pause if again.attempt < ATTEMPTS else 0)

    async def _send(self, hook: Webhook, item: Tell) -> int:
        """Send the event; return the status of the answer, whose body is not read."""
        url, port = httpx2.URL(hook.url), httpx2.URL(hook.url).port or (443 if hook.url.startswith("https:") else 80)
        address = await address_of(hook.host, port, hook.host in self._store.settings.webhook_hosts)
        content = body(item)
        headers = signed(hook, item.id, datetime.now(UTC), content) | {"host": url.netloc.decode()}
        sent_to = {"sni_hostname": hook.host}
        target = url.copy_with(host=address)
        async with self._connected().stream(
            "POST", target, content=content, headers=headers, extensions=sent_to
        ) as response:
            return response.status_code

    def _connected(self) -> httpx2.AsyncClient:
        if self._client is None:
            limits = httpx2.Limits(max_keepalive_connections=0)  # reuse is by address, which hosts may share
            self._client = httpx2.AsyncClient(
                transport=self._transport, timeout=TIMEOUT, follow_redirects=False, trust_env=False, limits=limits
            )
        return self._client


def body(item: Tell) -> str:
    """The event as JSON, in the form of OpenAI's."""
    event = {"id": item.id, "object": "event", "type": item.type, "created_at": item.created_at, "data": item.data}
    if item.sequence_number is not None:
        event["sequence_number"] = item.sequence_number
    return json.dumps(event)


def signed(hook: Webhook, event_id: str, now: datetime, content: str) -> dict[str, str]:
    """The headers of an event, which is signed with each key."""
    from standardwebhooks import Webhook as Signer

    return {
        "content-type": "application/json",
        "user-agent": "assistants",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Signer(key).sign(event_id, now, content) for key in hook.keys),
    }
