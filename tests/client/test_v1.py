"""v1, selected by the header: its requests and answers, and the same objects in v2."""

import json
from typing import Any

import httpx2
import pytest
from openai import APIStatusError, OpenAI
from openai.types.beta import Assistant

from tests.support.sdk.client import refused
from tests.support.sdk.talk import function, upload
from tests.support.service.processes import eventually

pytestmark = pytest.mark.no_azure

V1 = {"OpenAI-Beta": "assistants=v1"}
BOTH = [{"type": "code_interpreter"}, {"type": "file_search"}]


def v1(client: OpenAI, method: str, path: str, body: object = None) -> Any:
    """The JSON answer to a request of v1."""
    options: dict[str, Any] = {"options": {"headers": V1}} | ({} if body is None else {"body": body})
    return getattr(client, method)(path, cast_to=object, **options)


@pytest.fixture(scope="module")
def reader(client: OpenAI) -> dict[str, Any]:
    """An assistant of v1 with every tool, and a file."""
    file_ids = [upload(client)]
    tools = [{"type": "retrieval"}, {"type": "code_interpreter"}, function("get_time", "city")]
    return v1(client, "post", "/assistants", {"model": "gpt-4o", "tools": tools, "file_ids": file_ids})


def files_of(client: OpenAI, resources: Any) -> list[str]:
    """The files in the vector store of some tool resources, in the order of their addition."""
    return [
        file.id
        for store_id in resources.get("file_search", {}).get("vector_store_ids", [])
        for file in client.vector_stores.files.list(store_id, order="asc")
    ]


def searchable(client: OpenAI, assistant_id: str) -> list[str]:
    """The files in an assistant's vector store."""
    return files_of(client, client.beta.assistants.retrieve(assistant_id).to_dict()["tool_resources"])


def waiting(client: OpenAI, assistant_id: str) -> dict[str, Any]:
    """A run of v1 that waits for an output, in a new thread."""
    message = {"role": "user", "content": "get_time city=Oslo", "file_ids": [upload(client)]}
    body = {"assistant_id": assistant_id, "thread": {"messages": [message]}}
    return until(client, v1(client, "post", "/threads/runs", body), "requires_action")


