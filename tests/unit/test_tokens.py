"""Tokens are estimated offline, and corrected by the upstream's reports."""

from typing import Any

import pytest

from assistants.engine.turn import tokens
from assistants.schema.runs import Usage
from assistants.state.runs import RunRecord, Turn


def run(*turns: Turn, **fields: Any) -> RunRecord:
    times = {"created_at": 0, "expires_at": 600, "touched_at": 0, "entered_at": 0}
    return RunRecord.model_validate(
        {"id": "run_1", "thread_id": "thread_1", "assistant_id": "asst_1", "model": "m", **times, **fields}
    ).model_copy(update={"turns": list(turns)})


def turn(prompt: int, completion: int, estimate: int | None = None) -> Turn:
    used = Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)
    return Turn(started_at=0, ended_at=1, finish="tool_calls", usage=used, estimate=estimate)


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("abc", 1), ("abcd", 1), ("abcde", 2), ("東京", 2), ("abcd東", 2)]
)
def test_four_characters_of_english_are_a_token_and_one_of_another_script(text: str, count: int) -> None:
    assert tokens.of_text(text) == count


def test_messages_tool_calls_images_and_offered_tools_all_count() -> None:
    bare: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}]}
    image = {"type": "image_url", "image_url": {"url": "https://a.b/c.png", "detail": "low"}}
    picture: dict[str, Any] = {"messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}, image]}]}
    called: dict[str, Any] = {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"id": "call_1"}]}]}
    assert tokens.of_request(picture) == tokens.of_request(bare) + 85
    assert tokens.of_request(called) > 4
    assert tokens.of_request({**bare, "tools": [{"type": "function"}]}) > tokens.of_request(bare)


def test_the_estimate_is_corrected_by_reports_within_limits() -> None:
    assert tokens.correction(run()) == 1
    assert tokens.correction(run(turn(150, 1, estimate=100))) == 1.5
    assert tokens.correction(run(turn(150, 1, estimate=100), turn(50, 1, estimate=100))) == 1
    assert tokens.correction(run(turn(10_000, 1, estimate=1))) == 4
    assert tokens.correction(run(turn(150, 1))) == 1


@pytest.mark.parametrize(
    ("turns", "budgets", "reason"),
    [
        ([], {"max_completion_tokens": 256}, None),
        ([turn(200, 255)], {"max_completion_tokens": 256}, None),
        ([turn(200, 200), turn(300, 56)], {"max_completion_tokens": 256}, "max_completion_tokens"),
        ([turn(256, 1)], {"max_prompt_tokens": 256}, "max_prompt_tokens"),
        ([turn(900, 900)], {}, None),
    ],
)
def test_a_budget_covers_all_turns_together(turns: list[Turn], budgets: dict[str, int], reason: str | None) -> None:
    assert tokens.used_up(run(*turns, **budgets)) == reason
