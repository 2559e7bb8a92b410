"""Azure's blobs and queues, in the part that the project uses: one account, with its own time.

Every operation is one step that either takes effect or is refused with the SDK's own exception. Azurite and this
account pass the same tests (tests/integration/test_services.py). Only the simulation uses it: all other tests run on
Azurite.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

MAX_BLOCKS = 50_000
MAX_APPEND = 100 * 1024 * 1024


_KINDS = {
    204: ResourceExistsError,
    404: ResourceNotFoundError,
    409: ResourceExistsError,
    412: ResourceModifiedError,
}


def refusal(status: int, code: str) -> HttpResponseError:
    """The exception that the SDK raises for such an answer."""
    error = _KINDS.get(status, HttpResponseError)(code)
    error.status_code = status
    error.error_code = code  # pyright: ignore[reportAttributeAccessIssue]
    return error


@dataclass
class Blob:
    """A blob; its content changes by assignment only."""

    kind: str
    content: bytes
    etag: str
    appends: int = 0
    committed: list[tuple[str, bytes]] = field(default_factory=list)
    staged: dict[str, bytes] = field(default_factory=dict)
    visible: bool = True
    """It has been written; a blob with staged blocks only does not exist yet."""


@dataclass
class Message:
    """A queue's message, hidden until a time."""

    id: str
    content: str
    visible_at: float
    number: int
    pop_receipt: str
    dequeue_count: int = 0


Written = Callable[[str, str, bytes | None, bytes | None], None]
"""Receives every change of a blob: container, name, content before and after; None if it does not exist."""