def until(client: OpenAI, run: dict[str, Any], status: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = v1(client, "get", f"/threads/{run['thread_id']}/runs/{run['id']}")
        return found if found["status"] == status else None

    return eventually(look)


def test_a_table_of_a_message_is_the_code_interpreters(client: OpenAI):
    file_id = upload(client, "a,b", "a.csv")
    body = {"messages": [{"role": "user", "content": "Hello", "file_ids": [file_id]}]}
    thread = client.beta.threads.retrieve(v1(client, "post", "/threads", body)["id"])
    resources: Any = thread.to_dict()["tool_resources"]
    assert resources["code_interpreter"] == {"file_ids": [file_id]}


class TestAssistants:
    """Assistants with `retrieval` and `file_ids`."""

    def test_v1_reads_back_its_own(self, client: OpenAI, reader: dict[str, Any]):
        assert v1(client, "get", f"/assistants/{reader['id']}") == reader
        assert [tool["type"] for tool in reader["tools"]] == ["retrieval", "code_interpreter", "function"]
        assert len(reader["file_ids"]) == 1
        assert "tool_resources" not in reader

    def test_v2_sees_its_own_tools_and_resources(self, client: OpenAI, reader: dict[str, Any]):
        found = client.beta.assistants.retrieve(reader["id"])
        assert [tool.type for tool in found.tools] == ["file_search", "code_interpreter", "function"]
        resources: Any = found.to_dict()["tool_resources"]
        assert resources["code_interpreter"] == {"file_ids": reader["file_ids"]}
        assert searchable(client, reader["id"]) == reader["file_ids"]
        assert "file_ids" not in found.to_dict()

    def test_v1_reads_objects_of_v2(self, client: OpenAI):
        file_id = upload(client)
        resources: Any = {"code_interpreter": {"file_ids": [file_id]}}
        made = client.beta.assistants.create(model="gpt-4o", tools=[{"type": "file_search"}], tool_resources=resources)
        found = v1(client, "get", f"/assistants/{made.id}")
        assert (found["tools"], found["file_ids"]) == ([{"type": "retrieval"}], [file_id])

    def test_modifying_replaces_only_the_fields_that_are_sent(self, client: OpenAI, reader: dict[str, Any]):
        first, *others = [upload(client) for _ in range(3)]
        made = v1(client, "post", "/assistants", {"model": "gpt-4o", "file_ids": [first], "name": "Guide"})
        modified = v1(client, "post", f"/assistants/{made['id']}", {"file_ids": others})
        assert modified == made | {"file_ids": others}
        assert v1(client, "post", f"/assistants/{made['id']}", {"name": None})["file_ids"] == others

    def test_the_searched_files_follow_the_files_and_the_tools(self, client: OpenAI):
        first, second, third = [upload(client) for _ in range(3)]
        made = v1(client, "post", "/assistants", {"model": "gpt-4o", "file_ids": [first, second]})
        path = f"/assistants/{made['id']}"
        assert searchable(client, made["id"]) == []
        v1(client, "post", path, {"tools": [{"type": "retrieval"}]})
        assert searchable(client, made["id"]) == [first, second]
        v1(client, "post", path, {"file_ids": [second, third]})
        assert searchable(client, made["id"]) == [second, third]
        v1(client, "post", path, {"file_ids": []})
        assert searchable(client, made["id"]) == []

    def test_a_list_shows_v1_too(self, client: OpenAI, reader: dict[str, Any]):
        assert reader in v1(client, "get", "/assistants?limit=100")["data"]

    def test_the_services_own_tool_stays_its_own_in_v2(self, client: OpenAI):
        tools: Any = [{"type": "retrieval"}]
        made = client.beta.assistants.with_raw_response.create(model="gpt-4o", tools=tools).http_response.json()
        assert made["tools"] == tools
        assert v1(client, "get", f"/assistants/{made['id']}")["tools"] == tools


class TestFiles:
    """The routes that v2 does not have."""

    def test_an_assistants_files_are_added_listed_and_removed(self, client: OpenAI):
        first, second = upload(client), upload(client)
        body = {"model": "gpt-4o", "tools": [{"type": "retrieval"}], "file_ids": [first]}
        made = v1(client, "post", "/assistants", body)
        path = f"/assistants/{made['id']}/files"
        given = v1(client, "post", path, {"file_id": second})
        assert given == {
            "id": second, "object": "assistant.file", "created_at": given["created_at"], "assistant_id": made["id"],
        }  # fmt: skip
        assert v1(client, "get", f"{path}/{second}") == given
        assert [each["id"] for each in v1(client, "get", path)["data"]] == [second, first]
        page = v1(client, "get", f"{path}?limit=1&order=asc")
        assert ([each["id"] for each in page["data"]], page["has_more"]) == ([first], True)
        assert v1(client, "get", f"/assistants/{made['id']}")["file_ids"] == [first, second]
        assert searchable(client, made["id"]) == [first, second]

        deleted = v1(client, "delete", f"{path}/{first}")
        assert deleted == {"id": first, "object": "assistant.file.deleted", "deleted": True}
        assert [each["id"] for each in v1(client, "get", path)["data"]] == [second]
        assert searchable(client, made["id"]) == [second]
        assert client.files.retrieve(first).id == first
        for method in ("get", "delete"):
            with refused(404, f"No such File object: {first}", "id"):
                v1(client, method, f"{path}/{first}")
        with refused(404, "No such File object: file-unknown", "id"):
            v1(client, "post", path, {"file_id": "file-unknown"})

    def test_an_assistant_without_retrieval_gets_no_store(self, client: OpenAI):
        made = v1(client, "post", "/assistants", {"model": "gpt-4o", "tools": [{"type": "code_interpreter"}]})
        v1(client, "post", f"/assistants/{made['id']}/files", {"file_id": upload(client)})
        assert "file_search" not in client.beta.assistants.retrieve(made["id"]).to_dict()["tool_resources"]  # type: ignore[operator]

    def test_a_messages_files_are_listed(self, client: OpenAI):
        files = [upload(client), upload(client)]
        thread = v1(client, "post", "/threads")
        body = {"role": "user", "content": "x", "file_ids": files}
        said = v1(client, "post", f"/threads/{thread['id']}/messages", body)
        path = f"/threads/{thread['id']}/messages/{said['id']}/files"
        assert [each["id"] for each in v1(client, "get", f"{path}?order=asc")["data"]] == files
        assert v1(client, "get", f"{path}/{files[0]}") == {
            "id": files[0], "object": "thread.message.file", "created_at": said["created_at"], "message_id": said["id"],
        }  # fmt: skip
        with refused(404, "No such File object: file-unknown", "id"):
            v1(client, "get", f"{path}/file-unknown")

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("get", "/assistants/asst_1/files"),
            ("post", "/assistants/asst_1/files"),
            ("get", "/assistants/asst_1/files/file-1"),
            ("delete", "/assistants/asst_1/files/file-1"),
            ("get", "/threads/thread_1/messages/msg_1/files"),
            ("get", "/threads/thread_1/messages/msg_1/files/file-1"),
        ],
    )
    def test_v2_does_not_have_these_routes(self, client: OpenAI, method: str, path: str):
        with refused(404, f"Invalid URL ({method.upper()} /v1{path})"):
            getattr(client, method)(path, cast_to=object)
        with pytest.raises(APIStatusError, match=r"No (assistant|thread) found"):
            v1(client, method, path, {"file_id": "file-1"} if method == "post" else None)


