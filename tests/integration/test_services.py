"""The services of `assistants.storage`, the SDK's clients alone, and the account of tests/simulation behave alike.

For every operation and parameter that the project uses.
"""

import ast
import asyncio
import inspect
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.transport import _aiohttp
from azure.storage.blob import AccountSasPermissions, BlobBlock, ResourceTypes, generate_account_sas
from azure.storage.blob import Services as BlobServices
from azure.storage.blob.aio import BlobClient, BlobServiceClient, ContainerClient
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from assistants.local.azurite import Storage
from assistants.settings import Settings
from assistants.storage import connection
from assistants.storage.ids import blob_name
from assistants.storage.services import (
    IF_MISSING,
    BlobService,
    QueueService,
    Receipt,
    Received,
    if_at_most,
    if_ends_at,
    if_match,
)
from tests.simulation import clients
from tests.simulation.storage import Account
from tests.support.imports import ROOT, imported
from tests.support.storage.sdk import SdkBlobService, SdkQueueService

NOTHING = ("ResourceNotFoundError", 404)
ODD = '"0x1"'
"""An ETag that no blob has."""

ANY: Mapping[str, str] = {}
"""No condition."""


class Services(NamedTuple):
    """A storage account, and a function that lets time pass in it."""

    blobs: Any
    queues: Any
    wait: Callable[[float], Awaitable[None]]


class Container:
    """A container: its frequent operations, and the SDK's client for the others."""

    def __init__(self, service: Any, name: str) -> None:
        self.client = service.client.get_container_client(name)
        self.get, self.get_range = partial(service.get, name), partial(service.get_range, name)
        self.put, self.append = partial(service.put, name), partial(service.append, name)
        self.create_append, self.entries = partial(service.create_append, name), partial(service.entries, name)


class Queue:
    """A queue."""

    def __init__(self, service: Any, name: str) -> None:
        self.create = partial(service.client.create_queue, name)
        self.send, self.receive = partial(service.send, name), partial(service.receive, name)
        self.update, self.delete = partial(service.update, name), partial(service.delete, name)


@pytest.fixture(params=["by hand", "by the SDK", "simulated"])
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
    settings: Settings = request.getfixturevalue("settings")
    blobs, queues = connection.blob_service(settings), connection.queue_service(settings)
    if request.param == "by hand":
        yield Services(blobs, queues, asyncio.sleep)
    else:
        yield Services(SdkBlobService(blobs.client), SdkQueueService(queues.client), asyncio.sleep)
    await asyncio.gather(blobs.close(), queues.close())


@pytest.fixture
def absent(services: Services, fresh: str) -> Container:
    """A container that does not exist yet."""
    return Container(services.blobs, fresh)


@pytest.fixture
async def container(absent: Container) -> Container:
    await absent.client.create_container()
    return absent


@pytest.fixture
def absent_queue(services: Services, fresh: str) -> Queue:
    return Queue(services.queues, fresh)


@pytest.fixture
async def queue(absent_queue: Queue) -> Queue:
    await absent_queue.create()
    return absent_queue


async def outcome(act: Awaitable[Any]) -> tuple[str, int, str] | None:
    """The error: class, status and code; None if there was none."""
    try:
        await act
    except HttpResponseError as error:
        code = getattr(error, "error_code", None)
        return type(error).__name__, error.status_code or 0, str(getattr(code, "value", code))
    return None


async def names(container: Container, prefix: str, **options: Any) -> list[str]:
    return [name async for name in container.client.list_blob_names(name_starts_with=prefix, **options)]


async def test_a_missing_container_has_no_blobs(absent: Container):
    blob = absent.client.get_blob_client("p/a")
    missing = (*NOTHING, "ContainerNotFound")
    assert await outcome(absent.put("p/a", b"1", ANY)) == missing
    assert await outcome(absent.put("p/a", b"1", IF_MISSING)) == missing
    assert await outcome(absent.put("p/a", b"1", if_match(ODD))) == missing
    assert await outcome(absent.append("p/a", b"1")) == missing
    assert await outcome(absent.create_append("p/a", IF_MISSING)) == missing
    assert await outcome(absent.get("p/a")) == missing
    assert await outcome(absent.get_range("p/a", 0, 1)) == missing
    assert await outcome(anext(absent.entries("p/"))) == missing
    assert await outcome(blob.upload_blob(b"1", overwrite=True)) == missing
    assert await outcome(blob.stage_block("b1", b"1")) == missing
    assert await outcome(blob.get_block_list("all")) == missing
    assert await outcome(absent.client.download_blob("p/a")) == missing
    assert await outcome(absent.client.delete_blob("p/a")) == missing
    assert await outcome(names(absent, "p/")) == missing


