"""The blob and the queue service of an account: the frequent operations of runs, as requests without the SDK.

The SDK's clients do the other operations.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple, TypeVar
from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from azure.core.exceptions import DecodeError
from azure.core.pipeline.transport import AsyncHttpResponse, AsyncHttpTransport, HttpRequest
from azure.storage.blob.aio import BlobServiceClient, ExponentialRetry
from azure.storage.queue.aio import QueueServiceClient

from assistants.storage.requests import Requests

T = TypeVar("T")

IF_MISSING: Mapping[str, str] = {"If-None-Match": "*"}
"""The condition that the blob does not exist."""

ALWAYS: Mapping[str, str] = {}
"""No condition."""

_MAX_XML = 16 * 1024 * 1024
"""Bytes; 32 messages of 64 KiB are less, however they are escaped."""


def if_match(etag: str) -> Mapping[str, str]:
    """The condition that the blob has not changed."""
    return {"If-Match": etag}


def if_ends_at(position: int) -> Mapping[str, str]:
    """The condition that an append begins at this position of the blob."""
    return {"x-ms-blob-condition-appendpos": str(position)}


def if_at_most(size: int) -> Mapping[str, str]:
    """The condition that the blob has at most `size` bytes after an append."""
    return {"x-ms-blob-condition-maxsize": str(size)}


class Blob(NamedTuple):
    """A blob's content, or the requested part of it, and the ETag of the blob."""

    content: bytes
    etag: str


class Entry(NamedTuple):
    """A blob in a listing: its name, its ETag, the time of its last write as in a header, and its size in bytes."""

    name: str
    etag: str
    modified: str = ""
    size: int = 0

    @property
    def modified_at(self) -> float:
        return parsedate_to_datetime(self.modified).timestamp()


class Part(NamedTuple):
    """Some bytes of a blob, and the size of the blob in bytes."""

    content: bytes
    size: int


class Appended(NamedTuple):
    """The number of appends and of bytes of a blob after an append."""

    appends: int
    size: int


class Receipt(NamedTuple):
    """The id and the latest pop receipt of a message, with which it can be changed or deleted."""

    id: str
    pop_receipt: str


class Received(NamedTuple):
    """A message that was received, and is hidden from other receivers for a while."""

    receipt: Receipt
    text: str
    dequeue_count: int
    inserted_on: datetime
    expires_on: datetime
    next_visible_on: datetime


class BlobService:
    """The blobs of an account. All of the methods raise as `Requests.send` does.

    Parameters
    ----------
    client
        The SDK's client, for the other operations.
    """

    def __init__(
        self,
        client: BlobServiceClient,
        transport: AsyncHttpTransport[HttpRequest, AsyncHttpResponse],
        retry: ExponentialRetry,
    ) -> None:
        self.client = client
        self._requests = Requests(client, transport, retry)

    async def get(self, container: str, name: str, unless: str | None = None) -> Blob | None:
        """The blob, all of it in memory; None if its ETag is `unless`."""
        headers = None if unless is None else {"If-None-Match": unless}
        response = await self._requests.send("GET", _path(container, name), headers=headers)
        return None if response.status_code == 304 else Blob(response.body(), response.headers["ETag"])

    async def get_range(self, container: str, name: str, start: int, end: int) -> Part:
        """The existing bytes from `start` up to `end`; none if the service answers 416."""
        headers = {"x-ms-range": f"bytes={start}-{end - 1}"}
        response = await self._requests.send("GET", _path(container, name), headers=headers)
        content = response.body()
        _, _, size = response.headers.get("Content-Range", "").rpartition("/")
        return Part(content, int(size) if content and size.isdigit() else start + len(content))

    async def put(self, container: str, name: str, content: bytes, condition: Mapping[str, str]) -> str:
        """Write a block blob by one request, if the condition holds; return its new ETag."""
        headers = {"x-ms-blob-type": "BlockBlob", **condition}
        return (await self._requests.send("PUT", _path(container, name), None, headers, content)).headers["ETag"]

    async def create_append(self, container: str, name: str, condition: Mapping[str, str]) -> str:
        """Create an append blob, if the condition holds; return its ETag."""
        headers = {"x-ms-blob-type": "AppendBlob", **condition}
        return (await self._requests.send("PUT", _path(container, name), None, headers)).headers["ETag"]

    async def append(
        self, container: str, name: str, content: bytes, condition: Mapping[str, str] = ALWAYS
    ) -> Appended:
        """Append a block, if the condition holds."""
        query = {"comp": "appendblock"}
        response = await self._requests.send("PUT", _path(container, name), query, condition, content)
        start = int(response.headers["x-ms-blob-append-offset"])
        return Appended(int(response.headers["x-ms-blob-committed-block-count"]), start + len(content))

    async def entries(
        self, container: str, prefix: str, start_from: str | None = None, at_once: int | None = None
    ) -> AsyncIterator[Entry]:
        """The blobs in the order of their names, from `start_from` on (itself included), `at_once` per request."""
        query: dict[str, str | int] = {"restype": "container", "comp": "list", "prefix": prefix}
        if start_from is not None:
            query["startFrom"] = start_from
        if at_once is not None:
            query["maxresults"] = at_once
        while True:
            listing = _parsed(await self._requests.send("GET", _path(container), query), "blobs")
            for blob in listing.iterfind("Blobs/Blob"):
                yield _entry(blob)
            if not (marker := listing.findtext("NextMarker")):
                return
            query["marker"] = marker

    async def close(self) -> None:
        await self.client.close()


