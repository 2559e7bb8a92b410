"""The services and the SDK's clients over the simulated account, with exactly the operations that the project uses."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Protocol, TypeVar

from azure.storage.blob import BlobBlock

from assistants.storage.services import ALWAYS, IF_MISSING, Appended, Blob, Entry, Part, Receipt, Received
from tests.simulation.storage import Account, Message

T = TypeVar("T")


_CONDITIONS = {"x-ms-blob-condition-appendpos": "position", "x-ms-blob-condition-maxsize": "most"}


class Wire(Protocol):
    """The connection between a client and the account."""

    def __call__(self, operation: str, target: str, act: Callable[[], T]) -> Awaitable[T]: ...


async def undisturbed(operation: str, target: str, act: Callable[[], T]) -> T:
    """Pass on every request, and return every answer."""
    return act()


class Download:
    """A received answer."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def readall(self) -> bytes:
        return self._content


@dataclass(frozen=True)
class BlobService:
    account: Account
    wire: Wire

    @property
    def client(self) -> "BlobClients":
        return BlobClients(self.account, self.wire)

    async def get(self, container: str, name: str, unless: str | None = None) -> Blob | None:
        def act() -> Blob | None:
            if (found := self.account.read(container, name, unless=unless)) is None:
                return None
            return Blob(found.content, found.etag)

        return await self.wire("download_blob", f"{container}/{name}", act)

    async def get_range(self, container: str, name: str, start: int, end: int) -> Part:
        def act() -> Part:
            found = self.account.read(container, name, start, end)
            assert found is not None
            return Part(found.content, self.account.size(container, name))

        return await self.wire("download_blob", f"{container}/{name}", act)

    async def put(self, container: str, name: str, content: bytes, condition: Mapping[str, str]) -> str:
        assert len(condition) <= 1
        return await self.wire(
            "upload_blob",
            f"{container}/{name}",
            lambda: (
                self.account.upload(container, name, content, condition.get("If-Match"), condition == IF_MISSING).etag
            ),
        )

    async def create_append(self, container: str, name: str, condition: Mapping[str, str]) -> str:
        assert condition in (IF_MISSING, {})
        return await self.wire(
            "create_append_blob",
            f"{container}/{name}",
            lambda: self.account.create_append(container, name, condition == IF_MISSING).etag,
        )

    async def append(
        self, container: str, name: str, content: bytes, condition: Mapping[str, str] = ALWAYS
    ) -> Appended:
        def act() -> Appended:
            conditions = {_CONDITIONS[header]: int(value) for header, value in condition.items()}
            blob = self.account.append(container, name, content, **conditions)
            return Appended(blob.appends, len(blob.content))

        return await self.wire("append_block", f"{container}/{name}", act)

    async def entries(
        self, container: str, prefix: str, start_from: str | None = None, at_once: int | None = None
    ) -> AsyncIterator[Entry]:
        def act() -> list[Entry]:
            names = self.account.names(container, prefix, start_from)
            return [Entry(name, self.account.containers[container][name].etag) for name in names]

        for entry in await self.wire("list_blob_names", f"{container}/{prefix}", act):
            yield entry

    async def close(self) -> None:
        pass


@dataclass(frozen=True)
class BlobClients:
    account: Account
    wire: Wire

    def get_container_client(self, container: str) -> "Container":
        return Container(self.account, self.wire, container)


@dataclass(frozen=True)
class Container:
    account: Account
    wire: Wire
    name: str

    def get_blob_client(self, blob: str) -> "BlobClient":
        return BlobClient(self.account, self.wire, self.name, blob)

    async def create_container(self) -> None:
        await self.wire("create_container", self.name, lambda: self.account.create_container(self.name))

    async def download_blob(self, blob: str, offset: int | None = None, length: int | None = None) -> Download:
        assert (offset is None) == (length is None)
        end = offset + length if offset is not None and length is not None else None
        found = await self.wire(
            "download_blob", f"{self.name}/{blob}", lambda: self.account.read(self.name, blob, offset, end)
        )
        assert found is not None
        return Download(found.content)

    async def delete_blob(self, blob: str) -> None:
        await self.wire("delete_blob", f"{self.name}/{blob}", lambda: self.account.delete(self.name, blob))

    async def list_blob_names(
        self, *, name_starts_with: str, start_from: str | None = None, results_per_page: int | None = None
    ) -> AsyncIterator[str]:
        found = await self.wire(
            "list_blob_names",
            f"{self.name}/{name_starts_with}",
            lambda: self.account.names(self.name, name_starts_with, start_from),
        )
        for name in found:
            yield name


@dataclass(frozen=True)
class BlobClient:
    account: Account
    wire: Wire
    container: str
    name: str

    async def upload_blob(self, data: bytes, *, overwrite: bool) -> None:
        assert overwrite
        await self._send("upload_blob", lambda: self.account.upload(self.container, self.name, data, None, False))

    async def stage_block(self, block_id: str, data: bytes) -> None:
        await self._send("stage_block", lambda: self.account.stage(self.container, self.name, block_id, data))

    async def commit_block_list(self, block_list: Iterable[BlobBlock]) -> None:
        blocks = [str(block.id) for block in block_list]
        await self._send("commit_block_list", lambda: self.account.commit(self.container, self.name, blocks))

    async def get_block_list(self, block_list_type: str) -> tuple[list[Any], list[Any]]:
        assert block_list_type == "all"
        committed, staged = await self._send("get_block_list", lambda: self.account.blocks(self.container, self.name))
        return _sizes(committed), _sizes(staged)

    def _send(self, operation: str, act: Callable[[], T]) -> Awaitable[T]:
        return self.wire(operation, f"{self.container}/{self.name}", act)


def _sizes(blocks: list[tuple[str, bytes]]) -> list[Any]:
    return [SimpleNamespace(id=block, size=len(content)) for block, content in blocks]


@dataclass(frozen=True)
class QueueService:
    account: Account
    wire: Wire

    @property
    def client(self) -> "QueueClients":
        return QueueClients(self.account, self.wire)

    async def send(self, queue: str, text: str, delay: int = 0) -> Receipt:
        return await self.wire("send_message", queue, lambda: _receipt(self.account.send(queue, text, delay)))

    async def receive(self, queue: str, number: int, lease: int) -> list[Received]:
        def act() -> list[Received]:
            found = (self.account.receive(queue, lease) for _ in range(number))
            return [_received(message) for message in found if message is not None]

        return await self.wire("receive_message", queue, act)

    async def update(self, queue: str, receipt: Receipt, delay: int) -> Receipt:
        return await self.wire("update_message", queue, lambda: _receipt(self.account.update(queue, *receipt, delay)))

    async def delete(self, queue: str, receipt: Receipt) -> None:
        await self.wire("delete_message", queue, lambda: self.account.remove(queue, *receipt))

    async def close(self) -> None:
        pass


@dataclass(frozen=True)
class QueueClients:
    account: Account
    wire: Wire

    async def create_queue(self, name: str) -> None:
        await self.wire("create_queue", name, lambda: self.account.create_queue(name))


def _receipt(message: Message) -> Receipt:
    return Receipt(message.id, message.pop_receipt)


def _received(message: Message) -> Received:
    """A copy of a message at the time of the answer."""
    never = datetime.max
    return Received(_receipt(message), message.content, message.dequeue_count, never, never, never)
