"""Uploaded images are sent to the model as their bytes; files that are no images are refused."""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta import Assistant, Thread

from tests.support.sdk.client import refused
from tests.support.sdk.conversation import unique
from tests.support.sdk.talk import POLL
from tests.support.service.processes import Model

PIXEL = b"\x89PNG\r\n\x1a\n and then what makes a picture"

FORMATS = "Expected file type to be a supported format: .jpeg, .jpg, .png, .gif, .webp but got"
UNSUPPORTED = (
    "You uploaded an unsupported image. Please make sure your image is below 20 MB in size and is of one the "
    "following formats: ['png', 'jpeg', 'gif', 'webp']."
)


@pytest.fixture
def thread(client: OpenAI) -> Thread:
    return client.beta.threads.create()


def upload(client: OpenAI, content: bytes, name: str = "a.png") -> str:
    return client.files.create(file=(name, content), purpose="vision").id


def upload_in_parts(client: OpenAI, content: bytes) -> str:
    upload = client.uploads.create(filename="a.png", purpose="vision", bytes=len(content), mime_type="image/png")
    parts = [client.uploads.parts.create(upload.id, data=each).id for each in (content[:3], content[3:])]
    file = client.uploads.complete(upload.id, part_ids=parts).file
    assert file is not None
    return file.id


def showing(*file_ids: str) -> Any:
    """A message with these images."""
    return {"role": "user", "content": [{"type": "image_file", "image_file": {"file_id": each}} for each in file_ids]}


def test_a_picture_is_sent_and_one_that_was_deleted_is_named(client: OpenAI, assistant: Assistant, model: Model):
    question, picture, gone = unique(), upload(client, PIXEL), upload(client, PIXEL)
    content: Any = [{"type": "text", "text": question}]
    content += [{"type": "image_file", "image_file": {"file_id": each, "detail": "low"}} for each in (picture, gone)]
    thread = client.beta.threads.create(messages=[{"role": "user", "content": content}])
    client.files.delete(gone)
    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=POLL
    )
    assert run.status == "completed"
    (request,) = model.requests(question)
    url = f"data:image/png;base64,{b64encode(PIXEL).decode()}"
    assert request["messages"][-1]["content"] == [
        {"type": "text", "text": question},
        {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
        {"type": "text", "text": f"[image {gone}]"},
    ]


def test_an_image_may_have_any_name_and_be_uploaded_in_parts(client: OpenAI, thread: Thread):
    named, in_parts = upload(client, PIXEL, "picture"), upload_in_parts(client, PIXEL)
    created = client.beta.threads.messages.create(thread.id, **showing(named, in_parts))
    assert [part.type for part in created.content] == ["image_file", "image_file"]


@pytest.mark.parametrize(
    ("make", "message", "code"),
    [
        (lambda client: upload(client, b"BM picture", "a.BMP"), f"Invalid message content: {FORMATS} .bmp.", None),
        (lambda client: upload(client, b"II*\0", "a.tiff"), f"Invalid message content: {FORMATS} .tiff.", None),
        (lambda client: upload(client, b"", "nothing"), f"Invalid message content: {FORMATS} none.", None),
        (lambda client: upload(client, b""), UNSUPPORTED, "invalid_image_format"),
        (lambda client: upload(client, b"No picture."), UNSUPPORTED, "invalid_image_format"),
        (lambda client: upload_in_parts(client, b"No picture."), UNSUPPORTED, "invalid_image_format"),
        (lambda client: upload(client, PIXEL.ljust(20_971_521)), UNSUPPORTED, "invalid_image_format"),
    ],
)
def test_a_file_that_is_no_image_for_models_is_refused_when_the_message_is_created(
    client: OpenAI, thread: Thread, make: Callable[[OpenAI], str], message: str, code: str | None
):
    with refused(400, message, code=code):
        client.beta.threads.messages.create(thread.id, **showing(upload(client, PIXEL), make(client)))
    assert not client.beta.threads.messages.list(thread.id).data


@pytest.fixture(params=["unknown", "deleted"])
def missing(request: pytest.FixtureRequest, client: OpenAI) -> str:
    """A file that does not exist."""
    if request.param == "unknown":
        return "file-unknown"
    file_id = upload(client, PIXEL)
    client.files.delete(file_id)
    return file_id


def test_a_missing_image_is_not_found_by_any_route_that_creates_messages(
    client: OpenAI, assistant: Assistant, thread: Thread, missing: str
):
    message = showing(upload(client, PIXEL), missing)

    def makes() -> list[Callable[[], object]]:
        threads = client.beta.threads
        more: Any = {"assistant_id": assistant.id, "additional_messages": [message]}
        return [
            lambda: threads.messages.create(thread.id, **message),
            lambda: threads.create(messages=[message]),
            lambda: threads.create_and_run(assistant_id=assistant.id, thread={"messages": [message]}),
            lambda: threads.runs.create(thread.id, **more),
        ]

    for make in makes():
        with refused(404, f"No such File object: {missing}", "id"):
            make()
    assert not client.beta.threads.runs.list(thread.id).data


def test_a_picture_of_another_project_is_not_found(alice: OpenAI, bob: OpenAI):
    foreign = upload(bob, PIXEL)
    with refused(404, f"No such File object: {foreign}", "id"):
        alice.beta.threads.create(messages=[showing(foreign)])
