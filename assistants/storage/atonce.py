"""Many calls of storage, of which only so many are under way at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

_AT_ONCE = 16

T = TypeVar("T")
R = TypeVar("R")


async def each(act: Callable[[T], Awaitable[R]], things: Iterable[T]) -> list[R]:
    """Do it with each of them, sixteen at once."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def in_turn(thing: T) -> R:
        async with turns:
            return await act(thing)

    return await asyncio.gather(*(in_turn(thing) for thing in things))
