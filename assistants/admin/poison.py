"""`poison`: the items that failed repeatedly, and that the app has not given up yet.

The app's own functions empty the -poison queues: items stay there while it does not run, or while it fails to.
"""

import argparse
import base64
import binascii
import json
from collections import Counter
from collections.abc import AsyncIterator

from azure.core.exceptions import ResourceNotFoundError

from assistants.admin.command import Commands, Failed, Misused, opened, when
from assistants.admin.screen import Row, Screen
from assistants.notify.items import WEBHOOKS
from assistants.service import QUEUES
from assistants.storage.connection import made_on_first_use
from assistants.storage.services import QueueService, Received

_LEASE = 60
"""Seconds for which items are hidden while they are read; they reappear then if this process is killed."""

_AT_ONCE = 32
_ALL = (*QUEUES, WEBHOOKS)


def add(commands: Commands) -> None:
    """Add the sub-command."""
    parser = commands.add_parser("poison", help="items that failed: list, show, retry, drop", description=__doc__)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listed = actions.add_parser("list", help=f"list up to {_AT_ONCE} items of each queue")
    listed.add_argument("--queue", choices=_ALL, help="of this queue only")
    listed.set_defaults(act=_list)
    shown = actions.add_parser("show", help="show one item")
    shown.add_argument("item", help="its id")
    shown.set_defaults(act=_show, queue=None)
    for name, act, text in (
        ("retry", _retry, "put items back into their queue"),
        ("drop", _drop, "delete items: a run is left to its look-again item, which ends it in time"),
    ):
        some = actions.add_parser(name, help=text, description=text)
        some.add_argument("item", nargs="?", help="the id of one")
        some.add_argument("--all", action="store_true", help="all of them")
        some.add_argument("--queue", choices=_ALL, help="of this queue only")
        some.set_defaults(act=act)


async def _list(asked: argparse.Namespace, screen: Screen) -> int:
    async with opened() as store:
        rows = [row for queue in _queues(asked) for row in await _peeked(store.services[1], queue)]
        screen.table(rows, "No -poison queue has an item.")
        for queue, number in Counter(row["queue"] for row in rows).items():
            if number == _AT_ONCE:
                screen.note(f"{queue}-poison may have more than these {number} items")
    return 0


async def _show(asked: argparse.Namespace, screen: Screen) -> int:
    async with opened() as store:
        for queue in _queues(asked):
            for item in [each async for each in _taken(store.services[1], queue, asked.item, keep=True)]:
                row = {**_row(queue, item.receipt.id, item.text), "dequeued": item.dequeue_count}
                row |= {"inserted": when(item.inserted_on.timestamp())}
                if screen.as_json:
                    screen.value(row)
                else:
                    screen.table([{"field": name, "value": value} for name, value in row.items()])
                return 0
    raise Failed(f"No -poison queue has the item {asked.item}, or another process looks at it just now.")


async def _retry(asked: argparse.Namespace, screen: Screen) -> int:
    return await _settle(asked, screen, again=True)


async def _drop(asked: argparse.Namespace, screen: Screen) -> int:
    return await _settle(asked, screen, again=False)


async def _settle(asked: argparse.Namespace, screen: Screen, again: bool) -> int:
    if bool(asked.item) == asked.all:
        raise Misused("Name an item, or --all.")
    rows: list[Row] = []
    async with opened() as store:
        service = store.services[1]
        with screen.progress("items") as done:
            for queue in _queues(asked):
                async for item in _taken(service, queue, asked.item):
                    if again:
                        # Sent before the other is deleted: killed in between, there are two, which is harmless.
                        await _send(service, queue, item.text)
                    await service.delete(_poison(queue), item.receipt)
                    rows.append({**_row(queue, item.receipt.id, item.text), "done": "retried" if again else "dropped"})
                    done(1)
    if asked.item and not rows:
        raise Failed(f"No -poison queue has the item {asked.item}, or another process looks at it just now.")
    screen.table(rows, "No -poison queue has an item.")
    return 0


async def _send(service: QueueService, queue: str, text: str) -> None:
    await made_on_first_use(lambda: service.send(queue, text), lambda: service.client.create_queue(queue))


async def _peeked(service: QueueService, queue: str) -> list[Row]:
    try:
        found = await service.client.get_queue_client(_poison(queue)).peek_messages(_AT_ONCE)
    except ResourceNotFoundError:
        return []
    return [_row(queue, each.id, each.content) for each in found]


async def _taken(service: QueueService, queue: str, wanted: str | None, keep: bool = False) -> AsyncIterator[Received]:
    """The items of a -poison queue, or the wanted one; the others, or with `keep` all of them, appear again."""
    back: list[Received] = []
    try:
        while found := await service.receive(_poison(queue), _AT_ONCE, _LEASE):
            chosen = [item for item in found if wanted in (None, item.receipt.id)]
            back += found if keep else [item for item in found if item not in chosen]
            for item in chosen:
                yield item
            if wanted and chosen:
                return
    except ResourceNotFoundError:
        return
    finally:
        for item in back:
            await service.update(_poison(queue), item.receipt, 0)


def _queues(asked: argparse.Namespace) -> tuple[str, ...]:
    return (asked.queue,) if asked.queue else _ALL


def _poison(queue: str) -> str:
    return f"{queue}-poison"


def _row(queue: str, item_id: str, text: str) -> Row:
    return {"queue": queue, "id": item_id, "item": content(text)}


def content(text: str) -> str:
    """The JSON of an item, in one line; its text unchanged if that is no base64 of a JSON value."""
    try:
        return json.dumps(json.loads(base64.b64decode(text, validate=True)), ensure_ascii=False)
    except (binascii.Error, ValueError):
        return text
