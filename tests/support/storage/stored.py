"""Reads objects in storage whose content no request shows."""

import json
from contextlib import suppress

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import (
    BinaryBase64DecodePolicy,
    BinaryBase64EncodePolicy,
    QueueClient,
    QueueMessage,
    QueueServiceClient,
)

from assistants.local.azurite import Storage
from assistants.state.runs import RunRecord
from assistants.storage.ids import blob_name
from tests.support.sdk.conversation import Conversation
from tests.support.service.processes import eventually

PROJECT = "default"


def stored_run(storage: Storage, conversation: Conversation) -> RunRecord:
    """The run's document."""
    name = blob_name(PROJECT, conversation.thread_id, conversation.run_id)
    content = _blobs(storage).get_blob_client("runs", name).download_blob().readall()
    return RunRecord.model_validate(json.loads(content)["value"])


def left_of(storage: Storage, thread_id: str) -> list[str]:
    """The names of all blobs that belong to a thread."""
    service, prefix = _blobs(storage), blob_name(PROJECT, thread_id)
    containers = [service.get_container_client(name) for name in ("threads", "messages", "runs")]
    there = (container for container in containers if container.exists())
    return [name for container in there for name in container.list_blob_names(name_starts_with=prefix)]


def queue_of(storage: Storage, name: str) -> QueueClient:
    """A queue as the Functions host sees it: contents are bytes, in base64. It is created if it does not exist."""
    service = QueueServiceClient.from_connection_string(storage.connection_string)
    queue = service.get_queue_client(
        name, message_encode_policy=BinaryBase64EncodePolicy(), message_decode_policy=BinaryBase64DecodePolicy()
    )
    with suppress(ResourceExistsError):
        queue.create_queue()
    return queue


def next_item(storage: Storage, kind: str) -> QueueMessage:
    """The next item of that kind in the queue `work`; the items before it are hidden for a while."""

    def found() -> QueueMessage | None:
        items = queue_of(storage, "work").receive_messages()
        return next((item for item in items if json.loads(item.content)["kind"] == kind), None)

    return eventually(found)


def _blobs(storage: Storage) -> BlobServiceClient:
    return BlobServiceClient.from_connection_string(storage.connection_string)
