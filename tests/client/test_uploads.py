"""Uploads, through the official SDK (contract, 6.2)."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from openai import OpenAI
from openai.types import Upload

from tests.support.sdk.client import refused

CONTENT = bytes(range(256)) * 20_000


def begin(client: OpenAI, size: int = len(CONTENT), **more: Any) -> Upload:
    return client.uploads.create(filename="a.txt", purpose="assistants", bytes=size, mime_type="text/plain", **more)


def add(client: OpenAI, upload: Upload, content: bytes) -> str:
    part = client.uploads.parts.create(upload.id, data=content)
    assert (part.object, part.upload_id) == ("upload.part", upload.id)
    return part.id


@pytest.mark.no_async  # the async helper reads files in another way
@pytest.mark.no_azure
def test_the_sdk_uploads_a_file_in_parts(client: OpenAI):
    upload = client.uploads.upload_file_chunked(
        file=CONTENT,
        filename="a.txt",
        bytes=len(CONTENT),
        mime_type="text/plain",
        purpose="assistants",
        part_size=2_000_000,
        md5=hashlib.md5(CONTENT).hexdigest(),
    )
    assert (upload.status, upload.bytes) == ("completed", len(CONTENT))
    assert upload.file is not None
    assert client.files.retrieve(upload.file.id).to_dict() == upload.file.to_dict()
    assert client.files.content(upload.file.id).read() == CONTENT


def test_parts_are_sent_in_any_order_and_joined_in_the_requested_order(client: OpenAI):
    upload = begin(client, expires_after={"anchor": "created_at", "seconds": 7200})
    assert upload.to_dict() | {"id": "", "created_at": 0, "expires_at": 0} == {
        "id": "", "object": "upload", "bytes": len(CONTENT), "created_at": 0, "filename": "a.txt",
        "purpose": "assistants", "status": "pending", "expires_at": 0, "file": None,
    }  # fmt: skip
    assert upload.expires_at == upload.created_at + 3600
    pieces = [CONTENT[:3], CONTENT[3:5_000_000], CONTENT[5_000_000:]]
    with ThreadPoolExecutor() as pool:
        parts = list(pool.map(lambda piece: add(client, upload, piece), reversed(pieces)))[::-1]
    done = client.uploads.complete(upload.id, part_ids=parts)
    assert done.file is not None
    assert done.file.expires_at == done.file.created_at + 7200
    assert client.files.content(done.file.id).read() == CONTENT
    assert client.uploads.complete(upload.id, part_ids=parts).to_dict() == done.to_dict()
    with refused(400, "Upload is not pending: its status is 'completed'."):
        client.uploads.complete(upload.id, part_ids=parts[:1])
    for ended in (client.uploads.cancel, lambda upload_id: client.uploads.parts.create(upload_id, data=b"x")):
        with refused(400, "Upload is not pending: its status is 'completed'."):
            ended(upload.id)


def test_parts_that_do_not_fit_are_refused_until_they_do(client: OpenAI):
    upload = begin(client, 4)
    first, second, other = (add(client, upload, piece) for piece in (b"ab", b"cd", b"xy"))
    with refused(
        400, "The parts of the upload do not match its 'bytes': expected 4, but got 2.", "bytes", "invalid_value"
    ):
        client.uploads.complete(upload.id, part_ids=[first])
    with refused(400, "Invalid 'part_ids': no part found with id 'part_1'.", "part_ids", "invalid_value"):
        client.uploads.complete(upload.id, part_ids=[first, "part_1"])
    right, wrong = hashlib.md5(b"abcd").hexdigest(), hashlib.md5(b"abxy").hexdigest()
    message = f"The parts of the upload do not match its 'md5': expected {wrong}, but got {right}."
    with refused(400, message, "md5", "invalid_value"):
        client.uploads.complete(upload.id, part_ids=[first, second], md5=wrong)
    done = client.uploads.complete(upload.id, part_ids=[first, second], md5=right.upper())
    assert done.file is not None
    assert client.files.content(done.file.id).read() == b"abcd"
    assert other not in (first, second)


def test_an_upload_is_cancelled(client: OpenAI):
    upload = begin(client, 1)
    part = add(client, upload, b"x")
    assert client.uploads.cancel(upload.id).status == "cancelled"
    assert client.uploads.cancel(upload.id).status == "cancelled"
    with refused(400, "Upload is not pending: its status is 'cancelled'."):
        client.uploads.complete(upload.id, part_ids=[part])
    with refused(400, "Upload is not pending: its status is 'cancelled'."):
        add(client, upload, b"x")


def test_a_part_is_not_empty(client: OpenAI):
    with refused(400, "Invalid 'data': empty file. Expected at least one byte.", "data", "invalid_value"):
        add(client, begin(client, 1), b"")
