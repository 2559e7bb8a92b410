"""The SDK's clients over the simulated account: the operations and parameters that the project uses, and no others."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol, TypeVar

from azure.core import MatchConditions
from azure.storage.blob import BlobBlock
from azure.storage.queue import TextBase64EncodePolicy

from tests.simulation.storage import Account, Blob, Message

T = TypeVar("T")

FOREVER = -1


class Wire(Protocol):
    """The connection between a client and the account."""

    def __call__(self, operation: str, target: str, act: Callable[[], T]) -> Awaitable[T]: ...


async def undisturbed(operation: str, target: str, act: Callable[[], T]) -> T:
    """Every request arrives, and every answer comes back."""
    return act()


class Download:
    """An answer that has been received."""

    def __init__(self, blob: Blob) -> None:
        self._content = blob.content
        self.properties = SimpleNamespace(etag=blob.etag)

    async def readall(self) -> bytes:
        return self._content


@dataclass(frozen=True)
class BlobService:
    account: Account
    wire: Wire

    def get_container_client(self, container: str) -> "Container":
        return Container(self.account, self.wire, container)

    async def close(self) -> None:
        pass


@dataclass(frozen=True)
class Container:
    account: Account
    wire: Wire
    name: str

    def get_blob_client(self, blob: str) -> "BlobClient":
        return BlobClient(self.account, self.wire, self.name, blob)

    async def create_container(self) -> None:
        await self.wire("create_container", self.name, lambda: self.account.create_container(self.name))

    async def download_blob(
        self,
        blob: str,
        offset: int | None = None,
        length: int | None = None,
        *,
        etag: str | None = None,
        match_condition: MatchConditions | None = None,
    ) -> Download:
        assert (etag is None) == (match_condition is None)
        assert match_condition in (None, MatchConditions.IfModified)
        assert (offset is None) == (length is None)
        end = offset + length if offset is not None and length is not None else None
        found = await self.wire(
            "download_blob", f"{self.name}/{blob}", lambda: self.account.read(self.name, blob, offset, end, etag)
        )
        return Download(found)

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

    async def upload_blob(
        self,
        data: bytes,
        *,
        overwrite: bool = False,
        etag: str | None = None,
        match_condition: MatchConditions | None = None,
    ) -> dict[str, Any]:
        assert (etag is None) == (match_condition is None)
        assert match_condition in (None, MatchConditions.IfNotModified)
        return self._properties(
            await self._send(
                "upload_blob", lambda: self.account.upload(self.container, self.name, data, etag, not overwrite)
            )
        )

    async def create_append_blob(self, *, match_condition: MatchConditions | None = None) -> dict[str, Any]:
        assert match_condition in (None, MatchConditions.IfMissing)
        missing = match_condition is not None
        return self._properties(
            await self._send(
                "create_append_blob", lambda: self.account.create_append(self.container, self.name, missing)
            )
        )

    async def append_block(self, data: bytes) -> dict[str, Any]:
        return self._properties(
            await self._send("append_block", lambda: self.account.append(self.container, self.name, data))
        )

    async def stage_block(self, block_id: str, data: bytes) -> None:
        await self._send("stage_block", lambda: self.account.stage(self.container, self.name, block_id, data))

    async def commit_block_list(self, block_list: Iterable[BlobBlock]) -> dict[str, Any]:
        blocks = [str(block.id) for block in block_list]
        return self._properties(
            await self._send("commit_block_list", lambda: self.account.commit(self.container, self.name, blocks))
        )

    async def get_block_list(self, block_list_type: str) -> tuple[list[Any], list[Any]]:
        assert block_list_type == "all"
        committed, staged = await self._send("get_block_list", lambda: self.account.blocks(self.container, self.name))
        return _sizes(committed), _sizes(staged)

    def _send(self, operation: str, act: Callable[[], T]) -> Awaitable[T]:
        return self.wire(operation, f"{self.container}/{self.name}", act)

    def _properties(self, blob: Blob) -> dict[str, Any]:
        return {"etag": blob.etag, "blob_committed_block_count": blob.appends}


def _sizes(blocks: list[tuple[str, bytes]]) -> list[Any]:
    return [SimpleNamespace(id=block, size=len(content)) for block, content in blocks]


@dataclass(frozen=True)
class QueueService:
    account: Account
    wire: Wire

    def get_queue_client(self, queue: str, *, message_encode_policy: TextBase64EncodePolicy) -> "Queue":
        return Queue(self.account, self.wire, queue, message_encode_policy)

    async def close(self) -> None:
        pass


@dataclass(frozen=True)
class Queue:
    account: Account
    wire: Wire
    name: str
    policy: TextBase64EncodePolicy

    async def create_queue(self) -> None:
        await self.wire("create_queue", self.name, lambda: self.account.create_queue(self.name))

    async def send_message(self, content: str, *, visibility_timeout: int, time_to_live: int) -> Message:
        assert time_to_live == FOREVER
        encoded = self.policy.encode(content)
        message = await self.wire(
            "send_message", self.name, lambda: _seen(self.account.send(self.name, encoded, visibility_timeout))
        )
        assert message is not None
        return message

    async def receive_message(self, *, visibility_timeout: int) -> Message | None:
        return await self.wire(
            "receive_message", self.name, lambda: _seen(self.account.receive(self.name, visibility_timeout))
        )

    async def update_message(self, message: str, pop_receipt: str, *, visibility_timeout: int) -> Message:
        updated = await self.wire(
            "update_message",
            self.name,
            lambda: _seen(self.account.update(self.name, message, pop_receipt, visibility_timeout)),
        )
        assert updated is not None
        return updated

    async def delete_message(self, message: str, pop_receipt: str) -> None:
        await self.wire("delete_message", self.name, lambda: self.account.remove(self.name, message, pop_receipt))


def _seen(message: Message | None) -> Message | None:
    """A copy of a message at the time of the answer."""
    if message is None:
        return None
    return Message(**vars(message))