class TestRuns:
    """A run of v1 from its question to its answer."""

    def test_a_run_is_driven_from_question_to_answer(self, client: OpenAI, reader: dict[str, Any]):
        run = waiting(client, reader["id"])
        assert (run["tools"], run["file_ids"]) == (reader["tools"], reader["file_ids"])
        assert "tool_resources" not in run

        (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": "half past ten"}]}
        path = f"/threads/{run['thread_id']}/runs/{run['id']}"
        assert v1(client, "post", f"{path}/submit_tool_outputs", outputs)["file_ids"] == reader["file_ids"]
        until(client, run, "completed")

        said = v1(client, "get", f"/threads/{run['thread_id']}/messages?order=asc")["data"]
        assert [(each["role"], len(each["file_ids"])) for each in said] == [("user", 1), ("assistant", 0)]
        assert not any("attachments" in each for each in said)
        assert "half past ten" in said[1]["content"][0]["text"]["value"]
        steps = v1(client, "get", f"{path}/steps?order=asc")["data"]
        assert [step["type"] for step in steps] == ["tool_calls", "message_creation"]

    def test_a_stream_shows_v1_in_each_of_its_events(self, client: OpenAI, reader: dict[str, Any]):
        message = {"role": "user", "content": "Hello", "file_ids": [upload(client)]}
        body = {"assistant_id": reader["id"], "thread": {"messages": [message]}, "stream": True}
        answer = httpx2.post(f"{client.base_url}threads/runs", json=body, headers=V1, timeout=30)
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line.removeprefix("data: ") for line in answer.text.split("\n") if line.startswith("data: {")]
        shown = {event["object"]: event for event in map(json.loads, lines)}
        assert (shown["thread.run"]["status"], shown["thread.run"]["file_ids"]) == ("completed", reader["file_ids"])
        assert (shown["thread.message"]["role"], shown["thread.message"]["file_ids"]) == ("assistant", [])
        assert "tool_resources" not in shown["thread"]
        assert answer.text.endswith("data: [DONE]\n\n")

    def test_the_answer_says_when_to_poll_again(self, client: OpenAI, reader: dict[str, Any]):
        run = waiting(client, reader["id"])
        url = f"{client.base_url}threads/{run['thread_id']}/runs/{run['id']}"
        assert int(httpx2.get(url, headers=V1).headers["openai-poll-after-ms"]) > 0

    def test_v2_sees_the_files_of_a_message_as_attachments(self, client: OpenAI):
        thread = v1(client, "post", "/threads")
        assert "tool_resources" not in thread
        file_id = upload(client)
        body = {"role": "user", "content": "Hello", "file_ids": [file_id]}
        made = v1(client, "post", f"/threads/{thread['id']}/messages", body)
        found = client.beta.threads.messages.retrieve(made["id"], thread_id=thread["id"]).to_dict()
        assert made["file_ids"] == [file_id]
        assert found["attachments"] == [{"file_id": file_id, "tools": BOTH}]
        resources: Any = client.beta.threads.retrieve(thread["id"]).to_dict()["tool_resources"]
        assert resources["code_interpreter"] == {"file_ids": [file_id]}
        assert files_of(client, resources) == [file_id]

    def test_an_active_run_cannot_be_modified(self, client: OpenAI, reader: dict[str, Any]):
        run = waiting(client, reader["id"])
        path = f"/threads/{run['thread_id']}/runs/{run['id']}"
        with refused(400, "Cannot update run with status 'requires_action'."):
            v1(client, "post", path, {"metadata": {"a": "1"}})
        v2 = client.beta.threads.runs.update(run["id"], thread_id=run["thread_id"], metadata={"a": "2"})
        assert v2.metadata == {"a": "2"}
        v1(client, "post", f"{path}/cancel")
        until(client, run, "cancelled")
        assert v1(client, "post", path, {"metadata": {"a": "3"}})["metadata"] == {"a": "3"}


