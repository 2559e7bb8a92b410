"""File search: the model searches, gets results, and its answer cites them (contract, 7.3 and 12)."""

from collections.abc import Iterable, Mapping
from typing import Any

import httpx2
import pytest
from openai import AssistantEventHandler, OpenAI
from openai.types.beta.threads import FileCitationAnnotation, Message, Run
from openai.types.beta.threads.runs import RunStep
from typing_extensions import override

from tests.support.sdk.conversation import WEATHER, call, unique
from tests.support.sdk.events import (
    CALLS_BEGIN,
    MESSAGE_BEGINS,
    MESSAGE_ENDS,
    RUN_BEGINS,
    Event,
    deltas,
    names,
    only,
    said,
    stream,
    streamed,
)
from tests.support.sdk.talk import POLL, calls_of, submit
from tests.support.service.processes import Model, eventually

CONTENT: Any = "step_details.tool_calls[*].file_search.results[*].content"
SPIRE = "The spire of Strasbourg is 142 metres high."
NAVE = "The nave was begun in 1015, and it burnt in 1176."
V1 = {"OpenAI-Beta": "assistants=v1"}
RANKING = {"ranker": "default_2024_08_21", "score_threshold": 0.0}


def stored(client: OpenAI, **texts: str) -> tuple[str, dict[str, str]]:
    """A vector store with a file for each text, and the ids of the files by their names."""
    store = client.vector_stores.create()
    ids = {name: upload(client, name, text) for name, text in texts.items()}
    if ids:
        client.vector_stores.file_batches.create_and_poll(store.id, file_ids=list(ids.values()), poll_interval_ms=POLL)
    return store.id, ids


def upload(client: OpenAI, name: str, text: str) -> str:
    return client.files.create(file=(f"{name}.txt", text.encode()), purpose="assistants").id


def searcher(client: OpenAI, *store_ids: str, tools: Any = (), **options: Any) -> str:
    """An assistant that searches a store."""
    tool: Any = {"type": "file_search"} | ({"file_search": options} if options else {})
    resources: Any = {"file_search": {"vector_store_ids": list(store_ids)}}
    return client.beta.assistants.create(model="gpt-4o", tools=[tool, *tools], tool_resources=resources).id


def looks_up(question: str, query: str, call_id: str = "call_s") -> dict[str, Any]:
    """A turn of the model in which it searches."""
    return {"match": question, "tool_calls": [search(query, call_id)]}


def search(query: str, call_id: str = "call_s") -> dict[str, Any]:
    return {"id": call_id, "name": "file_search", "arguments": {"queries": [query]}}


def run_on(client: OpenAI, assistant_id: str, question: str, **options: Any) -> Run:
    """A run on a new thread, once it has ended or awaits outputs."""
    thread: Any = {"messages": [{"role": "user", "content": question}], **options.pop("thread", {})}
    return client.beta.threads.create_and_run_poll(
        assistant_id=assistant_id, thread=thread, poll_interval_ms=POLL, **options
    )


def answer(client: OpenAI, run: Run) -> Message:
    """The assistant's last message."""
    assert run.status == "completed", run.last_error
    return client.beta.threads.messages.list(run.thread_id).data[0]


def annotations(message: Message) -> list[dict[str, Any]]:
    """The citations of a message, after a check of their positions."""
    (part,) = message.content
    assert part.type == "text"
    for each in part.text.annotations:
        assert isinstance(each, FileCitationAnnotation)
        assert part.text.value[each.start_index : each.end_index] == each.text
    return [each.to_dict() for each in part.text.annotations]


def found(client: OpenAI, run: Run, **options: Any) -> list[dict[str, Any]]:
    """The searches of a run that has ended, call by call, as the list of its steps and each step show them."""
    steps = client.beta.threads.runs.steps
    listed = list(steps.list(run.id, thread_id=run.thread_id, order="asc", **options))
    retrieved = [steps.retrieve(each.id, thread_id=run.thread_id, run_id=run.id, **options) for each in listed]
    assert [each.to_dict() for each in retrieved] == [each.to_dict() for each in listed]
    return searches(listed)


