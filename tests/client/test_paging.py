"""Paging: every object once and in order, in both orders and both directions."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta import Assistant

from tests.client.conftest import SEGMENT
from tests.support.reference.routes import send
from tests.support.sdk.client import refused
from tests.support.sdk.talk import ask, function, submit, text_of, texts
from tests.support.service.processes import Model

MANY = 250

Items = list[dict[str, Any]]

both_orders = pytest.mark.parametrize("order", ["asc", "desc"])
both_directions = pytest.mark.parametrize("direction", ["after", "before"])
page_sizes = pytest.mark.parametrize("limit", [100, 50, 37], ids="by {}".format)


def walk(client: OpenAI, path: str, order: str, direction: str, limit: int) -> list[Items]:
    """The pages of a list: forwards from its beginning, or backwards from its last object."""
    pages: list[Items] = []
    cursor = ""
    if direction == "before":
        backwards = "asc" if order == "desc" else "desc"
        (last,) = send(client, "GET", f"{path}?limit=1&order={backwards}")["data"]
        pages, cursor = [[last]], f"&before={last['id']}"
    while True:
        page = send(client, "GET", f"{path}?limit={limit}&order={order}{cursor}")
        assert len(page["data"]) == limit or not page["has_more"]
        pages.append(page["data"])
        if not page["has_more"]:
            return pages
        cursor = f"&{direction}={page['last_id' if direction == 'after' else 'first_id']}"


def walked(client: OpenAI, path: str, order: str, direction: str, limit: int) -> Items:
    """All objects of a list, oldest first."""
    pages = walk(client, path, order, direction, limit)
    in_order = pages if direction == "after" else pages[::-1]
    items = [item for page in in_order for item in page]
    return items if order == "asc" else items[::-1]


def concurrently(make: Callable[[int], Any], count: int) -> Items:
    with ThreadPoolExecutor(16) as pool:
        return [made.to_dict() for made in pool.map(make, range(count))]


class TestManyMessages:
    """A thread of 250 messages, all created in one moment except the last 50."""

    @pytest.fixture(scope="class")
    @classmethod
    def path(cls, client: OpenAI) -> str:
        said = [str(number) for number in range(MANY)]
        thread = client.beta.threads.create(messages=[{"role": "user", "content": text} for text in said[:200]])
        for text in said[200:]:
            client.beta.threads.messages.create(thread.id, role="user", content=text)
        return f"/threads/{thread.id}/messages"

    @both_orders
    @both_directions
    @page_sizes
    def test_each_is_met_once_and_in_order(self, client: OpenAI, path: str, order: str, direction: str, limit: int):
        messages = walked(client, path, order, direction, limit)
        assert [message["content"][0]["text"]["value"] for message in messages] == [str(n) for n in range(MANY)]

    def test_the_sdk_pages_by_itself(self, client: OpenAI, path: str):
        said = [text_of(message) for message in client.beta.threads.messages.list(path.split("/")[2], limit=100)]
        assert said == [str(number) for number in reversed(range(MANY))]

    def test_two_cursors_frame_a_page(self, client: OpenAI, path: str):
        ids = [message["id"] for message in walked(client, path, "asc", "after", 100)]
        page = send(client, "GET", f"{path}?order=asc&after={ids[10]}&before={ids[14]}")
        assert ([message["id"] for message in page["data"]], page["has_more"]) == (ids[11:14], False)
        page = send(client, "GET", f"{path}?order=desc&after={ids[14]}&before={ids[10]}&limit=2")
        assert ([message["id"] for message in page["data"]], page["has_more"]) == ([ids[13], ids[12]], True)

    def test_twenty_of_the_newest_are_the_default(self, client: OpenAI, path: str):
        page = send(client, "GET", path)
        said = [message["content"][0]["text"]["value"] for message in page["data"]]
        assert (said, page["has_more"]) == ([str(number) for number in range(249, 229, -1)], True)

    @both_orders
    @both_directions
    def test_beyond_the_last_one_is_an_empty_page(self, client: OpenAI, path: str, order: str, direction: str):
        oldest, *_, newest = walked(client, path, "asc", "after", 100)
        outermost = newest if (order == "asc") == (direction == "after") else oldest
        page = send(client, "GET", f"{path}?order={order}&{direction}={outermost['id']}")
        assert page == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}

    def test_a_cursor_that_is_no_message_of_the_thread_is_not_found(self, client: OpenAI, path: str):
        with refused(404, "No message found with id 'msg_unknown'."):
            send(client, "GET", f"{path}?after=msg_unknown")


class TestManyDocuments:
    """250 assistants and 250 threads, created at the same time, in a project that has no other objects."""

    @pytest.fixture(scope="class")
    @classmethod
    def made(cls, carol: OpenAI) -> dict[str, Items]:
        """The objects by the path of their list, in the order that all directions have to return."""
        made = {
            "/assistants": concurrently(lambda n: carol.beta.assistants.create(model="m", name=str(n)), MANY),
            "/threads": concurrently(lambda n: carol.beta.threads.create(metadata={"n": str(n)}), MANY),
        }
        order = {path: _ids(walked(carol, path, "asc", "after", 100)) for path in made}
        return {path: sorted(items, key=lambda item: order[path].index(_id(item))) for path, items in made.items()}

    @pytest.mark.parametrize("path", ["/assistants", "/threads"])
    @both_orders
    @both_directions
    def test_each_is_met_once_and_in_order(
        self, carol: OpenAI, made: dict[str, Items], path: str, order: str, direction: str
    ):
        listed = walked(carol, path, order, direction, 100)
        assert listed == made[path]
        times = [each["created_at"] for each in listed]
        assert times == sorted(times)

    def test_objects_are_listed_in_the_order_of_their_creation(self, carol: OpenAI, made: dict[str, Items]):
        later = [carol.beta.assistants.create(model="m").id for _ in range(5)]
        assert [each.id for each in carol.beta.assistants.list(limit=5, order="desc").data] == later[::-1]
        for assistant_id in later:
            carol.beta.assistants.delete(assistant_id)

    def test_a_deleted_object_still_is_a_cursor(self, carol: OpenAI, made: dict[str, Items]):
        cursor = carol.beta.assistants.create(model="m").id
        carol.beta.assistants.delete(cursor)
        newest = carol.beta.assistants.list(limit=1).data[0]
        assert carol.beta.assistants.list(limit=1, after=cursor).data == [newest]


class TestSegments:
    """Threads whose messages are in many segments of their log."""

    @pytest.fixture(scope="class")
    @classmethod
    def path(cls, alice: OpenAI) -> str:
        """15 messages and a deleted one; every fifth was changed."""
        thread = alice.beta.threads.create(messages=[{"role": "user", "content": "0"}])
        for number in range(1, 16):
            alice.beta.threads.messages.create(thread.id, role="user", content=str(number))
        messages = list(alice.beta.threads.messages.list(thread.id, order="asc"))
        for message in messages[::5]:
            alice.beta.threads.messages.update(message.id, thread_id=thread.id, metadata={"changed": "yes"})
        alice.beta.threads.messages.delete(messages[7].id, thread_id=thread.id)
        return f"/threads/{thread.id}/messages"

    @both_orders
    @both_directions
    @pytest.mark.parametrize("limit", [1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 100], ids="by {}".format)
    def test_pages_cross_their_borders(self, alice: OpenAI, path: str, order: str, direction: str, limit: int):
        messages = walked(alice, path, order, direction, limit)
        said = [int(message["content"][0]["text"]["value"]) for message in messages]
        assert said == [number for number in range(16) if number != 7]
        assert [n for n, message in zip(said, messages, strict=True) if message["metadata"]] == [0, 5, 10, 15]

    def test_each_message_can_be_retrieved(self, alice: OpenAI, path: str):
        for message in walked(alice, path, "asc", "after", 100):
            assert send(alice, "GET", f"{path}/{message['id']}") == message

    def test_messages_added_at_the_same_time_are_all_kept(self, alice: OpenAI):
        thread = alice.beta.threads.create()
        added = concurrently(lambda n: alice.beta.threads.messages.create(thread.id, role="user", content=str(n)), 40)
        path = f"/threads/{thread.id}/messages"
        listed = walked(alice, path, "asc", "after", 7)
        assert sorted(listed, key=_id) == sorted(added, key=_id)
        assert listed == walked(alice, path, "desc", "before", 7)

    def test_a_deleted_message_still_is_a_cursor(self, alice: OpenAI):
        thread = alice.beta.threads.create(messages=[{"role": "user", "content": text} for text in "abc"])
        _, cursor, last = alice.beta.threads.messages.list(thread.id, order="asc")
        alice.beta.threads.messages.delete(cursor.id, thread_id=thread.id)
        assert alice.beta.threads.messages.list(thread.id, order="asc", after=cursor.id).data == [last]

    def test_runs_read_and_write_across_them(self, alice: OpenAI, model: Model, topic: str):
        assistant = alice.beta.assistants.create(model="gpt-4o", tools=[function("get_time")])
        thread = alice.beta.threads.create()
        said: list[str] = []
        for number in range(SEGMENT):
            more = [{"role": "user", "content": f"{topic}, more"}]
            run = ask(alice, assistant.id, f"{topic} {number}", thread.id, additional_messages=more)
            said += [f"{topic} {number}", f"{topic}, more", f"You said: {topic}, more"]
            assert (run.status, texts(alice, thread.id)) == ("completed", said)
        run = submit(alice, ask(alice, assistant.id, "get_time", thread.id), "noon")
        said += ["get_time", "get_time: noon"]
        assert texts(alice, thread.id) == said
        assert [message["content"] for message in model.requests(topic)[-2]["messages"]] == said[:-1]


def test_runs_and_steps_are_paged_too(client: OpenAI, assistant: Assistant, model: Model, topic: str):
    caller = client.beta.assistants.create(model="gpt-4o", tools=[function("get_time")])
    model.script(*[{"match": topic, "text": "Hm.", "tool_calls": [{"name": "get_time"}]}] * 2)
    run = ask(client, caller.id, topic)
    runs, thread = [run.id], run.thread_id
    while run.status == "requires_action":
        run = submit(client, run, "noon")
    runs += [ask(client, assistant.id, "Again", thread).id for _ in range(3)]
    steps = [step["type"] for step in send(client, "GET", f"/threads/{thread}/runs/{run.id}/steps?order=asc")["data"]]
    assert steps == ["message_creation", "tool_calls"] * 2 + ["message_creation"]
    for order in ("asc", "desc"):
        for direction in ("after", "before"):
            listed = walked(client, f"/threads/{thread}/runs", order, direction, 2)
            assert _ids(listed) == runs
            listed = walked(client, f"/threads/{thread}/runs/{run.id}/steps", order, direction, 2)
            assert [step["type"] for step in listed] == steps


def _id(item: dict[str, Any]) -> str:
    return item["id"]


def _ids(items: Sequence[dict[str, Any]]) -> list[str]:
    return [_id(item) for item in items]