class QueueService:
    """The queues of an account. All of the methods raise as `Requests.send` does; texts are sent as they are.

    Parameters
    ----------
    client
        The SDK's client, for the other operations.
    """

    def __init__(
        self,
        client: QueueServiceClient,
        transport: AsyncHttpTransport[HttpRequest, AsyncHttpResponse],
        retry: ExponentialRetry,
    ) -> None:
        self.client = client
        self._requests = Requests(client, transport, retry)

    async def send(self, queue: str, text: str, delay: int = 0) -> Receipt:
        """Put a message into a queue; it is visible after `delay` seconds and never expires."""
        content = f"<QueueMessage><MessageText>{escape(text)}</MessageText></QueueMessage>".encode()
        query = {"visibilitytimeout": delay, "messagettl": -1}
        headers = {"Content-Type": "application/xml"}
        response = await self._requests.send("POST", _path(queue, "messages"), query, headers, content)
        return _messages(response, _receipt)[0]

    async def receive(self, queue: str, number: int, lease: int) -> list[Received]:
        """Up to `number` (at most 32) visible messages, hidden for `lease` seconds."""
        query = {"numofmessages": number, "visibilitytimeout": lease}
        return _messages(await self._requests.send("GET", _path(queue, "messages"), query), _received)

    async def update(self, queue: str, receipt: Receipt, delay: int) -> Receipt:
        """Make a message visible after `delay` seconds; return its new receipt."""
        query = {"popreceipt": receipt.pop_receipt, "visibilitytimeout": delay}
        response = await self._requests.send("PUT", _path(queue, "messages", receipt.id), query)
        return Receipt(receipt.id, response.headers["x-ms-popreceipt"])

    async def delete(self, queue: str, receipt: Receipt) -> None:
        """Delete a message."""
        query = {"popreceipt": receipt.pop_receipt}
        await self._requests.send("DELETE", _path(queue, "messages", receipt.id), query)

    async def close(self) -> None:
        await self.client.close()


def _path(container: str, *parts: str) -> str:
    """The path, quoted as the SDK does it."""
    return "/".join((quote(container), *(quote(part, safe="~/") for part in parts)))


def _messages(response: AsyncHttpResponse, made: Callable[[Mapping[str, str]], T]) -> list[T]:
    """The result of `made` for the fields of each message of an XML list."""
    try:
        return [made({field.tag: field.text or "" for field in message}) for message in _parsed(response, "messages")]
    except (LookupError, ValueError) as error:
        raise DecodeError(f"not a list of messages: {error}", response=response) from error


def _parsed(response: AsyncHttpResponse, kind: str) -> ET.Element:
    """The root of an XML list."""
    body = response.body()
    try:
        if len(body) > _MAX_XML:
            raise ValueError(len(body))
        return ET.fromstring(body)  # noqa: S314 - the account's own
    except (ET.ParseError, ValueError) as error:
        raise DecodeError(f"not a list of {kind}: {error}", response=response) from error


def _entry(blob: ET.Element) -> Entry:
    """The entry of a blob, with its ETag in the form of a header: a listing leaves out the quotes."""
    name = blob.find("Name")
    text = "" if name is None else name.text or ""
    if name is not None and name.get("Encoded") == "true":
        text = unquote(text)
    etag = '"{}"'.format(blob.findtext("Properties/Etag", "").strip('"'))
    size = int(blob.findtext("Properties/Content-Length") or 0)
    return Entry(text, etag, blob.findtext("Properties/Last-Modified", ""), size)


def _received(fields: Mapping[str, str]) -> Received:
    return Received(
        _receipt(fields),
        fields["MessageText"],
        int(fields["DequeueCount"]),
        parsedate_to_datetime(fields["InsertionTime"]),
        parsedate_to_datetime(fields["ExpirationTime"]),
        parsedate_to_datetime(fields["TimeNextVisible"]),
    )


def _receipt(fields: Mapping[str, str]) -> Receipt:
    return Receipt(fields["MessageId"], fields["PopReceipt"])
