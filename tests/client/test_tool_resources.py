"""Tool resources and attachments, through the official SDK: named objects exist, or are created (contract, 1.2, 3)."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from openai import OpenAI
from openai.types import VectorStore
from openai.types.beta import Assistant

from tests.support.sdk.client import refused
from tests.support.sdk.talk import POLL, upload
from tests.support.service.processes import eventually

STATIC: Any = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 20}}
SEARCH: Any = {"type": "file_search"}
CODE: Any = {"type": "code_interpreter"}
EITHER = "'tool_resources.file_search.vector_store_ids' or 'tool_resources.file_search.vector_stores'"
DAY = 86_400


def said(*attachments: Any, text: str = "Hello") -> Any:
    """A message with these attachments."""
    return {"role": "user", "content": text, "attachments": list(attachments)}


def attached(file_id: str, *tools: Any) -> Any:
    return {"file_id": file_id, "tools": list(tools)}


def resources(owner: Any) -> dict[str, Any]:
    return owner.to_dict()["tool_resources"]


def refusal(shown: str) -> str:
    """The error message for files with these extensions."""
    return (
        f"Files with extensions [{shown}] are not supported for retrieval. "
        "See https://platform.openai.com/docs/assistants/tools/file-search/supported-files"
    )


def store_of(client: OpenAI, owner: Any) -> VectorStore:
    """The vector store of an assistant or a thread, once all of its files have been ingested."""
    (store_id,) = resources(owner)["file_search"]["vector_store_ids"]

    def ingested() -> VectorStore | None:
        store = client.vector_stores.retrieve(store_id)
        return None if store.status == "in_progress" else store

    return eventually(ingested)


def files_of(client: OpenAI, store: VectorStore) -> list[str]:
    return [each.id for each in client.vector_stores.files.list(store.id, order="asc")]


class TestTheHelper:
    """`vector_stores` instead of `vector_store_ids`."""

    def test_an_assistant_is_created_with_a_new_store(self, client: OpenAI):
        files = [upload(client), upload(client)]
        helper: Any = {"file_ids": files, "chunking_strategy": STATIC, "metadata": {"team": "a"}}
        made = client.beta.assistants.create(
            model="gpt-4o", tools=[SEARCH], tool_resources={"file_search": {"vector_stores": [helper]}}
        )
        store = store_of(client, made)
        assert resources(made) == {"file_search": {"vector_store_ids": [store.id]}}
        assert client.beta.assistants.retrieve(made.id) == made
        assert (store.metadata, store.expires_after, files_of(client, store)) == ({"team": "a"}, None, files)
        shown = client.vector_stores.files.retrieve(files[0], vector_store_id=store.id)
        assert shown.chunking_strategy is not None
        assert shown.chunking_strategy.to_dict() == STATIC

    def test_a_threads_store_expires_a_week_after_its_last_use(self, client: OpenAI, assistant: Assistant):
        file_id = upload(client)
        thread: Any = {"tool_resources": {"file_search": {"vector_stores": [{"file_ids": [file_id]}]}}}
        made = client.beta.threads.create(**thread)
        run = client.beta.threads.create_and_run(assistant_id=assistant.id, instructions="Be brief.", thread=thread)
        for each in (made, client.beta.threads.retrieve(run.thread_id)):
            store = store_of(client, each)
            assert store.expires_after is not None
            assert store.expires_after.to_dict() == {"anchor": "last_active_at", "days": 7}
            assert store.expires_at == (store.last_active_at or 0) + 7 * DAY
            assert files_of(client, store) == [file_id]

    def test_a_helper_with_no_store_makes_none(self, client: OpenAI):
        made = client.beta.threads.create(tool_resources={"file_search": {"vector_stores": []}})
        assert resources(made) == {"file_search": {"vector_store_ids": []}}

    @pytest.mark.parametrize(
        ("asked", "message", "code"),
        [
            (
                {"vector_stores": [{"file_ids": []}]},
                "file_search tool configuration is invalid. file_ids must be non-empty",
                None,
            ),
            (
                {"vector_stores": [{"file_ids": ["file-1"]}], "vector_store_ids": ["vs_1"]},
                f"Mutually exclusive parameters. Ensure you are only providing one of: {EITHER}.",
                "mutually_exclusive_parameters",
            ),
        ],
    )
    def test_an_invalid_helper_is_refused_with_the_reason(
        self, client: OpenAI, asked: Any, message: str, code: str | None
    ):
        for create in (client.beta.threads.create, lambda **b: client.beta.assistants.create(model="m", **b)):
            with refused(400, message, None, code):
                create(tool_resources={"file_search": asked})


def test_the_code_interpreter_has_files_or_none(client: OpenAI):
    made = client.beta.assistants.create(model="gpt-4o", tools=[CODE])
    assert resources(made) == {"code_interpreter": {"file_ids": []}}
    run = client.beta.threads.create_and_run(assistant_id=made.id, instructions="Hi", thread={})
    assert resources(run) == {"code_interpreter": {"file_ids": []}}


class TestNamedObjects:
    """Named objects have to exist."""

    @pytest.fixture(params=["assistant", "thread", "thread and run", "run", "modified assistant", "modified thread"])
    def ask(self, client: OpenAI, assistant: Assistant, request: pytest.FixtureRequest) -> Callable[[Any], object]:
        """A function that sends these tool resources."""
        beta, hello = client.beta, said()
        thread, own = beta.threads.create().id, beta.assistants.create(model="gpt-4o").id
        asked: dict[str, Callable[[Any], object]] = {
            "assistant": lambda named: beta.assistants.create(model="gpt-4o", tool_resources=named),
            "thread": lambda named: beta.threads.create(tool_resources=named),
            "thread and run": lambda named: beta.threads.create_and_run(
                assistant_id=assistant.id, thread={"messages": [hello], "tool_resources": named}
            ),
            "run": lambda named: beta.threads.create_and_run(
                assistant_id=assistant.id, thread={"messages": [hello]}, tool_resources=named
            ),
            "modified assistant": lambda named: beta.assistants.update(own, tool_resources=named),
            "modified thread": lambda named: beta.threads.update(thread, tool_resources=named),
        }
        return asked[request.param]

    def test_a_missing_store_is_not_found(self, ask: Callable[[Any], object]):
        with refused(404, "No vector store found with id 'vs_unknown'."):
            ask({"file_search": {"vector_store_ids": ["vs_unknown"]}})

    def test_a_missing_file_is_not_found(self, ask: Callable[[Any], object]):
        with refused(404, "No such File object: file-unknown", "id"):
            ask({"code_interpreter": {"file_ids": ["file-unknown"]}})

    def test_an_object_of_another_project_is_not_found(self, alice: OpenAI, bob: OpenAI):
        store, file_id = alice.vector_stores.create(), upload(alice)
        with refused(404, f"No vector store found with id '{store.id}'."):
            bob.beta.threads.create(tool_resources={"file_search": {"vector_store_ids": [store.id]}})
        asked: list[Any] = [
            {"tool_resources": {"code_interpreter": {"file_ids": [file_id]}}},
            {"tool_resources": {"file_search": {"vector_stores": [{"file_ids": [file_id]}]}}},
            {"messages": [said(attached(file_id, SEARCH))]},
            {"messages": [said(attached(file_id))]},
        ]
        for named in asked:
            with refused(404, f"No such File object: {file_id}", "id"):
                bob.beta.threads.create(**named)


class TestAttachments:
    """Files of messages are added to the thread's resources."""

    def test_a_thread_without_a_store_gets_one(self, client: OpenAI):
        thread, file_id = client.beta.threads.create(), upload(client)
        message = client.beta.threads.messages.create(thread.id, **said(attached(file_id, SEARCH)))
        assert message.to_dict()["attachments"] == [attached(file_id, SEARCH)]
        store = store_of(client, client.beta.threads.retrieve(thread.id))
        assert store.expires_after is not None
        assert store.expires_after.days == 7
        assert files_of(client, store) == [file_id]

    def test_the_files_of_all_messages_are_combined_for_each_tool(self, client: OpenAI):
        first, second, third = (upload(client) for _ in range(3))
        thread = client.beta.threads.create(
            messages=[said(attached(first, SEARCH, CODE)), said(attached(second, CODE), attached(third, SEARCH))]
        )
        store = store_of(client, thread)
        assert resources(thread)["code_interpreter"] == {"file_ids": [first, second]}
        assert files_of(client, store) == [first, third]
        client.beta.threads.messages.create(thread.id, **said(attached(second, SEARCH), attached(first, CODE)))
        after = client.beta.threads.retrieve(thread.id)
        assert resources(after) == resources(thread)
        assert files_of(client, store_of(client, after)) == [first, third, second]

    def test_they_go_into_the_store_that_the_thread_names(self, client: OpenAI):
        named, first, second, third = client.vector_stores.create(), *(upload(client) for _ in range(3))
        thread = client.beta.threads.create(
            messages=[said(attached(first, SEARCH))], tool_resources={"file_search": {"vector_store_ids": [named.id]}}
        )
        client.beta.threads.messages.create(thread.id, **said(attached(second, SEARCH)))
        assert (store_of(client, thread).id, files_of(client, named)) == (named.id, [first, second])
        helper: Any = {"file_search": {"vector_stores": [{"file_ids": [second], "metadata": {"of": "both"}}]}}
        other = client.beta.threads.create(messages=[said(attached(third, SEARCH))], tool_resources=helper)
        store = store_of(client, other)
        assert (store.metadata, sorted(files_of(client, store))) == ({"of": "both"}, sorted([second, third]))

    def test_a_file_that_is_in_the_store_already_is_not_ingested_again(self, client: OpenAI):
        file_id = upload(client)
        thread = client.beta.threads.create(messages=[said(attached(file_id, SEARCH))])
        store = store_of(client, thread)
        before = client.vector_stores.files.retrieve(file_id, vector_store_id=store.id)
        client.beta.threads.messages.create(thread.id, **said(attached(file_id, SEARCH)))
        assert client.vector_stores.files.retrieve(file_id, vector_store_id=store.id) == before

    def test_a_store_that_was_deleted_is_replaced(self, client: OpenAI):
        first, second = upload(client), upload(client)
        thread = client.beta.threads.create(messages=[said(attached(first, SEARCH))])
        gone = store_of(client, thread)
        client.vector_stores.delete(gone.id)
        client.beta.threads.messages.create(thread.id, **said(attached(second, SEARCH)))
        store = store_of(client, client.beta.threads.retrieve(thread.id))
        assert store.id != gone.id
        assert files_of(client, store) == [second]

    def test_those_of_additional_messages_are_ready_for_the_run(self, client: OpenAI):
        thread, file_id = client.beta.threads.create(), upload(client)
        searcher = client.beta.assistants.create(model="gpt-4o", tools=[SEARCH])
        run = client.beta.threads.runs.create_and_poll(
            thread_id=thread.id,
            assistant_id=searcher.id,
            additional_messages=[said(attached(file_id, SEARCH))],
            poll_interval_ms=POLL,
        )
        assert run.status == "completed"
        (store_id,) = resources(client.beta.threads.retrieve(thread.id))["file_search"]["vector_store_ids"]
        assert client.vector_stores.files.retrieve(file_id, vector_store_id=store_id).status == "completed"
        (shown,) = [each for each in client.beta.threads.messages.list(thread.id) if each.role == "user"]
        assert shown.to_dict()["attachments"] == [attached(file_id, SEARCH)]

    def test_attachments_of_a_thread_created_with_its_run_are_ready_for_the_run(self, client: OpenAI):
        searcher = client.beta.assistants.create(model="gpt-4o", tools=[SEARCH])
        run = client.beta.threads.create_and_run_poll(
            assistant_id=searcher.id,
            thread={"messages": [said(attached(upload(client), SEARCH))]},
            poll_interval_ms=POLL,
        )
        assert run.status == "completed"
        (store_id,) = resources(client.beta.threads.retrieve(run.thread_id))["file_search"]["vector_store_ids"]
        assert client.vector_stores.retrieve(store_id).file_counts.completed == 1

    def test_a_missing_file_is_not_found_and_no_message_is_added(self, client: OpenAI):
        thread, there = client.beta.threads.create(), upload(client)
        for tools in ([SEARCH], [CODE], []):
            with refused(404, "No such File object: file-unknown", "id"):
                client.beta.threads.messages.create(
                    thread.id, **said(attached(there, *tools), attached("file-unknown", *tools))
                )
        assert client.beta.threads.retrieve(thread.id) == thread
        assert list(client.beta.threads.messages.list(thread.id)) == []

    def test_the_code_interpreter_has_twenty_files_at_most(self, client: OpenAI):
        thread = client.beta.threads.create()
        messages, files = client.beta.threads.messages, [upload(client) for _ in range(21)]
        messages.create(thread.id, **said(*(attached(each, CODE) for each in files[:20])))
        message = "Too many files for the code interpreter: it may have 20, but would have 21."
        with refused(400, message, None, "array_above_max_length"):
            messages.create(thread.id, **said(attached(files[20], CODE, SEARCH)))
        assert resources(client.beta.threads.retrieve(thread.id)) == {"code_interpreter": {"file_ids": files[:20]}}


