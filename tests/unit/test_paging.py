from collections.abc import Iterator, Sequence
from itertools import product

import pytest

from assistants.state.paging import Cursors, Order, page_of_items

Items = Sequence[tuple[str, str | None]]
ORDERS: tuple[Order, Order] = ("asc", "desc")


def expected(items: Items, cursors: Cursors) -> tuple[list[str], bool]:
    """The page computed simply: all objects between the cursors, and the end of these that is at the first one."""
    ids = [identifier for identifier, _ in items]
    objects = dict(items)
    if cursors.order == "desc":
        ids.reverse()
    start = ids.index(cursors.after) + 1 if cursors.after else 0
    end = ids.index(cursors.before) if cursors.before else len(ids)
    between = [item for identifier in ids[start:end] if (item := objects[identifier]) is not None]
    ends_at_before = cursors.before and not cursors.after
    shown = between[-cursors.limit :] if ends_at_before else between[: cursors.limit]
    return shown, len(between) > cursors.limit


def lists(longest: int) -> Iterator[Items]:
    """All lists of up to `longest` entries, each an object or only a cursor."""
    for length in range(longest + 1):
        for there in product((True, False), repeat=length):
            yield [(f"id{index}", f"object{index}" if is_there else None) for index, is_there in enumerate(there)]


async def page(items: Items, cursors: Cursors) -> tuple[list[str], bool]:
    return await page_of_items(items, cursors, KeyError)


@pytest.mark.parametrize("order", ORDERS)
async def test_every_page_of_every_small_list_is_the_one_between_its_cursors(order: Order):
    for items in lists(4):
        ids = [None, *(identifier for identifier, _ in items)]
        for after, before, limit in product(ids, ids, range(1, 6)):
            cursors = Cursors(limit, order, after, before)
            assert await page(items, cursors) == expected(items, cursors), (items, cursors)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_following_the_pages_forward_and_back_shows_every_object_once(order: Order, limit: int):
    items = [(f"id{index}", None if index % 5 == 3 else f"id{index}") for index in range(23)]
    whole, _ = await page(items, Cursors(100, order))

    forward, more = await page(items, Cursors(limit, order))
    while more:
        data, more = await page(items, Cursors(limit, order, after=forward[-1]))
        forward += data
    assert forward == whole

    back, more = whole[-1:], True
    while more:
        data, more = await page(items, Cursors(limit, order, before=back[0]))
        back = data + back
    assert back == whole


async def test_a_page_is_newest_first_and_has_twenty_objects_by_default():
    items = [(f"id{index}", f"object{index}") for index in range(30)]
    data, has_more = await page(items, Cursors())
    assert (data, has_more) == ([f"object{index}" for index in range(29, 9, -1)], True)


@pytest.mark.parametrize(
    "cursors", [Cursors(after="gone"), Cursors(before="gone"), Cursors(after="id0", before="gone")]
)
async def test_an_unknown_cursor_is_refused(cursors: Cursors):
    with pytest.raises(KeyError, match="gone"):
        await page([("id0", "object0")], cursors)
