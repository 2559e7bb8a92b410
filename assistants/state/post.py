"""The only way to send a queue item."""

from assistants.schema.base import Deferred
from assistants.state.store import Store
from assistants.storage.services import Receipt
from assistants.telemetry.items import carried

PURGE_DELAY = 30
"""Seconds after which a deletion is repeated: every write that began before it has ended by then."""


class Item(Deferred):
    """A queue item: a JSON object of ids, which may come twice, late or never."""

    @property
    def queue(self) -> str:
        """The queue that the item goes to."""
        raise NotImplementedError


async def send(store: Store, item: Item, delay: float = 0) -> Receipt:
    """Send an item; it is visible after `delay` seconds.

    Raises
    ------
    AzureError
        Storage failed; the item may have been sent.
    """
    return await store.queues.send(item.queue, {**item.model_dump(), **carried()}, delay)