def test_a_deleted_file_is_removed_from_code_interpreters(client: OpenAI):
    gone, stays = upload(client), upload(client)
    named: Any = {"code_interpreter": {"file_ids": [gone, stays]}}
    made = client.beta.assistants.create(model="gpt-4o", tools=[CODE], tool_resources=named)
    modified = client.beta.assistants.create(model="gpt-4o")
    client.beta.assistants.update(modified.id, tool_resources=named)
    thread = client.beta.threads.create(tool_resources=named)
    attaching = client.beta.threads.create(messages=[said(attached(gone, CODE), attached(stays, CODE))])
    client.files.delete(gone)
    left = {"code_interpreter": {"file_ids": [stays]}}
    assert resources(client.beta.assistants.retrieve(made.id)) == left
    assert resources(client.beta.assistants.retrieve(modified.id)) == left
    assert resources(client.beta.threads.retrieve(thread.id)) == left
    assert resources(client.beta.threads.retrieve(attaching.id)) == left
    with refused(404, f"No such File object: {gone}", "id"):
        client.files.delete(gone)
    assert gone not in [each.id for each in client.files.list(limit=100)]


class TestFilesThatCannotBeSearched:
    """They are refused by their names when they are added to a vector store, and no object is created or changed."""

    WAYS: Mapping[str, Callable[[OpenAI, list[str]], object]] = {
        "a store": lambda client, files: client.vector_stores.create(file_ids=files),
        "a file": lambda client, files: client.vector_stores.files.create(
            client.vector_stores.create().id, file_id=files[-1]
        ),
        "a batch": lambda client, files: client.vector_stores.file_batches.create(
            client.vector_stores.create().id, file_ids=files
        ),
        "a message": lambda client, files: client.beta.threads.messages.create(
            client.beta.threads.create().id, **said(*(attached(each, CODE, SEARCH) for each in files))
        ),
        "a thread": lambda client, files: client.beta.threads.create(
            messages=[said(*(attached(e, SEARCH) for e in files))]
        ),
        "an assistant": lambda client, files: client.beta.assistants.create(
            model="gpt-4o", tool_resources={"file_search": {"vector_stores": [{"file_ids": files}]}}
        ),
    }

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize(
        ("name", "shown"), [("a.csv", ".csv"), ("A.XLSX", ".xlsx"), ("a.png", ".png"), ("a", "none")]
    )
    def test_a_table_is_refused_however_it_is_to_be_searched(self, client: OpenAI, way: str, name: str, shown: str):
        with refused(400, refusal(shown), "file_ids", "unsupported_file"):
            self.WAYS[way](client, [upload(client), upload(client, "a,b", name)])

    def test_all_refused_files_are_named_once(self, client: OpenAI):
        store = client.vector_stores.create()
        files = [upload(client, "a,b", name) for name in ("a.csv", "b.csv", "c.txt", "d.xlsx")]
        with refused(400, refusal(".csv, .xlsx"), "file_ids", "unsupported_file"):
            client.vector_stores.file_batches.create(store.id, file_ids=files)
        assert client.vector_stores.retrieve(store.id).file_counts.total == 0

    def test_a_run_is_refused_with_its_messages(self, client: OpenAI, assistant: Assistant):
        thread, table = client.beta.threads.create(), upload(client, "a,b", "a.csv")
        more: Any = [said(attached(table, SEARCH))]
        with refused(400, refusal(".csv"), "file_ids", "unsupported_file"):
            client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, additional_messages=more)
        with refused(400, refusal(".csv"), "file_ids", "unsupported_file"):
            client.beta.threads.create_and_run(assistant_id=assistant.id, thread={"messages": more})
        assert not client.beta.threads.runs.list(thread.id).data

    def test_a_table_is_accepted_for_the_code_interpreter(self, client: OpenAI):
        table = upload(client, "a,b", "a.csv")
        thread = client.beta.threads.create(messages=[said(attached(table, CODE))])
        assert resources(thread) == {"code_interpreter": {"file_ids": [table]}}
