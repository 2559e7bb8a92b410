"""Storage is busy, silent, or drops connections for a while, under load: nothing is silent, lost or stuck for that."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from assistants.local.azurite import Azurite, Storage
from tests.consistency import flaws, kept
from tests.processes import Model, Service, eventually
from tests.trouble import TroubledStorage
from tests.users import Clients, Told, User, all_at_once

USERS = 6
PART = 0.9
"""Of all requests to storage, while the trouble lasts."""

SETTINGS = {"LOOK_AGAIN": "4", "CLAIM": "4", "RUN_LIFETIME": "60", "STORAGE_TIMEOUT": "1", "RETRIEVAL_DELAY": "0.1"}


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """One in which there is nothing but what the users here leave in it."""
    with Azurite(tmp_path_factory.mktemp("troubled")) as storage:
        yield storage


@pytest.fixture(scope="module")
def troubled(storage: Storage) -> Iterator[TroubledStorage]:
    with TroubledStorage(storage) as troubled:
        yield troubled


@pytest.fixture(scope="module")
def services(troubled: TroubledStorage, model: Model) -> Iterator[list[Service]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(Service(troubled.storage.connection_string, model.url, **SETTINGS)) for _ in range(2)
        ]


@pytest.mark.timeout(300)
def test_trouble_under_load_is_answered_or_outlasted(
    troubled: TroubledStorage, services: list[Service], storage: Storage, request: pytest.FixtureRequest
):
    seconds = float(str(request.config.getoption("trouble")))
    users = [User(Clients(services, random.Random(number)), random.Random(number)) for number in range(USERS)]
    begun = time.monotonic()

    def trouble() -> None:
        time.sleep(1)
        with troubled.trouble(PART):
            time.sleep(seconds)

    all_at_once(
        [trouble, *(lambda user=user: user.live(lambda: time.monotonic() > begun + seconds + 2) for user in users)]
    )
    eventually(lambda: not asyncio.run(kept(storage)).active, 120)
    told = Told()
    for user in users:
        for thread in user.told.threads - user.told.deleted:
            assert user.turn(thread) == "completed"
        told.add(user.told)
    print(f"\n{dict(told.counts)}\n{ {kind.value: number for kind, number in troubled.seen.items()} }")
    assert list(flaws(asyncio.run(kept(storage)), told)) == []
    assert told.counts["runs failed"] == 0
