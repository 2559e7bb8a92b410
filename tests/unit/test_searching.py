"""The limits of a search, its output, and the size of both in a document and a log."""

import json
from typing import Any

import pytest

from assistants.engine.turn.completion import MAX_TEXT
from assistants.schema.runs import MAX_OUTPUT
from assistants.search.hits import Hit
from assistants.state.citations import MAX_CITATIONS, annotations
from assistants.state.messages import put_record
from assistants.state.runs import Found, RunRecord, ToolCall, Turn
from assistants.state.searches import limits, ranking, view
from assistants.state.turns import message
from assistants.tools.file_search import queries
from assistants.tools.searching import NOTHING, answer_of
from assistants.tools.servertool import Answer, ToolFailed


def run(**fields: Any) -> RunRecord:
    return RunRecord.model_validate(
        {
            "id": "run_1", "thread_id": "thread_1", "assistant_id": "asst_1", "model": "gpt-4o",
            "created_at": 0, "expires_at": 600, "touched_at": 0, "entered_at": 0, **fields,
        }
    )  # fmt: skip


def searching(**options: Any) -> dict[str, Any]:
    return {"tools": [{"type": "code_interpreter"}, {"type": "file_search", "file_search": options}]}


def hit(text: str, filename: str = "a.txt") -> Hit:
    return Hit("vs_1", "file-1", filename, 0.5, {}, 0, text)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (20, 16_000)),
        ({"model": "gpt-3.5-turbo"}, (5, 4_000)),
        ({"model": "gpt-35-turbo-16k"}, (5, 4_000)),
        (searching(max_num_results=50), (50, 16_000)),
        (searching(max_num_results=7) | {"model": "gpt-3.5-turbo"}, (7, 4_000)),
        ({"tools": [{"type": "file_search"}]}, (20, 16_000)),
    ],
)
def test_the_limits_of_a_search(fields: dict[str, Any], expected: tuple[int, int]):
    assert limits(run(**fields)) == expected


@pytest.mark.parametrize(
    ("options", "threshold"),
    [
        ({}, 0.0),
        ({"max_num_results": 5}, 0.0),
        ({"ranking_options": {"score_threshold": 0.4}}, 0.4),
        ({"ranking_options": {"ranker": "auto", "score_threshold": 1.0}}, 1.0),
    ],
)
def test_how_it_is_ranked(options: dict[str, Any], threshold: float):
    assert ranking(run(**searching(**options))) == {"ranker": "default_2024_08_21", "score_threshold": threshold}


def test_the_stores_of_assistant_and_thread_are_searched_each_once():
    resources = {"file_search": {"vector_store_ids": ["vs_1"]}}
    assert run(tool_resources=resources, thread_stores=["vs_2"]).stores == ["vs_1", "vs_2"]
    assert run(tool_resources=resources, thread_stores=["vs_1"]).stores == ["vs_1"]
    assert run().stores == []


def test_the_output_has_each_result_behind_its_mark():
    answer = answer_of(3, [hit("One."), hit("Two.", "b.md")])
    assert answer.output.endswith("\n\n【3:0†a.txt】\nOne.\n\n【3:1†b.md】\nTwo.")
    assert answer.found is not None
    assert [answer.output[each.start : each.end] for each in answer.found] == ["One.", "Two."]


def test_a_search_without_results_has_a_sentence_as_its_output():
    assert answer_of(3, []) == Answer(NOTHING, [])


def test_the_output_is_as_long_as_any_output_may_be():
    answer = answer_of(3, [hit("x" * (MAX_OUTPUT // 2))] * 3)
    assert answer.found is not None
    assert len(answer.found) == 1
    assert len(answer.output) <= MAX_OUTPUT
    assert answer_of(3, [hit("x" * MAX_OUTPUT)]) == Answer(NOTHING, [])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [('{"queries": ["a", "b"]}', ["a", "b"]), ('{"queries": "a"}', ["a"]), ('{"queries": []}', [])],
)
def test_queries_are_texts(arguments: str, expected: list[str]):
    assert queries(arguments) == expected


@pytest.mark.parametrize("arguments", ["", "{", "{}", "[]", "1", '{"queries": [1]}', '{"queries": null}', "[" * 9999])
def test_the_error_names_the_arguments(arguments: str):
    with pytest.raises(ToolFailed, match="`queries`, an array of strings"):
        queries(arguments)


def test_the_longest_text_with_the_most_citations_fits_a_record_of_the_log():
    """The characters are those that take the most bytes: controls, escaped in JSON, and those outside the BMP."""
    source = "\U0001f4d8" * 200
    marks = f"【1:0†{source}】" * MAX_CITATIONS
    chunk = "\x01" * 1000
    call = ToolCall(
        id="call_s", type="file_search", name="file_search", arguments="", number=1, output=chunk,
        found=[Found(file_id=f"file-{'x' * 22}", file_name="a.txt", score=0.5, start=0, end=len(chunk))],
    )  # fmt: skip
    for text in (marks, "【1:0†】" * MAX_CITATIONS):
        whole = text + "\x01" * (MAX_TEXT - len(text))
        turns = [
            Turn(started_at=0, ended_at=0, finish="tool_calls", calls=[call]),
            Turn(started_at=0, ended_at=0, finish="stop", text=whole),
        ]
        said = message(run(turns=turns), 1)
        assert said is not None
        assert len(annotations(turns[:1], whole)) == MAX_CITATIONS
        assert json.loads(put_record(said))["put"]["content"][0]["text"]["value"] == whole


def test_an_unanswered_search_shows_no_results():
    call = ToolCall(id="call_s", type="file_search", name="file_search", arguments="{}")
    assert view(run(**searching()), call, content=True) == {}
    failed = call.model_copy(update={"output": "The store has expired."})
    assert view(run(**searching()), failed, content=True).get("results") == []
