import asyncio

import pytest

from assistants.storage.concurrency import for_each


class Calls:
    """Calls that fail, or last until they are cancelled, or end at once, depending on their argument."""

    def __init__(self) -> None:
        self.begun, self.ended = list[str](), list[str]()

    async def act(self, thing: str) -> str:
        self.begun.append(thing)
        try:
            if "fails" in thing:
                raise ValueError(thing)
            if "lasts" in thing:
                await asyncio.Event().wait()
            return thing.upper()
        finally:
            await asyncio.sleep(0)
            self.ended.append(thing)


async def test_results_are_in_the_order_of_the_things():
    assert await for_each(Calls().act, "cab") == ["C", "A", "B"]


async def test_the_first_error_is_raised_when_all_other_calls_have_ended():
    calls = Calls()
    with pytest.raises(ValueError, match="1 fails"):
        await for_each(calls.act, ["lasts", "1 fails", "2 fails", "lasts, too"])
    assert sorted(calls.ended) == sorted(calls.begun) == ["1 fails", "2 fails", "lasts", "lasts, too"]


async def test_after_an_error_the_calls_that_wait_do_not_begin():
    calls = Calls()
    with pytest.raises(ValueError, match="fails"):
        await for_each(calls.act, ["fails", *["lasts"] * 15, *["later"] * 100])
    assert calls.begun.count("later") <= 1  # the one that takes the turn of the call that failed


async def test_its_cancellation_ends_its_calls():
    calls = Calls()
    task = asyncio.create_task(for_each(calls.act, ["lasts"] * 3))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls.ended == ["lasts"] * 3
