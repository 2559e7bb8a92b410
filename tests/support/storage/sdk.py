"""The services by the SDK's clients alone, with which this project's are compared."""

from collections.abc import AsyncIterator, Mapping
from email.utils import format_datetime
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from assistants.storage.services import ALWAYS, IF_MISSING, Appended, Blob, Entry, Part, Receipt, Received


class SdkBlobService:
    """As `BlobService`."""

    def __init__(self, client: BlobServiceClient) -> None:
        self.client = client

    async def get(self, container: str, name: str, unless: str | None = None) -> Blob | None:
        condition: dict[str, Any] = {"etag": unless, "match_condition": MatchConditions.IfModified} if unless else {}
        try:
            download = await self.client.get_container_client(container).download_blob(name, **condition)
        except HttpResponseError as error:
            if error.status_code == 304:
                return None
            raise
        return Blob(await download.readall(), str(download.properties.etag))

    async def get_range(self, container: str, name: str, start: int, end: int) -> Part:
        download = await self.client.get_container_client(container).download_blob(
            name, offset=start, length=end - start
        )
        content = await download.readall()
        size = str(download.properties.content_range or "").rpartition("/")[2]
        return Part(content, int(size) if content else start)

    async def put(self, container: str, name: str, content: bytes, condition: Mapping[str, str]) -> str:
        if etag := condition.get("If-Match"):
            options: dict[str, Any] = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
        else:
            options = {}
        blob = self.client.get_blob_client(container, name)
        return str((await blob.upload_blob(content, overwrite=condition != IF_MISSING, **options))["etag"])

    async def create_append(self, container: str, name: str, condition: Mapping[str, str]) -> str:
        options: dict[str, Any] = {"match_condition": MatchConditions.IfMissing} if condition else {}
        return str((await self.client.get_blob_client(container, name).create_append_blob(**options))["etag"])

    async def append(
        self, container: str, name: str, content: bytes, condition: Mapping[str, str] = ALWAYS
    ) -> Appended:
        names = {header: f"{header.rpartition('-')[2]}_condition" for header in condition}
        options: dict[str, Any] = {names[header]: int(value) for header, value in condition.items()}
        answer = await self.client.get_blob_client(container, name).append_block(content, **options)
        start = int(str(answer["blob_append_offset"]))
        return Appended(int(str(answer["blob_committed_block_count"])), start + len(content))

    async def entries(
        self, container: str, prefix: str, start_from: str | None = None, at_once: int | None = None
    ) -> AsyncIterator[Entry]:
        options: dict[str, Any] = {"start_from": start_from, "results_per_page": at_once}
        async for blob in self.client.get_container_client(container).list_blobs(prefix, **options):
            yield Entry(blob.name, f'"{blob.etag}"', format_datetime(blob.last_modified, usegmt=True))


class SdkQueueService:
    """As `QueueService`."""

    def __init__(self, client: QueueServiceClient) -> None:
        self.client = client

    async def send(self, queue: str, text: str, delay: int = 0) -> Receipt:
        client = self.client.get_queue_client(queue)
        sent = await client.send_message(text, time_to_live=-1, visibility_timeout=delay)
        return Receipt(str(sent.id), str(sent.pop_receipt))

    async def receive(self, queue: str, number: int, lease: int) -> list[Received]:
        client = self.client.get_queue_client(queue)
        pages = client.receive_messages(messages_per_page=number, visibility_timeout=lease).by_page()
        try:
            found: list[Any] = [message async for message in await anext(pages)]
        except StopAsyncIteration:
            return []
        return [
            Received(
                Receipt(each.id, each.pop_receipt),
                each.content,
                each.dequeue_count,
                each.inserted_on,
                each.expires_on,
                each.next_visible_on,
            )
            for each in found
        ]

    async def update(self, queue: str, receipt: Receipt, delay: int) -> Receipt:
        client = self.client.get_queue_client(queue)
        updated = await client.update_message(*receipt, visibility_timeout=delay)
        return Receipt(receipt.id, str(updated.pop_receipt))

    async def delete(self, queue: str, receipt: Receipt) -> None:
        await self.client.get_queue_client(queue).delete_message(*receipt)
