"""Images that were uploaded reach the model as their bytes."""

from base64 import b64encode
from typing import Any

from openai import OpenAI
from openai.types.beta import Assistant

from tests.support.sdk.conversation import unique
from tests.support.sdk.talk import POLL
from tests.support.service.processes import Model

PIXEL = b"\x89PNG\r\n\x1a\n and then what makes a picture"


def upload(client: OpenAI, content: bytes) -> str:
    return client.files.create(file=("a.png", content), purpose="vision").id


def test_a_picture_is_sent_and_what_is_none_is_named(client: OpenAI, assistant: Assistant, model: Model):
    question, picture, text, gone = (
        unique(),
        upload(client, PIXEL),
        upload(client, b"No picture."),
        upload(client, PIXEL),
    )
    client.files.delete(gone)
    content: Any = [{"type": "text", "text": question}]
    content += [
        {"type": "image_file", "image_file": {"file_id": each, "detail": "low"}} for each in (picture, text, gone)
    ]
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": content}]}, poll_interval_ms=POLL
    )
    assert run.status == "completed"
    (request,) = model.requests(question)
    url = f"data:image/png;base64,{b64encode(PIXEL).decode()}"
    assert request["messages"][-1]["content"] == [
        {"type": "text", "text": question},
        {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
        {"type": "text", "text": f"[image {text}]"},
        {"type": "text", "text": f"[image {gone}]"},
    ]
