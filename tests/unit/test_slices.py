"""Streams without waits share the event loop: other tasks run between two slices."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from assistants.engine.turn.completion import Completion
from assistants.model.answers import Chunk
from assistants.storage import slices as module
from assistants.storage.slices import Slices

CHUNKS, STREAMS = 2_000, 20


async def at_once() -> AsyncIterator[Chunk]:
    for _ in range(CHUNKS):
        yield {"choices": [{"index": 0, "delta": {"content": "word "}}]}
    yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


async def streamed(slices: Slices) -> Completion:
    said = Completion()
    await said.take(at_once(), slices=slices)
    return said


async def longest_wait(slices: list[Slices]) -> float:
    """The longest wait of another task, as a part of the processor time of all streams."""
    gaps: list[float] = []

    async def wait() -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            gaps.append(time.thread_time() - last)
            last = time.thread_time()

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    started = time.thread_time()
    done = await asyncio.gather(*(streamed(each) for each in slices))
    took = time.thread_time() - started
    waiting.cancel()
    assert {(each.length, each.finish) for each in done} == {(5 * CHUNKS, "stop")}
    return max(gaps) / took


async def test_other_tasks_wait_for_a_small_part_of_the_time_of_many_streams(monkeypatch: pytest.MonkeyPatch):
    shared = Slices()
    fair = await longest_wait([shared] * STREAMS)
    monkeypatch.setattr(module, "SLICE", 60)
    unfair = await longest_wait([shared] * STREAMS)
    assert fair < unfair / 5


async def test_one_stream_does_not_hold_the_loop_either(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SLICE", 0.0005)
    assert await longest_wait([Slices()]) < 0.5


async def test_a_stream_that_is_given_up_while_it_waits_keeps_no_other_from_going_on():
    slices = Slices()
    others = [asyncio.create_task(slices.next()) for _ in range(3)]
    await asyncio.sleep(0)
    others[0].cancel()
    await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), 10)
    assert [each.cancelled() for each in others] == [True, False, False]
    assert not slices.awaited


async def test_slices_are_given_in_the_order_of_their_requests_one_per_iteration_of_the_loop():
    slices, order = Slices(), list[int]()

    async def ask(number: int) -> None:
        for _ in range(3):
            await slices.next()
            order.append(number)

    rounds = 0
    asked = [asyncio.create_task(ask(number)) for number in range(4)]
    while not all(each.done() for each in asked):
        before = len(order)
        await asyncio.sleep(0)
        rounds += 1
        assert len(order) - before <= 1
    assert order == [0, 1, 2, 3] * 3
