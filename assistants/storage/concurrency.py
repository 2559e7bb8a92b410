"""Concurrent calls of storage."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

_AT_ONCE = 16

A = TypeVar("A")
B = TypeVar("B")
R = TypeVar("R")
T = TypeVar("T")


async def for_each(act: Callable[[T], Awaitable[R]], things: Iterable[T]) -> list[R]:
    """Call `act` with each thing, sixteen at once; the results are in the order of the things.

    The first error ends the other calls, and is raised when they have ended.
    """
    turns = asyncio.Semaphore(_AT_ONCE)

    async def in_turn(thing: T) -> R:
        async with turns:
            return await act(thing)

    tasks = [asyncio.ensure_future(in_turn(thing)) for thing in things]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def together(first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Await two results at the same time; of two errors the first one's is raised."""
    ones, others = await asyncio.gather(first, second, return_exceptions=True)
    if isinstance(ones, BaseException):
        raise ones
    if isinstance(others, BaseException):
        raise others
    return ones, others
