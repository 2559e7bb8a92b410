import itertools
import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

from assistants.schema.errors import ApiError
from assistants.schema.messages import Message
from assistants.state.messages import delete_record, put_record, update_record
from assistants.state.outline import SIZE, Outline
from assistants.state.outlines import Segment
from assistants.state.paging import Cursors, page_of_items
from assistants.state.transcript import Transcript
from assistants.storage.logs import MAX_RECORD
from assistants.storage.slices import Slices
from tests.support.storage.fold import Fold


def message(message_id: str, text: str = "", **fields: object) -> Message:
    content = [{"type": "text", "text": {"value": text, "annotations": []}}]
    return Message.model_validate(
        {"id": message_id, "created_at": 1, "thread_id": "thread_1", "role": "user", "content": content, **fields}
    )


def put(message_id: str, text: str = "", **fields: object) -> bytes:
    return put_record(message(message_id, text, **fields))


async def transcript(*contents: bytes, indexed: bool = False) -> Transcript:
    """The transcript of a log of these segments, all of it in memory; `indexed`: its outlines are made from entries."""
    segments = list[Segment]()
    for content in contents:
        segment = Segment("")
        await segment.take(content, 0, Slices())
        if indexed:
            entries, segment.outline = bytes(segment.outline.entries), Outline()
            await segment.load(0, entries, Slices())
        segments.append(segment)
    nothing: Any = None
    return Transcript(nothing, Slices(), "thread_1", segments)


async def of(*records: bytes) -> Transcript:
    return await transcript(b"".join(records))


async def messages(found: Transcript, cursors: Cursors | None = None, run_id: str | None = None) -> list[Message]:
    data, _ = await found.page(cursors or Cursors(limit=100, order="asc"), LookupError, run_id)
    return data


async def ids(found: Transcript, cursors: Cursors | None = None) -> list[str]:
    return [each.id for each in await messages(found, cursors)]


async def test_messages_have_the_order_of_the_log():
    assert await ids(await of(put("msg_2"), put("msg_1"), put("msg_3"))) == ["msg_2", "msg_1", "msg_3"]


async def test_segments_continue_each_other():
    found = await transcript(put("msg_1") + put("msg_2"), b"", put("msg_3") + delete_record("msg_1"))
    assert await ids(found) == ["msg_2", "msg_3"]


async def test_a_message_is_read_as_it_was_put():
    whole = message(
        "msg_1", "Grüße \n\r\u2028\u2029\x85\x0b\x0c 🦀", metadata={"a": "b"}, run_id="run_1", role="assistant"
    )
    assert await (await of(put_record(whole))).get("msg_1") == whole


async def test_of_two_puts_of_one_id_the_first_wins_and_keeps_its_place():
    found = await of(put("msg_1", "first"), put("msg_2"), put("msg_1", "second"))
    assert await messages(found) == [message("msg_1", "first"), message("msg_2")]


@pytest.mark.parametrize(
    ("records", "metadata"),
    [
        ([update_record("msg_1", {"a": "2"})], {"a": "2"}),
        ([update_record("msg_1", {"b": "2"})], {"b": "2"}),
        ([update_record("msg_1", {"a": "2"}), update_record("msg_1", {})], {}),
        ([update_record("msg_1", {"a": "2"}), put("msg_1", metadata={"a": "3"})], {"a": "2"}),
        ([update_record("msg_2", {"a": "2"})], {"a": "1"}),
    ],
)
async def test_an_update_replaces_the_metadata_of_its_message(records: list[bytes], metadata: dict[str, str]):
    found = await of(put("msg_1", "text", metadata={"a": "1"}), *records)
    assert await messages(found) == [message("msg_1", "text", metadata=metadata)]


@pytest.mark.parametrize(
    "after",
    [
        pytest.param([], id="no records"),
        pytest.param([put("msg_1")], id="the same put again"),
        pytest.param([update_record("msg_1", {"a": "1"})], id="an update"),
        pytest.param([delete_record("msg_1")], id="another delete"),
    ],
)
async def test_a_deletion_is_final_whatever_records_follow(after: list[bytes]):
    found = await of(put("msg_1"), put("msg_2"), delete_record("msg_1"), *after)
    assert await ids(found) == ["msg_2"]
    assert await found.get("msg_1") is None


async def test_a_delete_that_overtook_its_put_is_final_too():
    assert await ids(await of(delete_record("msg_1"), put("msg_1"))) == []


