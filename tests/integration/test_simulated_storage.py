"""The account of tests/simulation answers as Azurite does, for every operation and parameter that the project uses."""

import ast
import asyncio
import inspect
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob import BlobBlock
from azure.storage.blob.aio import BlobClient, BlobServiceClient, ContainerClient
from azure.storage.queue import TextBase64EncodePolicy
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from assistants.local.azurite import Storage
from assistants.storage.connection import MAX_READ
from tests.simulation import clients
from tests.simulation.storage import Account
from tests.support.imports import ROOT, imported

NOTHING = ("ResourceNotFoundError", 404)
ODD = '"0x1"'
"""An ETag that nothing has."""


class Services(NamedTuple):
    """A storage account: its clients, and how to let time go by in it."""

    blobs: Any
    queues: Any
    wait: Callable[[float], Awaitable[None]]


@pytest.fixture(params=["azurite", "simulated"])
async def services(request: pytest.FixtureRequest) -> AsyncIterator[Services]:
    if request.param == "simulated":
        now = 0.0

        async def wait(seconds: float) -> None:
            nonlocal now
            now += seconds

        account = Account(lambda: now)
        wire = clients.undisturbed
        yield Services(clients.BlobService(account, wire), clients.QueueService(account, wire), wait)
        return
    storage: Storage = request.getfixturevalue("azurite")
    async with (
        BlobServiceClient.from_connection_string(storage.connection_string, max_single_get_size=MAX_READ) as blobs,
        QueueServiceClient.from_connection_string(storage.connection_string) as queues,
    ):
        yield Services(blobs, queues, asyncio.sleep)


@pytest.fixture
def absent(services: Services, fresh: str) -> Any:
    """A container that is not there yet."""
    return services.blobs.get_container_client(fresh)


@pytest.fixture
async def container(absent: Any) -> Any:
    await absent.create_container()
    return absent


@pytest.fixture
def absent_queue(services: Services, fresh: str) -> Any:
    return services.queues.get_queue_client(fresh, message_encode_policy=TextBase64EncodePolicy())


@pytest.fixture
async def queue(absent_queue: Any) -> Any:
    await absent_queue.create_queue()
    return absent_queue


async def outcome(act: Awaitable[Any]) -> tuple[str, int, str] | None:
    """The refusal: class, status and code. None: it was not refused."""
    try:
        await act
    except HttpResponseError as error:
        code = getattr(error, "error_code", None)
        return type(error).__name__, error.status_code or 0, str(getattr(code, "value", code))
    return None


async def read(container: Any, name: str, **range_: Any) -> tuple[bytes, str]:
    download = await container.download_blob(name, **range_)
    return await download.readall(), download.properties.etag


async def names(container: Any, prefix: str, **options: Any) -> list[str]:
    return [name async for name in container.list_blob_names(name_starts_with=prefix, **options)]


def if_match(etag: str) -> dict[str, Any]:
    return {"overwrite": True, "etag": etag, "match_condition": MatchConditions.IfNotModified}


def if_changed(etag: str) -> dict[str, Any]:
    return {"etag": etag, "match_condition": MatchConditions.IfModified}


async def test_without_a_container_there_is_nothing(absent: Any):
    blob = absent.get_blob_client("p/a")
    missing = (*NOTHING, "ContainerNotFound")
    assert await outcome(blob.upload_blob(b"1", overwrite=True)) == missing
    assert await outcome(blob.upload_blob(b"1", overwrite=False)) == missing
    assert await outcome(blob.upload_blob(b"1", **if_match(ODD))) == missing
    assert await outcome(blob.append_block(b"1")) == missing
    assert await outcome(blob.create_append_blob(match_condition=MatchConditions.IfMissing)) == missing
    assert await outcome(blob.stage_block("b1", b"1")) == missing
    assert await outcome(blob.get_block_list("all")) == missing
    assert await outcome(absent.download_blob("p/a")) == missing
    assert await outcome(absent.delete_blob("p/a")) == missing
    assert await outcome(names(absent, "p/")) == missing


async def test_a_container_is_made_once(container: Any):
    assert await outcome(container.create_container()) == ("ResourceExistsError", 409, "ContainerAlreadyExists")
    assert await names(container, "") == []