class Account:
    """A storage account.

    Parameters
    ----------
    clock
        The account's time in seconds.
    written
        Receives each change of a blob when it happens.
    shown
        Receives the queue and the time of each message that becomes visible.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        written: Written = lambda *_: None,
        shown: Callable[[str, float], None] = lambda *_: None,
    ) -> None:
        self.clock = clock
        self.containers: dict[str, dict[str, Blob]] = {}
        self.queues: dict[str, dict[str, Message]] = {}
        self._written = written
        self._shown = shown
        self._numbers = 0

    # Blobs.

    def create_container(self, container: str) -> None:
        if container in self.containers:
            raise refusal(409, "ContainerAlreadyExists")
        self.containers[container] = {}

    def upload(self, container: str, name: str, content: bytes, if_match: str | None, if_missing: bool) -> Blob:
        """Write a block blob; with an ETag only over the blob that has it, with `if_missing` only if none exists."""
        there = self._blobs(container).get(name)
        known = there if there is not None and there.visible else None
        if if_missing and known is not None:
            raise refusal(409, "BlobAlreadyExists")
        if if_match is not None and (known is None or known.etag != if_match):
            raise refusal(412, "ConditionNotMet")
        return self._put(container, name, Blob("block", content, self._etag()))

    def create_append(self, container: str, name: str, if_missing: bool) -> Blob:
        known = self._blobs(container).get(name)
        if if_missing and known is not None and known.visible:
            raise refusal(409, "BlobAlreadyExists")
        return self._put(container, name, Blob("append", b"", self._etag()))

    def append(
        self, container: str, name: str, content: bytes, position: int | None = None, most: int | None = None
    ) -> Blob:
        """Append a block, at any end of the blob, or only at a position, or only up to a size."""
        blob = self._blob(container, name)
        if blob.kind != "append":
            raise refusal(409, "InvalidBlobType")
        if blob.appends >= MAX_BLOCKS:
            raise refusal(409, "BlockCountExceedsLimit")
        if position is not None and position != len(blob.content):
            raise refusal(412, "AppendPositionConditionNotMet")
        if most is not None and len(blob.content) + len(content) > most:
            raise refusal(412, "MaxBlobSizeConditionNotMet")
        return self._put(
            container, name, Blob("append", blob.content + content, self._etag(), appends=blob.appends + 1)
        )

    def stage(self, container: str, name: str, block: str, content: bytes) -> None:
        blobs = self._blobs(container)
        blob = blobs.get(name)
        if blob is not None and blob.kind != "block":
            raise refusal(409, "InvalidBlobType")
        if blob is None:
            blob = blobs[name] = Blob("block", b"", self._etag(), visible=False)
        blob.staged[block] = content

    def commit(self, container: str, name: str, blocks: list[str]) -> Blob:
        blob = self._blobs(container).get(name) or Blob("block", b"", "")
        found = dict(blob.committed) | blob.staged
        if any(block not in found for block in blocks):
            raise refusal(400, "InvalidBlockList")
        committed = [(block, found[block]) for block in blocks]
        content = b"".join(part for _, part in committed)
        return self._put(container, name, Blob("block", content, self._etag(), committed=committed))

    def blocks(self, container: str, name: str) -> tuple[list[tuple[str, bytes]], list[tuple[str, bytes]]]:
        blob = self._blobs(container).get(name)
        if blob is None:
            raise refusal(404, "BlobNotFound")
        return blob.committed, list(blob.staged.items())

    def read(
        self, container: str, name: str, start: int | None = None, end: int | None = None, unless: str | None = None
    ) -> Blob | None:
        """A blob with the bytes from `start` up to `end`; None if its ETag is `unless`."""
        blob = self._blob(container, name)
        if unless is not None and blob.etag == unless:
            return None
        if start is None:
            return blob
        if start >= len(blob.content):
            raise refusal(416, "InvalidRange")
        return Blob(blob.kind, blob.content[start:end], blob.etag)

    def size(self, container: str, name: str) -> int:
        return len(self._blob(container, name).content)

    def delete(self, container: str, name: str) -> None:
        before = self._blob(container, name)
        del self._blobs(container)[name]
        self._written(container, name, before.content, None)

    def names(self, container: str, prefix: str, start_from: str | None) -> list[str]:
        blobs = self._blobs(container)
        found = sorted(name for name, blob in blobs.items() if blob.visible and name.startswith(prefix))
        return [name for name in found if start_from is None or name >= start_from]

    def contents(self, container: str, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """The blobs, for tests."""
        for name, blob in self.containers.get(container, {}).items():
            if blob.visible and name.startswith(prefix):
                yield name, blob.content

    # Queues.

    def create_queue(self, queue: str) -> None:
        if queue in self.queues:
            raise refusal(204, "QueueAlreadyExists")
        self.queues[queue] = {}

    def send(self, queue: str, content: str, delay: float) -> Message:
        messages = self._messages(queue)
        self._numbers += 1
        message = Message(f"message-{self._numbers}", content, self.clock() + delay, self._numbers, self._receipt())
        messages[message.id] = message
        self._shown(queue, message.visible_at)
        return message

    def receive(self, queue: str, lease: float) -> Message | None:
        """The oldest message that is visible, hidden from now on for `lease` seconds."""
        now = self.clock()
        visible = [message for message in self._messages(queue).values() if message.visible_at <= now]
        if not visible:
            return None
        message = min(visible, key=lambda each: (each.visible_at, each.number))
        message.dequeue_count += 1
        return self._hide(queue, message, lease)

    def update(self, queue: str, id_: str, pop_receipt: str, delay: float) -> Message:
        return self._hide(queue, self._held(queue, id_, pop_receipt), delay)

    def remove(self, queue: str, id_: str, pop_receipt: str) -> None:
        del self._messages(queue)[self._held(queue, id_, pop_receipt).id]

    def _hide(self, queue: str, message: Message, seconds: float) -> Message:
        message.visible_at = self.clock() + seconds
        message.pop_receipt = self._receipt()
        self._shown(queue, message.visible_at)
        return message

    def _held(self, queue: str, id_: str, pop_receipt: str) -> Message:
        message = self._messages(queue).get(id_)
        if message is None:
            raise refusal(404, "MessageNotFound")
        if message.pop_receipt != pop_receipt:
            raise refusal(400, "PopReceiptMismatch")
        return message

    def _messages(self, queue: str) -> dict[str, Message]:
        if queue not in self.queues:
            raise refusal(404, "QueueNotFound")
        return self.queues[queue]

    def _blobs(self, container: str) -> dict[str, Blob]:
        if container not in self.containers:
            raise refusal(404, "ContainerNotFound")
        return self.containers[container]

    def _blob(self, container: str, name: str) -> Blob:
        blob = self._blobs(container).get(name)
        if blob is None or not blob.visible:
            raise refusal(404, "BlobNotFound")
        return blob

    def _put(self, container: str, name: str, blob: Blob) -> Blob:
        blobs = self._blobs(container)
        before = blobs.get(name)
        blobs[name] = blob
        self._written(container, name, before.content if before and before.visible else None, blob.content)
        return blob

    def _etag(self) -> str:
        self._numbers += 1
        return f'"0x{self._numbers:X}"'

    def _receipt(self) -> str:
        self._numbers += 1
        return f"receipt-{self._numbers}"
