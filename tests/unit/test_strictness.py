"""The tests' own client detects answers that do not fit the SDK's types."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from tests.support.sdk.client import strict_object

THREAD: dict[str, Any] = {"id": "thread_1", "object": "thread", "created_at": 1, "metadata": {}, "tool_resources": {}}
CALL: dict[str, Any] = {"id": "call_1", "type": "retrieval", "retrieval": {}}
STEP: dict[str, Any] = {
    "id": "step_1",
    "object": "thread.run.step",
    "created_at": 1,
    "run_id": "run_1",
    "assistant_id": "asst_1",
    "thread_id": "thread_1",
    "type": "tool_calls",
    "status": "in_progress",
    "step_details": {"type": "tool_calls", "tool_calls": [CALL]},
}


def page(*items: Any, **changes: Any) -> dict[str, Any]:
    first, last = (items[0].get("id"), items[-1].get("id")) if items else (None, None)
    return {"object": "list", "data": list(items), "first_id": first, "last_id": last, "has_more": False, **changes}


@pytest.mark.parametrize("answer", [THREAD, STEP, page(), page(THREAD), THREAD | {"newer": 1}])
def test_fields_of_the_sdk_are_accepted(answer: dict[str, Any]):
    strict_object(json.loads(json.dumps(answer)))


@pytest.mark.parametrize(
    "answer",
    [
        {name: value for name, value in THREAD.items() if name != "created_at"},
        THREAD | {"created_at": None},
        THREAD | {"created_at": "1"},
        THREAD | {"created_at": 1.5},
        THREAD | {"object": "threads"},
        STEP | {"status": "queued"},
        STEP | {"step_details": {"type": "tool_calls", "tool_calls": [CALL | {"type": "browser"}]}},
        page(THREAD | {"metadata": {"a": 1}}),
        page(THREAD, first_id="thread_2"),
        page(THREAD, last_id=None),
        page(has_more=None),
        page(next_page=None),
    ],
)
def test_deviations_from_the_sdk_are_detected(answer: dict[str, Any]):
    with pytest.raises((AssertionError, KeyError, ValidationError)):
        strict_object(answer)