async def test_without_a_blob_there_is_nothing_to_read_change_or_delete(container: Any):
    blob = container.get_blob_client("p/a")
    missing = (*NOTHING, "BlobNotFound")
    assert await outcome(container.download_blob("p/a")) == missing
    assert await outcome(container.download_blob("p/a", offset=0, length=1)) == missing
    assert await outcome(container.download_blob("p/a", **if_changed(ODD))) == missing
    assert await outcome(container.delete_blob("p/a")) == missing
    assert await outcome(blob.append_block(b"1")) == missing
    assert await outcome(blob.get_block_list("all")) == missing
    assert await outcome(blob.upload_blob(b"1", **if_match(ODD))) == ("ResourceModifiedError", 412, "ConditionNotMet")


async def test_a_blob_is_made_once_unless_it_may_be_overwritten(container: Any):
    blob = container.get_blob_client("p/a")
    first = await blob.upload_blob(b"1", overwrite=False)
    assert await outcome(blob.upload_blob(b"2", overwrite=False)) == ("ResourceExistsError", 409, "BlobAlreadyExists")
    assert await read(container, "p/a") == (b"1", first["etag"])
    second = await blob.upload_blob(b"1", overwrite=True)
    assert second["etag"] != first["etag"]
    assert await read(container, "p/a") == (b"1", second["etag"])


async def test_a_conditional_write_needs_the_etag_of_what_is_there(container: Any):
    blob = container.get_blob_client("p/a")
    first = await blob.upload_blob(b"1", overwrite=True)
    second = await blob.upload_blob(b"2", **if_match(first["etag"]))
    lost = ("ResourceModifiedError", 412, "ConditionNotMet")
    assert await outcome(blob.upload_blob(b"3", **if_match(first["etag"]))) == lost
    assert await read(container, "p/a") == (b"2", second["etag"])
    await container.delete_blob("p/a")
    assert await outcome(blob.upload_blob(b"3", **if_match(second["etag"]))) == lost
    assert await names(container, "p/") == []


async def test_of_simultaneous_conditional_writes_one_wins(container: Any):
    blob = container.get_blob_client("p/a")
    first = await blob.upload_blob(b"1", overwrite=True)
    writes = (outcome(blob.upload_blob(b"%d" % number, **if_match(first["etag"]))) for number in range(5))
    assert sorted(map(bool, await asyncio.gather(*writes))) == [False, True, True, True, True]


async def test_a_read_can_be_spared_when_nothing_has_changed(container: Any):
    blob = container.get_blob_client("p/a")
    first = await blob.upload_blob(b"1", overwrite=True)
    same = await outcome(container.download_blob("p/a", **if_changed(first["etag"])))
    assert same == ("ResourceModifiedError", 304, "ConditionNotMet")
    second = await blob.upload_blob(b"2", overwrite=True)
    assert await read(container, "p/a", **if_changed(first["etag"])) == (b"2", second["etag"])


@pytest.mark.parametrize(("offset", "length", "expected"), [(0, 2, b"01"), (3, 4, b"3456"), (7, 100, b"789")])
async def test_a_range_is_read_as_far_as_it_is_there(container: Any, offset: int, length: int, expected: bytes):
    await container.get_blob_client("p/a").upload_blob(b"0123456789", overwrite=True)
    found, _ = await read(container, "p/a", offset=offset, length=length)
    assert found == expected


@pytest.mark.parametrize("content", [b"", b"0123"])
async def test_past_the_end_there_is_nothing(container: Any, content: bytes):
    await container.get_blob_client("p/a").upload_blob(content, overwrite=True)
    reading = container.download_blob("p/a", offset=len(content), length=100)
    refused = await outcome(reading)
    # Azurite answers no bytes right at the end of what is there; Azure refuses that as well.
    assert refused is None or refused == ("HttpResponseError", 416, "InvalidRange")


async def test_an_empty_blob_is_read_whole(container: Any):
    await container.get_blob_client("p/a").create_append_blob()
    assert (await read(container, "p/a"))[0] == b""


async def test_appends_are_kept_in_order_and_counted(container: Any):
    blob = container.get_blob_client("p/a")
    made = await blob.create_append_blob(match_condition=MatchConditions.IfMissing)
    counts = [int((await blob.append_block(part))["blob_committed_block_count"]) for part in (b"one", b"two")]
    content, etag = await read(container, "p/a")
    assert (content, counts) == (b"onetwo", [1, 2])
    assert etag != made["etag"]


