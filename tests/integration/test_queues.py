import base64
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from assistants.storage.queues import Queues
from assistants.storage.services import QueueService, Receipt

FOREVER = 9999
"""The year of expiry of an item that never expires."""


@pytest.fixture
def queues(queue_service: QueueService) -> Queues:
    return Queues(queue_service)


async def length(service: QueueService, queue: str) -> int:
    """The number of items in the queue, hidden ones included."""
    return (await service.client.get_queue_client(queue).get_queue_properties()).approximate_message_count or 0


async def visible(service: QueueService, queue: str) -> list[Any]:
    return list(await service.client.get_queue_client(queue).peek_messages(32))


@pytest.mark.parametrize("item", [{}, {"run": "run_1"}, {"kind": "attend", "look": {"id": "Grüße 🦀"}, "segments": 1}])
async def test_an_item_is_base64_of_json_and_never_expires(
    queues: Queues, queue_service: QueueService, fresh: str, item: Mapping[str, Any]
):
    await queues.send(fresh, item)
    (sent,) = await visible(queue_service, fresh)
    assert json.loads(base64.b64decode(sent.content, validate=True)) == item
    assert sent.expires_on.year == FOREVER


async def test_the_first_item_makes_the_queue_and_later_ones_follow(
    queues: Queues, queue_service: QueueService, fresh: str
):
    for number in range(3):
        await queues.send(fresh, {"number": number})
    assert await length(queue_service, fresh) == 3


async def test_a_queue_that_was_deleted_is_made_again(queues: Queues, queue_service: QueueService, fresh: str):
    await queues.send(fresh, {})
    await queue_service.client.delete_queue(fresh)
    await queues.send(fresh, {})
    assert await length(queue_service, fresh) == 1


@pytest.mark.parametrize(("delay", "least"), [(1, 1.0), (0.2, 0.5)])
async def test_a_delayed_item_is_hidden_until_its_time(
    queues: Queues, queue_service: QueueService, fresh: str, delay: float, least: float
):
    began = time.monotonic()
    await queues.send(fresh, {}, delay)
    assert await visible(queue_service, fresh) == []
    while not await visible(queue_service, fresh):
        assert time.monotonic() < began + 10
    assert time.monotonic() - began >= least - 0.5


async def test_an_item_without_a_delay_is_visible_at_once(queues: Queues, queue_service: QueueService, fresh: str):
    await queues.send(fresh, {})
    assert len(await visible(queue_service, fresh)) == 1


async def test_a_sent_item_is_deleted_by_its_receipt_and_no_other_is(
    queues: Queues, queue_service: QueueService, fresh: str
):
    first = await queues.send(fresh, {"number": 1}, 60)
    await queues.send(fresh, {"number": 2})
    await queues.delete(fresh, first)
    (left,) = await visible(queue_service, fresh)
    assert json.loads(base64.b64decode(left.content)) == {"number": 2}
    assert await length(queue_service, fresh) == 1


async def test_deleting_an_item_that_is_gone_is_fine(queues: Queues, queue_service: QueueService, fresh: str):
    receipt = await queues.send(fresh, {})
    await queues.delete(fresh, receipt)
    await queues.delete(fresh, receipt)
    assert await length(queue_service, fresh) == 0


async def test_an_item_that_was_received_since_is_left_to_its_receiver(
    queues: Queues, queue_service: QueueService, fresh: str
):
    receipt = await queues.send(fresh, {})
    received = await queue_service.client.get_queue_client(fresh).receive_message(visibility_timeout=60)
    assert received is not None
    await queues.delete(fresh, receipt)
    assert await length(queue_service, fresh) == 1


@pytest.mark.parametrize("receipt", [Receipt("00000000-0000-0000-0000-000000000000", "AAAA"), Receipt("odd", "odd")])
async def test_an_unknown_receipt_deletes_no_message(
    queues: Queues, queue_service: QueueService, fresh: str, receipt: Receipt
):
    await queues.delete(fresh, receipt)
    await queues.send(fresh, {})
    await queues.delete(fresh, receipt)
    assert await length(queue_service, fresh) == 1