def searches(steps: Iterable[RunStep]) -> list[dict[str, Any]]:
    """The searches of these steps."""
    details = (step.step_details for step in steps)
    calls = [call for each in details if each.type == "tool_calls" for call in each.tool_calls]
    return [call.file_search.to_dict() for call in calls if call.type == "file_search"]


def outputs(request: Mapping[str, Any]) -> list[str]:
    """The outputs of tools in a request to the model."""
    return [each["content"] for each in request["messages"] if each["role"] == "tool"]


class TestARun:
    """A run from the question to the citation."""

    def test_the_model_receives_the_results_and_cites_them(self, client: OpenAI, model: Model):
        store, files = stored(client, guide=SPIRE, bread="A loaf needs flour.")
        question = unique("How high is the spire?")
        said = "Höhe 🗼: 142 metres【1:0†guide.txt】. They say【7:7†x】."
        model.script(looks_up(question, "spire metres high"), {"match": question, "text": said})
        run = run_on(client, searcher(client, store), question)
        message = answer(client, run)
        quoted = {"file_id": files["guide"], "quote": SPIRE}
        assert annotations(message) == [
            {
                "type": "file_citation", "text": "【1:0†guide.txt】", "start_index": 18, "end_index": 33,
                "file_citation": quoted,
            }
        ]  # fmt: skip
        first, second = model.requests(question)
        assert [tool["function"]["name"] for tool in first["tools"]] == ["file_search"]
        assert first["tools"][0]["function"]["parameters"]["required"] == ["queries"]
        (output,) = outputs(second)
        assert f"【1:0†guide.txt】\n{SPIRE}" in output
        assert "mark" in output

        (shown,) = found(client, run)
        assert shown["ranking_options"] == RANKING
        assert {"file_id": files["guide"], "file_name": "guide.txt"}.items() <= shown["results"][0].items()
        assert 0 < shown["results"][0]["score"] <= 1
        assert "content" not in shown["results"][0]
        (whole,) = found(client, run, include=[CONTENT])
        assert whole["results"][0] == shown["results"][0] | {"content": [{"type": "text", "text": SPIRE}]}
        retrieved = client.beta.threads.messages.retrieve(message.id, thread_id=run.thread_id)
        assert retrieved.to_dict() == message.to_dict()

    def test_the_stores_of_the_assistant_and_of_the_thread_are_searched_together(self, client: OpenAI, model: Model):
        (mine, ours), (its, theirs) = stored(client, guide=SPIRE), stored(client, history=NAVE)
        question = unique()
        model.script(
            {"match": question, "tool_calls": [search("spire metres", "call_1"), search("nave burnt", "call_2")]},
            {"match": question, "text": "High【1:0†a】. Burnt【2:0†b】."},
        )
        resources = {"tool_resources": {"file_search": {"vector_store_ids": [its]}}}
        run = run_on(client, searcher(client, mine), question, thread=resources)
        cited = [each["file_citation"]["file_id"] for each in annotations(answer(client, run))]
        assert cited == [ours["guide"], theirs["history"]]
        assert [len(outputs(each)) for each in model.requests(question)] == [0, 2]
        for store in (mine, its):
            assert client.vector_stores.retrieve(store).last_active_at is not None

    def test_marks_of_one_run_are_not_those_of_the_next(self, client: OpenAI, model: Model):
        store, _ = stored(client, guide=SPIRE)
        first, second = unique(), unique()
        model.script(
            looks_up(first, "spire"), {"match": first, "text": "High【1:0†a】."},
            looks_up(second, "spire"), {"match": second, "text": "As I said【1:0†a】, and again【2:0†a】."},
        )  # fmt: skip
        assistant = searcher(client, store)
        run = run_on(client, assistant, first)
        client.beta.threads.messages.create(run.thread_id, role="user", content=second)
        again = client.beta.threads.runs.create_and_poll(
            thread_id=run.thread_id, assistant_id=assistant, poll_interval_ms=POLL
        )
        assert [each["text"] for each in annotations(answer(client, again))] == ["【2:0†a】"]

    @pytest.mark.parametrize("empty", [True, False], ids=["an empty store", "no store"])
    def test_without_files_a_search_has_no_results(self, client: OpenAI, model: Model, empty: bool):
        question = unique()
        model.script(looks_up(question, "spire"), {"match": question, "text": "I do not know【1:0†a】."})
        stores = [stored(client)[0]] if empty else []
        run = run_on(client, searcher(client, *stores), question)
        assert annotations(answer(client, run)) == []
        assert outputs(model.requests(question)[-1]) == ["Nothing was found."]
        assert found(client, run) == [{"ranking_options": RANKING, "results": []}]

    def test_options_say_how_much_is_found(self, client: OpenAI, model: Model):
        store, _ = stored(client, one="The spire is high.", two="A spire is high.", three="So high a spire is.")
        question, strict = unique(), unique()
        done = [{"match": each, "text": "Done."} for each in (question, strict)]
        model.script(looks_up(question, "spire high"), done[0], looks_up(strict, "spire unheard of"), done[1])
        run = run_on(client, searcher(client, store, max_num_results=2), question)
        assert [len(each["results"]) for each in found(client, run)] == [2]
        ranking = {"ranker": "auto", "score_threshold": 1.0}
        (none,) = found(client, run_on(client, searcher(client, store, ranking_options=ranking), strict))
        assert none == {"ranking_options": RANKING | {"score_threshold": 1.0}, "results": []}

    def test_a_forced_search_is_a_functions_choice_in_the_first_turn(self, client: OpenAI, model: Model):
        store, _ = stored(client, guide=SPIRE)
        question = unique("spire")
        run = run_on(client, searcher(client, store), question, tool_choice={"type": "file_search"})
        assert run.status == "completed"
        first, second = model.requests(question)
        assert first["tool_choice"] == {"type": "function", "function": {"name": "file_search"}}
        assert "tool_choice" not in second
        assert SPIRE in outputs(second)[0]

    def test_searches_and_functions_of_one_turn_work_together(self, client: OpenAI, model: Model):
        store, files = stored(client, guide=SPIRE)
        question = unique()
        calls = [call("get_weather", "call_w", city="Strasbourg"), search("spire")]
        model.script({"match": question, "tool_calls": calls}, {"match": question, "text": "Sunny at 142 m【1:0†a】."})
        run = run_on(client, searcher(client, store, tools=[WEATHER]), question)
        assert [each.id for each in calls_of(run)] == ["call_w"]
        steps = client.beta.threads.runs.steps
        eventually(lambda: searches(steps.list(run.id, thread_id=run.thread_id))[0])
        message = answer(client, submit(client, run, "sunny"))
        assert [each["file_citation"]["file_id"] for each in annotations(message)] == [files["guide"]]
        (weather, result) = outputs(model.requests(question)[-1])
        assert (weather, SPIRE in result) == ("sunny", True)

    def test_arguments_that_are_none_are_refused_to_the_model(self, client: OpenAI, model: Model):
        store, _ = stored(client, guide=SPIRE)
        question = unique()
        wrong: Any = {"id": "call_s", "name": "file_search", "arguments": "{"}
        model.script({"match": question, "tool_calls": [wrong]}, {"match": question, "text": "Sorry."})
        run = run_on(client, searcher(client, store), question)
        assert run.status == "completed"
        assert "`queries`" in outputs(model.requests(question)[-1])[0]