async def test_an_append_blob_is_made_once(container: Any):
    blob = container.get_blob_client("p/a")
    await blob.create_append_blob(match_condition=MatchConditions.IfMissing)
    await blob.append_block(b"1")
    again = await outcome(blob.create_append_blob(match_condition=MatchConditions.IfMissing))
    assert again == ("ResourceExistsError", 409, "BlobAlreadyExists")
    assert (await read(container, "p/a"))[0] == b"1"
    await blob.create_append_blob()
    assert (await read(container, "p/a"))[0] == b""


async def test_the_kinds_of_blobs_are_not_mixed(container: Any):
    block, append = container.get_blob_client("p/block"), container.get_blob_client("p/append")
    await block.upload_blob(b"1", overwrite=True)
    await append.create_append_blob()
    other = ("ResourceExistsError", 409, "InvalidBlobType")
    assert await outcome(block.append_block(b"1")) == other
    assert await outcome(append.stage_block("b1", b"1")) == other
    assert await outcome(append.upload_blob(b"1", overwrite=True)) is None


async def test_blocks_are_seen_when_they_are_committed(container: Any):
    blob = container.get_blob_client("p/a")
    await blob.stage_block("b1", b"one")
    await blob.stage_block("b2", b"two")
    assert await outcome(container.download_blob("p/a")) == (*NOTHING, "BlobNotFound")
    assert await names(container, "p/") == []
    assert await _sizes(blob) == ({}, {"b1": 3, "b2": 3})
    unknown = await outcome(blob.commit_block_list([BlobBlock(block_id="b9")]))
    assert unknown == ("HttpResponseError", 400, "InvalidBlockList")

    both = [BlobBlock(block_id="b2"), BlobBlock(block_id="b1")]
    await blob.commit_block_list(both)
    assert (await read(container, "p/a"))[0] == b"twoone"
    assert await _sizes(blob) == ({"b2": 3, "b1": 3}, {})
    await blob.commit_block_list(both)
    await blob.stage_block("b3", b"three")
    assert await _sizes(blob) == ({"b2": 3, "b1": 3}, {"b3": 5})
    assert (await read(container, "p/a"))[0] == b"twoone"
    await blob.commit_block_list([BlobBlock(block_id="b3")])
    assert await _sizes(blob) == ({"b3": 5}, {})


async def _sizes(blob: Any) -> tuple[dict[str, int], dict[str, int]]:
    committed, staged = await blob.get_block_list("all")
    return {block.id: block.size for block in committed}, {block.id: block.size for block in staged}


async def test_a_deleted_blob_is_gone(container: Any):
    await container.get_blob_client("p/a").upload_blob(b"1", overwrite=True)
    await container.delete_blob("p/a")
    assert await outcome(container.delete_blob("p/a")) == (*NOTHING, "BlobNotFound")
    assert await names(container, "p/") == []


async def test_names_come_in_order_from_where_they_are_asked(container: Any):
    for name in ("p/b", "p/B", "p/_", "p/a/00001", "p/a", "p/1", "q/c"):
        await container.get_blob_client(name).upload_blob(b"", overwrite=True)
    assert await names(container, "p/") == ["p/1", "p/B", "p/_", "p/a", "p/a/00001", "p/b"]
    assert await names(container, "p/a") == ["p/a", "p/a/00001"]
    assert await names(container, "p/", start_from="p/_") == ["p/_", "p/a", "p/a/00001", "p/b"]
    assert await names(container, "p/", start_from="p/aa", results_per_page=1) == ["p/b"]
    assert await names(container, "r/") == []


async def test_without_a_queue_there_is_nothing(absent_queue: Any):
    missing = (*NOTHING, "QueueNotFound")
    assert await outcome(absent_queue.send_message("1", time_to_live=-1, visibility_timeout=0)) == missing
    assert await outcome(absent_queue.delete_message("id", "receipt")) == missing
    assert await outcome(absent_queue.receive_message(visibility_timeout=5)) == missing


async def test_a_queue_may_be_made_again(queue: Any):
    await send(queue, "1")
    assert await outcome(queue.create_queue()) == ("ResourceExistsError", 204, "QueueAlreadyExists")
    assert await receive(queue, 60) is not None


async def send(queue: Any, content: str, delay: int = 0) -> Any:
    return await queue.send_message(content, time_to_live=-1, visibility_timeout=delay)


