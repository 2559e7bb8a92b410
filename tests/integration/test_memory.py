"""A process does not grow with the number of turns."""

import pytest

from assistants.local.azurite import Storage
from benchmarks.memory import SETTINGS, Answering, counted, turn
from tests.support.service.inprocess import in_process

TURNS = 120
"""More than the temporary objects, which are about fifty."""
ROUNDS = 3
"""Leaked objects grow in each round; those of the other services in this process only in some."""


@pytest.mark.long
async def test_turns_on_new_threads_leak_no_objects(azurite: Storage):
    async with in_process(azurite, Answering(), **SETTINGS) as service:
        assistant = (await service.client.beta.assistants.create(model="demo")).id
        counts: list[int] = []
        for turns in (20, *[TURNS] * ROUNDS):  # the first 20 import, open and cache
            for number in range(1, 2 * turns, 2):  # odd numbers are streamed: the queue is shared with other tests
                await turn(service, assistant, number)
            counts.append(counted().total())
            if len(counts) > 2 and counts[-1] - counts[-2] < TURNS:
                return
    raise AssertionError(counts)
