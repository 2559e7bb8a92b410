import json

import pytest

from assistants.schema.errors import ApiError
from assistants.schema.messages import Message
from assistants.state.messages import Fold, delete_record, put_record, update_record
from assistants.storage.logs import MAX_RECORD


def message(message_id: str, text: str = "", **fields: object) -> Message:
    content = [{"type": "text", "text": {"value": text, "annotations": []}}]
    return Message.model_validate(
        {"id": message_id, "created_at": 1, "thread_id": "thread_1", "role": "user", "content": content, **fields}
    )


def put(message_id: str, text: str = "", **fields: object) -> bytes:
    return put_record(message(message_id, text, **fields))


def fold(*records: bytes) -> Fold:
    return Fold([b"".join(records)])


def ids(folded: Fold) -> list[str]:
    return [each.id for each in folded.messages()]


def test_messages_come_in_the_order_of_the_log():
    assert ids(fold(put("msg_2"), put("msg_1"), put("msg_3"))) == ["msg_2", "msg_1", "msg_3"]


def test_segments_continue_each_other():
    folded = Fold([put("msg_1") + put("msg_2"), b"", put("msg_3") + delete_record("msg_1")])
    assert ids(folded) == ["msg_2", "msg_3"]


def test_a_message_comes_out_as_it_was_put():
    whole = message(
        "msg_1", "Grüße \n\r\u2028\u2029\x85\x0b\x0c 🦀", metadata={"a": "b"}, run_id="run_1", role="assistant"
    )
    assert fold(put_record(whole)).get("msg_1") == whole


def test_of_two_puts_of_one_id_the_first_wins_and_keeps_its_place():
    folded = fold(put("msg_1", "first"), put("msg_2"), put("msg_1", "second"))
    assert folded.messages() == [message("msg_1", "first"), message("msg_2")]


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
def test_an_update_replaces_the_metadata_of_its_message(records: list[bytes], metadata: dict[str, str]):
    folded = fold(put("msg_1", "text", metadata={"a": "1"}), *records)
    assert folded.messages() == [message("msg_1", "text", metadata=metadata)]


@pytest.mark.parametrize(
    "after",
    [
        pytest.param([], id="nothing"),
        pytest.param([put("msg_1")], id="the same put again"),
        pytest.param([update_record("msg_1", {"a": "1"})], id="an update"),
        pytest.param([delete_record("msg_1")], id="another delete"),
    ],
)
def test_a_delete_is_final_whatever_comes_after_it(after: list[bytes]):
    folded = fold(put("msg_1"), put("msg_2"), delete_record("msg_1"), *after)
    assert ids(folded) == ["msg_2"]
    assert folded.get("msg_1") is None


def test_a_delete_that_overtook_its_put_is_final_too():
    assert ids(fold(delete_record("msg_1"), put("msg_1"))) == []


def test_a_deleted_message_keeps_its_place_as_a_cursor():
    folded = fold(put("msg_1"), put("msg_2"), put("msg_3"), delete_record("msg_2"))
    assert [(each, found is not None) for each, found in folded.raw()] == [
        ("msg_1", True),
        ("msg_2", False),
        ("msg_3", True),
    ]
    assert "msg_2" in folded
    assert "msg_4" not in folded


def test_an_update_of_a_message_that_was_never_put_leaves_no_trace():
    folded = fold(update_record("msg_1", {"a": "1"}))
    assert folded.raw() == []
    assert "msg_1" not in folded


def test_an_empty_log_has_no_messages():
    assert Fold([]).messages() == Fold([b""]).messages() == []


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