@pytest.mark.no_azure
class TestAStream:
    """The same run as a stream."""

    @pytest.mark.parametrize("include", [False, True], ids=["without content", "with content"])
    def test_a_search_and_its_citation_are_streamed_in_order(self, client: OpenAI, model: Model, include: bool):
        store, files = stored(client, guide=SPIRE)
        question = unique()
        chunks = ["It is ", "142 m", "【1", ":0†", "guide", ".txt", "】【", "9:9†x】 high", "【1:0†"]
        model.script(looks_up(question, "spire"), {"match": question, "chunks": chunks})
        thread = client.beta.threads.create(messages=[{"role": "user", "content": question}])
        path = f"threads/{thread.id}/runs" + (f"?include[]={CONTENT}" if include else "")
        events = stream(client, path, assistant_id=searcher(client, store))
        assert names(events) == [
            *RUN_BEGINS, *CALLS_BEGIN, "thread.run.step.completed", *MESSAGE_BEGINS, *MESSAGE_ENDS,
            "thread.run.completed", "done",
        ]  # fmt: skip
        assert deltas(events)[0]["delta"]["step_details"]["tool_calls"] == [
            {"index": 0, "id": "call_s", "type": "file_search", "file_search": {}}
        ]
        assert said(events) == "".join(chunks)
        marks = [part for part in parts_of(events) if part["text"].get("annotations")]
        message = only(events, "thread.message.completed")
        (annotation,) = message["content"][0]["text"]["annotations"]
        assert annotation["file_citation"] == {"file_id": files["guide"], "quote": SPIRE}
        assert marks == [
            {
                "index": 0, "type": "text",
                "text": {"value": "【1:0†guide.txt】", "annotations": [{"index": 0, **annotation}]},
            }
        ]  # fmt: skip
        step = next(event.data for event in events if event.name == "thread.run.step.completed")
        (result,) = step["step_details"]["tool_calls"][0]["file_search"]["results"]
        assert ("content" in result) is include
        assert client.beta.threads.messages.retrieve(message["id"], thread_id=thread.id).to_dict() == message

    @pytest.mark.no_async
    def test_the_sdks_handler_makes_the_same_message_of_the_deltas(self, client: OpenAI, model: Model):
        store, _ = stored(client, guide=SPIRE)
        question = unique()
        model.script(
            looks_up(question, "spire"), {"match": question, "chunks": ["A【1:0†a】b【1:", "0†a】【1:0†a】 c"]}
        )
        thread = client.beta.threads.create(messages=[{"role": "user", "content": question}])
        handler = Cited()
        with client.beta.threads.runs.stream(
            thread_id=thread.id, assistant_id=searcher(client, store), event_handler=handler
        ) as running:
            running.until_done()
        (message,) = client.beta.threads.messages.list(thread.id, limit=1).data
        assert [(each["start_index"], each["end_index"]) for each in annotations(message)] == [
            (1, 8),
            (9, 16),
            (16, 23),
        ]
        assert handler.snapshot == message.to_dict()["content"]

    def test_the_text_of_a_cancelled_answer_keeps_its_citations(self, client: OpenAI, model: Model):
        store, _ = stored(client, guide=SPIRE)
        question = unique()
        chunks = ["High【1:", "0†a】", *["."] * 200]
        model.script(looks_up(question, "spire"), {"match": question, "chunks": chunks, "chunk_delay": 0.2})
        thread = client.beta.threads.create(messages=[{"role": "user", "content": question}])
        with streamed(client, f"threads/{thread.id}/runs", assistant_id=searcher(client, store)) as coming:
            events = [next(coming)]
            while not any(part["text"].get("annotations") for part in parts_of(events[-1:])):
                events.append(next(coming))
            client.beta.threads.runs.cancel(events[0].data["id"], thread_id=thread.id)
            events += coming
        message = client.beta.threads.messages.list(thread.id).data[0]
        assert message.to_dict() == only(events, "thread.message.incomplete")
        assert [each["text"] for each in annotations(message)] == ["【1:0†a】"]


