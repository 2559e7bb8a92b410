"""Files, through the official SDK (contract, 6.1)."""

import re
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from tests.support.sdk.client import refused
from tests.support.service.processes import Service

PURPOSES = "'assistants', 'batch', 'fine-tune', 'vision', 'user_data', and 'evals'"
BELOW = "integer below minimum value. Expected a value >= 3600, but got 60 instead."
MEGABYTE = 1024 * 1024


def test_a_file_is_uploaded_shown_listed_read_and_deleted(client: OpenAI):
    file = client.files.create(file=("Grüße.txt", b"Hello"), purpose="user_data")
    assert file.to_dict() | {"id": "", "created_at": 0} == {
        "id": "", "object": "file", "purpose": "user_data", "filename": "Grüße.txt", "bytes": 5, "created_at": 0,
        "expires_at": None, "status": "processed", "status_details": None,
    }  # fmt: skip
    assert re.fullmatch("file-[0-9A-Za-z]{24}", file.id)
    assert client.files.retrieve(file.id).to_dict() == file.to_dict()
    assert client.files.wait_for_processing(file.id).to_dict() == file.to_dict()
    assert file.id in [each.id for each in client.files.list(purpose="user_data")]
    assert client.files.content(file.id).read() == b"Hello"
    assert client.files.delete(file.id).to_dict() == {"id": file.id, "object": "file", "deleted": True}
    for asked in (client.files.retrieve, client.files.content, client.files.delete):
        with refused(404, f"No such File object: {file.id}", "id"):
            asked(file.id)


def test_the_object_and_the_download_have_the_clients_file_name(client: OpenAI):
    name = 'the "best" of; 東京.txt'
    file = client.files.create(file=(f"C:\\folder/{name}", b"Hello"), purpose="user_data")
    assert file.filename == name
    answer = client.files.with_raw_response.content(file.id)
    assert answer.headers["content-disposition"] == (
        'attachment; filename="the _best_ of; __.txt"; '
        "filename*=UTF-8''the%20%22best%22%20of%3B%20%E6%9D%B1%E4%BA%AC.txt"
    )


@pytest.mark.parametrize("file_id", ["test", "a b", "~", "x" * 300, "file-\U0001f600"])
def test_a_text_that_is_no_id_of_a_file_is_not_found(client: OpenAI, file_id: str):
    for asked in (client.files.retrieve, client.files.content, client.files.delete):
        with refused(404, f"No such File object: {file_id}", "id"):
            asked(file_id)


@pytest.mark.parametrize("size", [0, 1, 4 * MEGABYTE, 4 * MEGABYTE + 1, 9 * MEGABYTE])
def test_content_is_returned_unchanged(client: OpenAI, size: int):
    content = bytes(range(256)) * (size // 256 + 1)
    file = client.files.create(file=("all.bin", content[:size]), purpose="assistants")
    assert file.bytes == size
    assert client.files.content(file.id).read() == content[:size]


def test_pages_of_one_purpose(carol: OpenAI):
    wanted = [carol.files.create(file=(f"{n}.txt", b"x"), purpose="vision").id for n in range(3)]
    carol.files.create(file=("other.txt", b"x"), purpose="assistants")
    newest = carol.files.list(purpose="vision", limit=2)
    assert [each.id for each in newest.data] == [wanted[2], wanted[1]]
    assert newest.has_more
    assert [each.id for each in carol.files.list(purpose="vision", order="asc")] == wanted
    assert [each.id for each in carol.files.list(purpose="vision", after=wanted[1])] == [wanted[0]]
    for file_id in wanted:
        carol.files.delete(file_id)


def test_a_file_expires_so_many_seconds_after_it_was_created(client: OpenAI):
    expiry: Any = {"anchor": "created_at", "seconds": 3600}
    file = client.files.create(file=("a.txt", b"x"), purpose="assistants", expires_after=expiry)
    assert file.expires_at == file.created_at + 3600


@pytest.mark.parametrize(
    ("given", "message", "param", "code"),
    [
        (
            {"purpose": "fun"},
            f"Invalid value: 'fun'. Supported values are: {PURPOSES}.",
            "purpose",
            "invalid_value",
        ),
        (
            {"purpose": "vision", "expires_after": {"anchor": "created_at", "seconds": 60}},
            f"Invalid 'expires_after.seconds': {BELOW}",
            "expires_after.seconds",
            "integer_below_min_value",
        ),
        (
            {"purpose": "vision", "expires_after": {"anchor": "created_at", "seconds": "soon"}},
            "Invalid type for 'expires_after.seconds': expected an integer, but got a string instead.",
            "expires_after.seconds",
            "invalid_type",
        ),
        (
            {"purpose": "vision", "extra_body": {"colour": "red"}},
            "Unknown parameter: 'colour'.",
            "colour",
            "unknown_parameter",
        ),
    ],
)
def test_an_invalid_form_is_refused_with_the_reason(client: OpenAI, given: Any, message: str, param: str, code: str):
    with refused(400, message, param, code):
        client.files.create(file=("a.txt", b"x"), **given)


def test_a_form_lacks_a_field(client: OpenAI):
    with refused(400, "Missing required parameter: 'file'.", "file", "missing_required_parameter"):
        client.post("/files", cast_to=object, body={"purpose": "assistants"})


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("multipart/form-data; boundary=x", b"--x\r\nno form"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nbroken o'),
        ("multipart/form-data", b"--x--\r\n"),
    ],
)
def test_an_incomplete_form_is_refused(service: Service, kind: str, content: bytes):
    headers = {"Authorization": "Bearer unused", "Content-Type": kind}
    answer = httpx2.post(f"{service.url}/files", content=content, headers=headers)
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        400,
        "We could not parse the multipart form of your request.",
    )


def test_fields_may_come_after_the_file(service: Service):
    form = {"file": ("a.txt", b"x" * 100_000), "purpose": (None, "vision")}
    answer = httpx2.post(f"{service.url}/files", files=form, headers={"Authorization": "Bearer unused"})
    assert (answer.json()["purpose"], answer.json()["bytes"]) == ("vision", 100_000)


@pytest.mark.parametrize(
    ("header", "status", "content", "where"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_a_range_of_a_file(client: OpenAI, header: str, status: int, content: bytes, where: str | None):
    file = client.files.create(file=("ten digits.txt", b"0123456789"), purpose="assistants")
    answer = client.files.with_raw_response.content(file.id, extra_headers={"Range": header})
    assert (answer.status_code, answer.content, answer.headers.get("content-range")) == (status, content, where)
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"ten digits.txt\"; filename*=UTF-8''ten%20digits.txt"
    )
    assert answer.headers["content-length"] == str(len(content))


def test_a_range_beyond_the_end_is_refused(client: OpenAI):
    file = client.files.create(file=("a.txt", b"0123456789"), purpose="assistants")
    with refused(416, "The requested range is not in the file.", code="invalid_range"):
        client.files.content(file.id, extra_headers={"Range": "bytes=10-"})