async def test_a_container_is_made_once(container: Container):
    again = await outcome(container.client.create_container())
    assert again == ("ResourceExistsError", 409, "ContainerAlreadyExists")
    assert await names(container, "") == []


async def test_a_missing_blob_cannot_be_read_changed_or_deleted(container: Container):
    missing = (*NOTHING, "BlobNotFound")
    assert await outcome(container.get("p/a")) == missing
    assert await outcome(container.get_range("p/a", 0, 1)) == missing
    assert await outcome(container.get("p/a", ODD)) == missing
    assert await outcome(container.append("p/a", b"1")) == missing
    assert await outcome(container.client.download_blob("p/a")) == missing
    assert await outcome(container.client.delete_blob("p/a")) == missing
    assert await outcome(container.client.get_blob_client("p/a").get_block_list("all")) == missing
    assert await outcome(container.put("p/a", b"1", if_match(ODD))) == ("ResourceModifiedError", 412, "ConditionNotMet")


async def test_a_blob_is_made_once_unless_it_may_be_overwritten(container: Container):
    first = await container.put("p/a", b"1", IF_MISSING)
    assert await outcome(container.put("p/a", b"2", IF_MISSING)) == ("ResourceExistsError", 409, "BlobAlreadyExists")
    assert await container.get("p/a") == (b"1", first)
    second = await container.put("p/a", b"1", ANY)
    assert second != first
    assert await container.get("p/a") == (b"1", second)
    await container.client.get_blob_client("p/a").upload_blob(b"3", overwrite=True)
    assert await (await container.client.download_blob("p/a")).readall() == b"3"


async def test_a_conditional_write_needs_the_etag_of_the_present_blob(container: Container):
    first = await container.put("p/a", b"1", IF_MISSING)
    second = await container.put("p/a", b"2", if_match(first))
    lost = ("ResourceModifiedError", 412, "ConditionNotMet")
    assert await outcome(container.put("p/a", b"3", if_match(first))) == lost
    assert await container.get("p/a") == (b"2", second)
    await container.client.delete_blob("p/a")
    assert await outcome(container.put("p/a", b"3", if_match(second))) == lost
    assert await names(container, "p/") == []


async def test_of_simultaneous_conditional_writes_one_wins(container: Container):
    first = await container.put("p/a", b"1", IF_MISSING)
    writes = (outcome(container.put("p/a", b"%d" % number, if_match(first))) for number in range(5))
    assert sorted(map(bool, await asyncio.gather(*writes))) == [False, True, True, True, True]


async def test_an_unchanged_blob_is_not_sent_again(container: Container):
    first = await container.put("p/a", b"1", IF_MISSING)
    assert await container.get("p/a", first) is None
    second = await container.put("p/a", b"2", if_match(first))
    assert await container.get("p/a", first) == (b"2", second)


async def test_a_blob_that_was_created_again_has_another_etag(container: Container):
    first = await container.put("p/a", b"1", IF_MISSING)
    await container.client.delete_blob("p/a")
    second = await container.put("p/a", b"1", IF_MISSING)
    assert second != first
    assert await container.get("p/a", first) == (b"1", second)


@pytest.mark.parametrize(("start", "end", "expected"), [(0, 2, b"01"), (3, 7, b"3456"), (7, 100, b"789")])
async def test_a_range_is_read_up_to_the_end_of_the_log(container: Container, start: int, end: int, expected: bytes):
    await container.put("p/a", b"0123456789", IF_MISSING)
    assert await container.get_range("p/a", start, end) == (expected, 10)
    download = await container.client.download_blob("p/a", offset=start, length=end - start)
    assert await download.readall() == expected


@pytest.mark.parametrize("content", [b"", b"0123"])
async def test_a_read_past_the_end_returns_no_bytes(container: Container, content: bytes):
    await container.put("p/a", content, IF_MISSING)
    refused = await outcome(container.get_range("p/a", len(content), len(content) + 100))
    # Azurite returns no bytes right at the end of a blob; Azure refuses that, too.
    assert refused is None or refused == ("HttpResponseError", 416, "InvalidRange")


async def test_an_empty_blob_is_read_whole(container: Container):
    etag = await container.create_append("p/a", IF_MISSING)
    assert await container.get("p/a") == (b"", etag)


async def test_a_large_blob_is_written_and_read_by_one_request_each(container: Container):
    content = bytes(range(256)) * 256 * 1024  # 64 MiB
    etag = await container.put("p/a", content, IF_MISSING)
    found = await container.get("p/a")
    assert found is not None
    assert found.etag == etag
    assert found.content == content
    assert await container.get_range("p/a", 0, len(content)) == (content, len(content))


