"""Storage is busy, silent, or drops connections under load: no run is lost, stuck or without an error."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from assistants.local.azurite import Azurite, Storage
from tests.faults.consistency import flaws, kept
from tests.faults.trouble import TroubledStorage
from tests.faults.users import Clients, Confirmed, User, all_at_once
from tests.support.service.processes import Instance, Model, eventually

USERS = 12
PART = 0.9
"""The share of requests to storage that fail, while storage is disturbed."""

RUN_LIFETIME, PURGED = 60.0, 30.0
SETTINGS = {
    "LOOK_AGAIN": "4", "CLAIM": "4", "RUN_LIFETIME": str(RUN_LIFETIME), "PURGE_AGAIN": "1", "PURGE_DELAY": "2",
    "LEASE": "5", "STORAGE_TIMEOUT": "1", "RETRIEVAL_DELAY": "0.1",
}  # fmt: skip


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """Storage with the objects of this module's users only."""
    with Azurite(tmp_path_factory.mktemp("troubled")) as storage:
        yield storage


@pytest.fixture(scope="module")
def troubled(storage: Storage) -> Iterator[TroubledStorage]:
    with TroubledStorage(storage) as troubled:
        yield troubled


@pytest.fixture(scope="module")
def instances(troubled: TroubledStorage, model: Model) -> Iterator[list[Instance]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(Instance(troubled.storage.connection_string, model.url, **SETTINGS)) for _ in range(2)
        ]


@pytest.mark.long
@pytest.mark.timeout(300)
def test_trouble_under_load_is_answered_or_outlasted(
    troubled: TroubledStorage, instances: list[Instance], storage: Storage, request: pytest.FixtureRequest
):
    seconds = float(str(request.config.getoption("trouble")))
    users = [
        User(Clients(instances, random.Random(number)), random.Random(f"trouble {number}")) for number in range(USERS)
    ]
    begun = time.monotonic()

    def trouble() -> None:
        time.sleep(2)
        with troubled.trouble(PART):
            time.sleep(seconds)

    all_at_once(
        [trouble, *(lambda user=user: user.live(lambda: time.monotonic() > begun + seconds + 2) for user in users)]
    )
    eventually(lambda: not asyncio.run(kept(storage)).active, RUN_LIFETIME)
    confirmed = Confirmed()
    for user in users:
        for thread in user.confirmed.threads - user.confirmed.deleted:
            assert user.turn(thread) == "completed"
        confirmed.add(user.confirmed)
    print(f"\nthe slowest answer took {confirmed.slowest:.1f} s; {dict(confirmed.counts)}")
    print(f"to storage: { {kind.value: number for kind, number in troubled.seen.items()} }")
    with suppress(AssertionError):
        eventually(lambda: not list(flaws(asyncio.run(kept(storage)), confirmed)), PURGED)
    assert list(flaws(asyncio.run(kept(storage)), confirmed)) == []
    assert confirmed.counts["runs failed"] == 0