async def test_a_deleted_message_keeps_its_place_as_a_cursor():
    found = await of(put("msg_1"), put("msg_2"), put("msg_3"), delete_record("msg_2"))
    assert await ids(found, Cursors(after="msg_2")) == ["msg_1"]
    assert await ids(found, Cursors(order="asc", after="msg_2")) == ["msg_3"]
    assert "msg_2" in found
    with pytest.raises(LookupError, match="msg_4"):
        await ids(found, Cursors(after="msg_4"))


async def test_an_update_of_a_message_that_was_never_put_leaves_no_trace():
    found = await of(update_record("msg_1", {"a": "1"}))
    assert await ids(found) == []
    assert "msg_1" not in found


@pytest.mark.parametrize("contents", [[], [b""]])
async def test_an_empty_log_has_no_messages(contents: list[bytes]):
    found = await transcript(*contents)
    assert await ids(found) == []
    assert not found.asked


async def test_a_transcript_tells_whether_a_users_message_is_left():
    said = put("msg_2", role="assistant")
    assert (await of(put("msg_1"), said)).asked
    assert not (await of(said)).asked
    assert not (await of(put("msg_1"), said, delete_record("msg_1"))).asked


def some_records(chance: random.Random, number: int) -> list[bytes]:
    """Records of a few messages, some of them repeated, changed or deleted before or after others."""
    made = list[bytes]()
    for _ in range(number):
        message_id, run_id = f"msg_{chance.randrange(number)}", chance.choice((None, "run_1", "run_2"))
        does = chance.choices(("put", "update", "delete"), (7, 2, 1))[0]
        if does == "put":
            made.append(put(message_id, f"of {message_id}", run_id=run_id, role="assistant" if run_id else "user"))
        elif does == "update" and any(json.loads(each).get("put", {}).get("id") == message_id for each in made):
            made.append(update_record(message_id, {"a": str(chance.random())}))
        elif does == "delete":
            made.append(delete_record(message_id))
    return made


async def folded(contents: Sequence[bytes], cursors: Cursors, run_id: str | None) -> tuple[list[Message], bool]:
    """The page of the whole log, parsed and folded."""
    raw = [
        (each, found if found and run_id in (None, found["run_id"]) else None) for each, found in Fold(contents).raw()
    ]
    data, more = await page_of_items(raw, cursors, LookupError)
    return [Message.model_validate(each) for each in data], more


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("seed", range(6))
async def test_every_page_is_that_of_the_whole_log_folded(seed: int, indexed: bool):
    chance = random.Random(seed)
    contents = [b"".join(some_records(chance, 12)) for _ in range(chance.randint(1, 3))]
    cut = [b"".join(lines[: chance.randint(0, len(lines))]) for lines in map(lines_of, contents)]
    found = await transcript(*contents, indexed=indexed)
    for pages, log in ((found, contents), (found.until([len(each) for each in cut]), cut)):
        put_there = [put["id"] for each in log for line in lines_of(each) if (put := json.loads(line).get("put"))]
        for order, run_id, limit in itertools.product(("asc", "desc"), (None, "run_1"), (1, 3, 100)):
            after, before = (chance.choice([None, *put_there]) for _ in range(2))
            cursors = Cursors(limit, order, after, before)
            assert await pages.page(cursors, LookupError, run_id) == await folded(log, cursors, run_id), cursors
        assert [each async for each, _ in pages.newest_first()] == Fold(log).messages()[::-1]
        assert pages.asked is any(each.role == "user" for each in Fold(log).messages())


def lines_of(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


async def test_an_outline_takes_no_record_twice_and_leaves_none_out():
    records = [put("msg_1"), put("msg_2"), delete_record("msg_1")]
    content, segment = b"".join(records), Segment("")
    for start, end in ((0, len(content) - 3), (len(records[0]), len(content)), (0, len(content))):
        await segment.take(content[start:end], start, Slices())
    assert len(segment.outline) == 3
    assert segment.outline.end == len(content)
    await segment.load(1, bytes(segment.outline.entries[SIZE:]), Slices())
    assert len(segment.outline) == 3


def test_a_record_is_one_line_of_json():
    record = put("msg_1", "two\nlines\r\n")
    assert record.count(b"\n") == 1
    assert record.endswith(b"\n")
    assert json.loads(record)["put"]["content"][0]["text"]["value"] == "two\nlines\r\n"


def test_a_record_that_does_not_fit_one_append_is_refused():
    room = MAX_RECORD - len(put("msg_1"))
    assert len(put("msg_1", "x" * room)) == MAX_RECORD
    with pytest.raises(ApiError) as refused:
        put("msg_1", "x" * (room + 1))
    assert refused.value.status == 413