async def test_appends_are_kept_in_order_and_counted(container: Container):
    made = await container.create_append("p/a", IF_MISSING)
    counts = [await container.append("p/a", part) for part in (b"one", b"two")]
    content, etag = await container.get("p/a")
    assert (content, counts) == (b"onetwo", [(1, 3), (2, 6)])
    assert etag != made


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        (if_ends_at(3), None),
        (if_ends_at(2), "AppendPositionConditionNotMet"),
        (if_at_most(6), None),
        (if_at_most(5), "MaxBlobSizeConditionNotMet"),
    ],
)
async def test_an_append_may_have_a_condition(container: Container, condition: Mapping[str, str], code: str | None):
    await container.create_append("p/a", IF_MISSING)
    await container.append("p/a", b"one")
    refused = await outcome(container.append("p/a", b"two", condition))
    assert refused is None if code is None else (refused and refused[1:]) == (412, code)
    assert (await container.get("p/a")).content == (b"one" if code else b"onetwo")


async def test_an_append_blob_is_made_once(container: Container):
    await container.create_append("p/a", IF_MISSING)
    await container.append("p/a", b"1")
    again = await outcome(container.create_append("p/a", IF_MISSING))
    assert again == ("ResourceExistsError", 409, "BlobAlreadyExists")
    assert (await container.get("p/a")).content == b"1"
    await container.create_append("p/a", ANY)
    assert (await container.get("p/a")).content == b""


async def test_the_kinds_of_blobs_are_not_mixed(container: Container):
    await container.put("p/block", b"1", IF_MISSING)
    await container.create_append("p/append", IF_MISSING)
    other = ("ResourceExistsError", 409, "InvalidBlobType")
    assert await outcome(container.append("p/block", b"1")) == other
    assert await outcome(container.client.get_blob_client("p/append").stage_block("b1", b"1")) == other
    assert await outcome(container.put("p/append", b"1", ANY)) is None


async def test_blocks_are_seen_when_they_are_committed(container: Container):
    blob = container.client.get_blob_client("p/a")
    await blob.stage_block("b1", b"one")
    await blob.stage_block("b2", b"two")
    assert await outcome(container.get("p/a")) == (*NOTHING, "BlobNotFound")
    assert await names(container, "p/") == []
    assert await _sizes(blob) == ({}, {"b1": 3, "b2": 3})
    unknown = await outcome(blob.commit_block_list([BlobBlock(block_id="b9")]))
    assert unknown == ("HttpResponseError", 400, "InvalidBlockList")

    both = [BlobBlock(block_id="b2"), BlobBlock(block_id="b1")]
    await blob.commit_block_list(both)
    assert (await container.get("p/a")).content == b"twoone"
    assert await _sizes(blob) == ({"b2": 3, "b1": 3}, {})
    await blob.commit_block_list(both)
    await blob.stage_block("b3", b"three")
    assert await _sizes(blob) == ({"b2": 3, "b1": 3}, {"b3": 5})
    assert (await container.get("p/a")).content == b"twoone"
    await blob.commit_block_list([BlobBlock(block_id="b3")])
    assert await _sizes(blob) == ({"b3": 5}, {})


async def _sizes(blob: Any) -> tuple[dict[str, int], dict[str, int]]:
    committed, staged = await blob.get_block_list("all")
    return {block.id: block.size for block in committed}, {block.id: block.size for block in staged}


async def test_a_deleted_blob_is_gone(container: Container):
    await container.put("p/a", b"1", IF_MISSING)
    await container.client.delete_blob("p/a")
    assert await outcome(container.client.delete_blob("p/a")) == (*NOTHING, "BlobNotFound")
    assert await names(container, "p/") == []


async def test_names_are_listed_in_order_from_a_name_on(container: Container):
    for name in ("p/b", "p/B", "p/_", "p/a/00001", "p/a", "p/1", "q/c"):
        await container.put(name, b"", IF_MISSING)
    assert await names(container, "p/") == ["p/1", "p/B", "p/_", "p/a", "p/a/00001", "p/b"]
    assert await names(container, "p/a") == ["p/a", "p/a/00001"]
    assert await names(container, "p/", start_from="p/_") == ["p/_", "p/a", "p/a/00001", "p/b"]
    assert await names(container, "p/", start_from="p/aa", results_per_page=1) == ["p/b"]
    assert await names(container, "r/") == []