async def receive(queue: Any, lease: int) -> Any:
    return await queue.receive_message(visibility_timeout=lease)


async def test_a_message_is_hidden_from_others_while_it_is_leased(services: Services, queue: Any):
    await send(queue, "1")
    first = await receive(queue, 1)
    assert first.content == "MQ=="
    assert await receive(queue, 1) is None
    await services.wait(1.3)
    second = await receive(queue, 60)
    assert (second.id, first.dequeue_count, second.dequeue_count) == (first.id, 1, 2)
    assert await outcome(queue.delete_message(first.id, first.pop_receipt)) == _MISMATCH
    await queue.delete_message(second.id, second.pop_receipt)
    assert await outcome(queue.delete_message(second.id, second.pop_receipt)) == _GONE


async def test_a_delayed_message_appears_in_its_time(services: Services, queue: Any):
    await send(queue, "1", 1)
    assert await receive(queue, 60) is None
    await services.wait(1.3)
    assert (await receive(queue, 60)).dequeue_count == 1


async def test_the_sender_deletes_a_message_until_it_is_received(queue: Any):
    hidden, shown = await send(queue, "1", 60), await send(queue, "2")
    await queue.delete_message(hidden.id, hidden.pop_receipt)
    assert await outcome(queue.delete_message(hidden.id, hidden.pop_receipt)) == _GONE
    received = await receive(queue, 60)
    assert received.id == shown.id
    assert await outcome(queue.delete_message(shown.id, shown.pop_receipt)) == _MISMATCH


async def test_a_lease_is_moved_by_its_latest_receipt_only(queue: Any):
    await send(queue, "1")
    received = await receive(queue, 60)
    updated = await queue.update_message(received.id, received.pop_receipt, visibility_timeout=0)
    assert await outcome(queue.update_message(received.id, received.pop_receipt, visibility_timeout=0)) == _MISMATCH
    again = await receive(queue, 60)
    assert (again.id, again.dequeue_count) == (received.id, 2)
    assert len({received.pop_receipt, updated.pop_receipt, again.pop_receipt}) == 3


async def test_a_receipt_of_nothing_is_refused(queue: Any):
    unknown = str(uuid.UUID(int=0))
    assert await outcome(queue.delete_message(unknown, "AAAA")) == _GONE
    assert await outcome(queue.update_message(unknown, "AAAA", visibility_timeout=0)) == _GONE


_GONE = (*NOTHING, "MessageNotFound")
_MISMATCH = ("HttpResponseError", 400, "PopReceiptMismatch")


@pytest.mark.parametrize(
    ("simulated", "real"),
    [
        (clients.BlobService, BlobServiceClient),
        (clients.Container, ContainerClient),
        (clients.BlobClient, BlobClient),
        (clients.QueueService, QueueServiceClient),
        (clients.Queue, QueueClient),
    ],
)
def test_a_simulated_client_has_methods_of_the_real_one_only(simulated: type, real: type):
    ours = {name for name, _ in inspect.getmembers(simulated, inspect.isfunction) if not name.startswith("_")}
    assert ours <= set(dir(real))


def test_the_project_uses_no_operation_that_is_not_simulated():
    kinds = (clients.BlobService, clients.Container, clients.BlobClient, clients.QueueService, clients.Queue)
    simulated = {name for kind in kinds for name in dir(kind)}
    real = {name for kind in (BlobClient, ContainerClient, QueueClient) for name in dir(kind) if name[0] != "_"}
    sources = (ROOT / "assistants" / "storage").rglob("*.py")
    used = {
        node.attr
        for source in sources
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in real
    }
    assert "upload_blob" in used
    assert used - {"from_connection_string"} <= simulated


def test_the_simulated_account_is_for_the_simulation_only():
    home = ROOT / "tests" / "simulation"
    sources = [path for path in ROOT.rglob("*.py") if not any(part.startswith(".") for part in path.parts)]
    users = {path for path in sources if any(module.startswith("tests.simulation") for module in imported(path))}
    assert Path(__file__) in users
    assert {path for path in users if home not in path.parents} == {Path(__file__)}


def test_a_refusal_is_one_of_the_sdks_own_exceptions():
    with pytest.raises(AzureError):
        Account(lambda: 0.0).delete("c", "b")
