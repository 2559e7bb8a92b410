"""Images in messages: their files must exist and have a type that models accept (contract, 3)."""

from collections.abc import Iterable, Iterator, Mapping

from assistants.ingestion.readers.registry import suffix_of
from assistants.schema.errors import ApiError, not_found, unsupported_image, unsupported_image_file
from assistants.schema.messages import CreateMessage
from assistants.state.store import Store
from assistants.storage.concurrency import for_each
from assistants.storage.ids import blob_name

MAX_BYTES = 20 * 1024 * 1024
"""The most bytes of an image, and of all images of a prompt together."""

HEAD = 12
"""Bytes at the beginning of a file that determine its type."""

_TYPES: Mapping[str, tuple[bytes, int]] = {
    "image/png": (b"\x89PNG\r\n\x1a\n", 0),
    "image/jpeg": (b"\xff\xd8\xff", 0),
    "image/gif": (b"GIF8", 0),
    "image/webp": (b"WEBP", 8),
}
"""The signature of each type, and its offset in the content."""

_SUFFIXES = (".jpeg", ".jpg", ".png", ".gif", ".webp")


def media_type(content: bytes) -> str:
    """The media type of an image by its first bytes; empty if the content is no image."""
    return next((kind for kind, (mark, at) in _TYPES.items() if content.startswith(mark, at)), "")


async def stored_type(store: Store, name: str, size: int) -> str:
    """The media type of a stored image; empty if the content is no image."""
    return media_type(b"".join([piece async for piece in store.contents.stream(name, 0, min(size, HEAD))]))


async def check_images(store: Store, project: str, messages: Iterable[CreateMessage] | None) -> None:
    """Check that each uploaded image in messages exists and is an image. Without images no storage is read.

    Raises
    ------
    ApiError
        There is no such file (404), or it is no image that models accept (400).
    """

    async def problem(file_id: str) -> ApiError | None:
        name = blob_name(project, file_id)
        document = await store.files.read(name)
        if document is None or document.value.gone(store.clock.now()):
            return not_found("file", file_id)
        file = document.value
        image = file.image if file.image is not None else await stored_type(store, name, file.bytes)
        suffix = suffix_of(file.filename)
        if not image and suffix not in _SUFFIXES:
            return unsupported_image_file(_SUFFIXES, suffix)
        return unsupported_image() if not image or file.bytes > MAX_BYTES else None

    for found in await for_each(problem, dict.fromkeys(_files(messages or ()))):
        if found is not None:
            raise found


def _files(messages: Iterable[CreateMessage]) -> Iterator[str]:
    for message in messages:
        for part in () if isinstance(message.content, str) else message.content:
            if part["type"] == "image_file":
                yield part["image_file"]["file_id"]
