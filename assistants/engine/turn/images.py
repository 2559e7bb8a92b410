"""Uploaded images, in the form that the model is sent: data URLs of their bytes (contract, 11.2, 14)."""

import base64
from collections.abc import Iterable, Mapping, Sequence

from assistants.ingestion.images import MAX_BYTES, media_type
from assistants.schema.messages import Message
from assistants.state.store import Store
from assistants.storage.ids import blob_name


async def load(store: Store, project: str, messages: Sequence[Message]) -> Mapping[str, str]:
    """The data URLs of the uploaded images in these messages, by the ids of the files.

    A file that is gone, is no image or is too large is left out. Without images no storage is read. Older images, which
    exceed `MAX_BYTES`, are only named in the prompt.
    """
    found: dict[str, str] = {}
    room = MAX_BYTES
    for file_id in _newest_first(messages):
        name = blob_name(project, file_id)
        file = await store.files.read(name)
        if file is None or file.value.gone(store.clock.now()) or file.value.bytes > room:
            continue
        content = await store.contents.read(name)
        if content is not None and (url := data_url(content)):
            found[file_id] = url
            room -= len(content)
    return found


def data_url(content: bytes) -> str | None:
    """The data URL of an image; None if the content is no image."""
    kind = media_type(content)
    return f"data:{kind};base64,{base64.b64encode(content).decode()}" if kind else None


def _newest_first(messages: Sequence[Message]) -> Iterable[str]:
    """The image files, each once."""
    parts = (part for message in reversed(messages) if message.role == "user" for part in message.content)
    return dict.fromkeys(part["image_file"]["file_id"] for part in parts if part["type"] == "image_file")
