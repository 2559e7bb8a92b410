"""The headers of every answer (contract, 0)."""

import re

import httpx2
import pytest

from tests.support.service.processes import Service

PATHS = ["/assistants", "/assistants/asst_unknown", "/unknown"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_common_headers(service: Service, path: str):
    answer = httpx2.get(service.url + path)
    assert re.fullmatch(r"req_[0-9a-f]{32}", answer.headers["x-request-id"])
    assert answer.headers["openai-version"] == "2020-10-01"
    assert answer.headers["openai-organization"] == "default"
    assert answer.headers["openai-processing-ms"].isdigit()
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"] == "application/json"


def test_every_success_is_a_200(service: Service):
    made = httpx2.post(f"{service.url}/threads", json={})
    assert made.status_code == 200
    assert httpx2.delete(f"{service.url}/threads/{made.json()['id']}").status_code == 200


def test_the_answer_says_when_to_poll_again_while_a_run_is_active(service: Service):
    tools = [{"type": "function", "function": {"name": "get_time"}}]
    assistant = httpx2.post(f"{service.url}/assistants", json={"model": "gpt-4o", "tools": tools}).json()
    thread = {"messages": [{"role": "user", "content": "get_time"}]}
    body = {"assistant_id": assistant["id"], "thread": thread}
    run = httpx2.post(f"{service.url}/threads/runs", json=body).json()
    answer = httpx2.get(f"{service.url}/threads/{run['thread_id']}/runs/{run['id']}")
    assert int(answer.headers["openai-poll-after-ms"]) < 1000