async def test_a_listing_has_the_etags_of_reads(container: Container):
    etags = {name: await container.put(name, b"1", IF_MISSING) for name in ("p/a", "p/b", "p/c", "q/a")}
    etags["p/b"] = await container.put("p/b", b"2", if_match(etags["p/b"]))
    named = list(etags.items())
    assert [entry[:2] async for entry in container.entries("p/")] == named[:3]
    assert [entry[:2] async for entry in container.entries("p/", "p/b", 1)] == named[1:3]
    assert [entry async for entry in container.entries("r/")] == []


@pytest.mark.parametrize(
    "name",
    [
        *(blob_name("p", odd) for odd in ("asst_1", "a b/c", "../../x", "Grüße 🦀", "%2F~", "x" * 65, "\n\x00")),
        "p/~tilde/%41%2f",
    ],
)
async def test_a_blob_has_the_same_name_whichever_way_it_is_written(container: Container, name: str):
    etag = await container.put(name, b"1", IF_MISSING)
    assert await names(container, "p/") == [name]
    assert [entry[:2] async for entry in container.entries("p/")] == [(name, etag)]
    assert await container.get(name) == (b"1", etag)
    assert await (await container.client.download_blob(name)).readall() == b"1"
    await container.client.delete_blob(name)
    await container.create_append(name, IF_MISSING)
    await container.append(name, b"2")
    assert await names(container, "p/") == [name]


async def test_a_missing_queue_has_no_messages(absent_queue: Queue):
    missing = (*NOTHING, "QueueNotFound")
    assert await outcome(absent_queue.send("1")) == missing
    assert await outcome(absent_queue.delete(Receipt("id", "receipt"))) == missing
    assert await outcome(absent_queue.receive(1, 5)) == missing


async def test_a_queue_may_be_made_again(queue: Queue):
    await queue.send("1")
    assert await outcome(queue.create()) == ("ResourceExistsError", 204, "QueueAlreadyExists")
    assert len(await queue.receive(1, 60)) == 1


async def received(queue: Queue, lease: int) -> Received | None:
    found = await queue.receive(1, lease)
    return found[0] if found else None


@pytest.mark.parametrize("text", ["MQ==", "Grüße 🦀", "<a b='c'>&amp;]]></a>", " \n "])
async def test_a_message_is_received_as_it_was_sent(queue: Queue, text: str):
    sent = await queue.send(text)
    message = await received(queue, 60)
    assert message is not None
    assert (message.text, message.dequeue_count, message.receipt.id) == (text, 1, sent.id)
    assert message.expires_on.year == 9999
    assert message.receipt.pop_receipt != sent.pop_receipt


async def test_as_many_messages_are_received_as_there_are_at_most(queue: Queue):
    sent = [await queue.send(str(number)) for number in range(3)]
    first, second = await queue.receive(2, 60), await queue.receive(32, 60)
    assert sorted(message.text for message in (*first, *second)) == ["0", "1", "2"]
    assert {message.receipt.id for message in (*first, *second)} == {each.id for each in sent}
    assert len(first) == 2
    assert await queue.receive(32, 60) == []


async def test_a_message_is_hidden_from_others_while_it_is_leased(services: Services, queue: Queue):
    await queue.send("1")
    first = await received(queue, 1)
    assert first is not None
    assert await received(queue, 1) is None
    await services.wait(1.3)
    second = await received(queue, 60)
    assert second is not None
    assert (second.receipt.id, first.dequeue_count, second.dequeue_count) == (first.receipt.id, 1, 2)
    assert await outcome(queue.delete(first.receipt)) == _MISMATCH
    await queue.delete(second.receipt)
    assert await outcome(queue.delete(second.receipt)) == _GONE


async def test_a_delayed_message_appears_in_its_time(services: Services, queue: Queue):
    await queue.send("1", 1)
    assert await received(queue, 60) is None
    await services.wait(1.3)
    message = await received(queue, 60)
    assert message is not None
    assert message.dequeue_count == 1


async def test_the_sender_deletes_a_message_until_it_is_received(queue: Queue):
    hidden, shown = await queue.send("1", 60), await queue.send("2")
    await queue.delete(hidden)
    assert await outcome(queue.delete(hidden)) == _GONE
    message = await received(queue, 60)
    assert message is not None
    assert message.receipt.id == shown.id
    assert await outcome(queue.delete(shown)) == _MISMATCH


async def test_a_lease_is_moved_by_its_latest_receipt_only(queue: Queue):
    await queue.send("1")
    message = await received(queue, 60)
    assert message is not None
    updated = await queue.update(message.receipt, 0)
    assert await outcome(queue.update(message.receipt, 0)) == _MISMATCH
    again = await received(queue, 60)
    assert again is not None
    assert (again.receipt.id, again.dequeue_count) == (message.receipt.id, 2)
    assert len({message.receipt, updated, again.receipt}) == 3