class Cited(AssistantEventHandler):
    """Records the message that the SDK makes of deltas."""

    snapshot: Any = None

    @override
    def on_message_delta(self, delta: Any, snapshot: Message) -> None:
        def without_index(node: Any) -> Any:
            if isinstance(node, list):
                return [without_index(each) for each in node]
            if not isinstance(node, dict):
                return node
            return {name: without_index(value) for name, value in node.items() if name != "index"}

        self.snapshot = without_index(snapshot.to_dict()["content"])


def parts_of(events: Iterable[Event]) -> list[dict[str, Any]]:
    """The content parts in the deltas."""
    return [part for delta in deltas(events) for part in delta["delta"].get("content", ())]


@pytest.mark.no_azure
class TestV1:
    """`retrieval`, as v1 called it."""

    def v1(self, client: OpenAI, method: str, path: str, body: object = None) -> Any:
        answer = httpx2.request(
            method, f"{client.base_url}{path}", json=body, headers=V1 | client.auth_headers, timeout=30
        )
        assert answer.is_success, answer.text
        return answer.json()

    def run(self, client: OpenAI, assistant_id: str, question: str, *file_ids: str) -> dict[str, Any]:
        """A run of v1 from its question to its end."""
        asked = {"role": "user", "content": question, "file_ids": file_ids}
        run = self.v1(client, "POST", "threads/runs", {"assistant_id": assistant_id, "thread": {"messages": [asked]}})
        path = f"threads/{run['thread_id']}/runs/{run['id']}"
        return eventually(lambda: (found := self.v1(client, "GET", path))["status"] == "completed" and found)

    def said(self, client: OpenAI, run: dict[str, Any]) -> dict[str, Any]:
        """The text of the assistant's answer."""
        return self.v1(client, "GET", f"threads/{run['thread_id']}/messages")["data"][0]["content"][0]["text"]

    def assistant(self, client: OpenAI, **fields: Any) -> str:
        return self.v1(client, "POST", "assistants", {"model": "gpt-4o", "tools": [{"type": "retrieval"}], **fields})[
            "id"
        ]

    def test_retrieval_searches_the_assistants_files_and_quotes_them(self, client: OpenAI, model: Model):
        file_id, question = upload(client, "guide", SPIRE), unique()
        model.script(looks_up(question, "spire"), {"match": question, "text": "High【1:0†a】."})
        assistant = self.assistant(client, file_ids=[file_id])
        resources = client.beta.assistants.retrieve(assistant).tool_resources
        assert resources is not None
        assert resources.file_search is not None
        (store,) = resources.file_search.vector_store_ids or [""]
        client.vector_stores.files.poll(file_id, vector_store_id=store, poll_interval_ms=POLL)
        run = self.run(client, assistant, question)
        steps = self.v1(client, "GET", f"threads/{run['thread_id']}/runs/{run['id']}/steps?order=asc")["data"]
        assert steps[0]["step_details"]["tool_calls"] == [{"id": "call_s", "type": "retrieval", "retrieval": {}}]
        (annotation,) = self.said(client, run)["annotations"]
        assert annotation["file_citation"] == {"file_id": file_id, "quote": SPIRE}

    def test_it_searches_the_files_of_a_message(self, client: OpenAI, model: Model):
        file_id, question = upload(client, "guide", SPIRE), unique()
        model.script(looks_up(question, "spire"), {"match": question, "text": "High【1:0†a】."})
        (annotation,) = self.said(client, self.run(client, self.assistant(client), question, file_id))["annotations"]
        assert annotation["file_citation"] == {"file_id": file_id, "quote": SPIRE}

    def test_without_files_it_is_the_fake(self, client: OpenAI, model: Model):
        question = unique()
        model.script(looks_up(question, "spire"))
        assert self.said(client, self.run(client, self.assistant(client), question))["value"] == "file_search: Oslo"