class TestErrors:
    """Errors, with the messages of the catalogue."""

    @pytest.mark.parametrize(
        ("path", "body", "param"),
        [
            ("/assistants", {"model": "m", "tool_resources": {}}, "tool_resources"),
            ("/assistants", {"model": "m", "temperature": 1}, "temperature"),
            (
                "/threads",
                {"messages": [{"role": "user", "content": "x", "attachments": []}]},
                "messages[0].attachments",
            ),
            ("/threads/runs", {"assistant_id": "asst_1", "top_p": 1}, "top_p"),
        ],
    )
    def test_a_field_of_v2_is_an_unknown_parameter(self, client: OpenAI, path: str, body: object, param: str):
        with refused(400, f"Unknown parameter: '{param}'.", param, "unknown_parameter"):
            v1(client, "post", path, body)

    def test_file_ids_are_an_unknown_parameter_of_v2(self, client: OpenAI):
        with refused(400, "Unknown parameter: 'file_ids'.", "file_ids", "unknown_parameter"):
            client.beta.assistants.create(model="gpt-4o", extra_body={"file_ids": ["file-1"]})

    def test_a_tool_of_v2_is_none_of_v1(self, client: OpenAI):
        message = "Invalid value: 'file_search'. Supported values are: 'code_interpreter', 'retrieval', and 'function'."
        with refused(400, message, "tools[0].type", "invalid_value"):
            v1(client, "post", "/assistants", {"model": "m", "tools": [{"type": "file_search"}]})

    def test_too_many_files(self, client: OpenAI):
        message = (
            "Invalid 'file_ids': array too long. "
            "Expected an array with maximum length 10, but got an array with length 11 instead."
        )
        thread = client.beta.threads.create()
        body = {"role": "user", "content": "x", "file_ids": [f"file-{number}" for number in range(11)]}
        with refused(400, message, "file_ids", "array_above_max_length"):
            v1(client, "post", f"/threads/{thread.id}/messages", body)

    def test_a_body_that_is_no_json_object(self, client: OpenAI):
        with refused(
            400,
            "Invalid type for the request body: expected an object, but got an array instead.",
            None,
            "invalid_type",
        ):
            v1(client, "post", "/assistants", [])

    def test_modifying_checks_ids_and_body_before_the_state(self, client: OpenAI, assistant: Assistant):
        message = "Invalid 'run_id': 'wrong'. Expected an ID that begins with 'run'."
        with refused(400, message, "run_id", "invalid_value"):
            v1(client, "post", "/threads/thread_1/runs/wrong", {})
        with refused(404, "No thread found with id 'thread_1'."):
            v1(client, "post", "/threads/thread_1/runs/run_1", {})