async def test_an_unknown_receipt_is_refused(queue: Queue):
    unknown = Receipt(str(uuid.UUID(int=0)), "AAAA")
    assert await outcome(queue.delete(unknown)) == _GONE
    assert await outcome(queue.update(unknown, 0)) == _GONE


_GONE = (*NOTHING, "MessageNotFound")
_MISMATCH = ("HttpResponseError", 400, "PopReceiptMismatch")


async def test_a_refusal_is_known_without_a_guess_at_the_encoding_of_its_body(
    settings: Settings, fresh: str, monkeypatch: pytest.MonkeyPatch
):
    guessed = list[bytes]()
    monkeypatch.setattr(_aiohttp, "_get_detect", lambda: guessed.append)
    service = connection.blob_service(settings)
    assert await outcome(service.get(fresh, "p/a")) == ("ResourceNotFoundError", 404, "ContainerNotFound")
    await service.close()
    assert not guessed


async def test_a_shared_access_signature_is_accepted(azurite: Storage, fresh: str):
    ends = datetime.now(UTC) + timedelta(hours=1)
    named = dict(part.split("=", 1) for part in azurite.connection_string.split(";") if part)
    allowed = ResourceTypes(container=True, object=True)
    signature = generate_account_sas(
        azurite.account,
        named["AccountKey"],
        allowed,
        AccountSasPermissions(read=True, write=True, create=True, add=True, process=True, delete=True),
        ends,
        services=BlobServices(blob=True, queue=True),
    )
    endpoints = f"BlobEndpoint={named['BlobEndpoint']};QueueEndpoint={named['QueueEndpoint']}"
    settings = Settings.model_validate({"AzureWebJobsStorage": f"{endpoints};SharedAccessSignature={signature}"})
    documents, queues = connection.blob_service(settings), connection.queue_service(settings)
    container, queue = Container(documents, fresh), Queue(queues, fresh)
    await asyncio.gather(container.client.create_container(), queue.create())

    etag = await container.put("p/a", b"1", IF_MISSING)
    assert await container.get("p/a") == (b"1", etag)
    await container.create_append("p/b", IF_MISSING)
    assert await container.append("p/b", b"2") == (1, 1)
    await queue.send("text")
    message = await received(queue, 60)
    assert message is not None
    await queue.delete(message.receipt)
    await asyncio.gather(documents.close(), queues.close())


@pytest.mark.parametrize(
    ("simulated", "real"),
    [
        (clients.BlobService, BlobService),
        (clients.BlobClients, BlobServiceClient),
        (clients.Container, ContainerClient),
        (clients.BlobClient, BlobClient),
        (clients.QueueService, QueueService),
        (clients.QueueClients, QueueServiceClient),
    ],
)
def test_a_simulated_client_has_methods_of_the_real_one_only(simulated: type, real: type):
    assert _methods(simulated) <= set(dir(real))


@pytest.mark.parametrize(
    ("simulated", "real"), [(clients.BlobService, BlobService), (clients.QueueService, QueueService)]
)
def test_a_simulated_service_has_all_operations_of_the_real_one(simulated: type, real: type):
    assert _methods(simulated) == _methods(real)


def _methods(kind: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


def test_the_project_uses_no_operation_that_is_not_simulated():
    kinds = (clients.BlobClients, clients.Container, clients.BlobClient, clients.QueueClients)
    simulated = {name for kind in kinds for name in dir(kind)}
    real = {
        name
        for kind in (BlobClient, ContainerClient, QueueServiceClient, QueueClient)
        for name in dir(kind)
        if name[0] != "_"
    }
    sources = (ROOT / "assistants" / "storage").rglob("*.py")
    used = {
        node.attr
        for source in sources
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in real
    }
    assert "upload_blob" in used
    assert used - {"from_connection_string", "url", "credential", "api_version", "close"} <= simulated


def test_the_simulated_account_is_for_the_simulation_only():
    home = ROOT / "tests" / "simulation"
    sources = [path for path in ROOT.rglob("*.py") if not any(part.startswith(".") for part in path.parts)]
    users = {path for path in sources if any(module.startswith("tests.simulation") for module in imported(path))}
    assert Path(__file__) in users
    assert {path for path in users if home not in path.parents} == {Path(__file__)}


def test_a_refusal_is_one_of_the_sdks_own_exceptions():
    with pytest.raises(AzureError):
        Account(lambda: 0.0).delete("c", "b")
