"""The order of a stream's events (contract, 7): events in order, and the problems of others."""

from collections.abc import Sequence

import pytest

from assistants.proxy.order import Begin, Order

CREATED = ("run.created", "run.queued", "run.in_progress")
STEP = ("step.created s", "step.in_progress s")
MESSAGE = ("message.created m", "message.in_progress m", "message.delta m", "message.delta m")
ENDED = ("message.completed m", "step.completed s", "run.completed", "done")
CALLS = ("step.created c", "step.in_progress c", "step.delta c", "step.delta c")


def problems(begin: Begin, *events: str) -> list[str]:
    """The problems of events such as `message.delta m`, where m is the object's id."""
    order, found = Order(begin), list[str]()
    for name, _, id_ in (event.partition(" ") for event in events):
        name = name.replace("step.", "run.step.")
        event = name if name in ("done", "error") else f"thread.{name}"
        found += [f"{event} {problem}" for problem in order.take(event, {"id": id_} if id_ else {})]
    return [each.replace("run.step.", "step.").replace("thread.", "") for each in found + order.end()]


@pytest.mark.parametrize(
    ("begin", "events"),
    [
        pytest.param("run", [*CREATED, *STEP, *MESSAGE, *ENDED], id="a text"),
        pytest.param("thread", ["created", *CREATED, *STEP, *MESSAGE, *ENDED], id="a thread and a text"),
        pytest.param("run", [*CREATED, *CALLS, "run.requires_action", "done"], id="functions"),
        pytest.param(
            "run", [*CREATED, *STEP, *MESSAGE, *ENDED[:2], *CALLS, "run.requires_action", "done"],
            id="a text and functions",
        ),
        pytest.param(
            "outputs", ["step.completed c", "run.queued", "run.in_progress", *STEP, *MESSAGE, *ENDED], id="outputs"
        ),
        pytest.param(
            "run", [*CREATED, *CALLS, "step.completed c", *STEP, *MESSAGE, *ENDED], id="a hosted tool and a text"
        ),
        pytest.param(
            "run",
            [*CREATED, *STEP, *MESSAGE, "message.incomplete m", "step.completed s", "run.incomplete", "done"],
            id="incomplete",
        ),
        pytest.param(
            "run",
            [*CREATED, *STEP, *MESSAGE, "step.failed s", "message.incomplete m", "run.failed", "done"],
            id="failed",
        ),
        pytest.param(
            "run",
            [
                *CREATED, *STEP, *MESSAGE, "run.cancelling", "message.incomplete m", "step.cancelled s",
                "run.cancelled", "done",
            ],
            id="cancelled",
        ),
        pytest.param("run", [*CREATED, *CALLS, "step.expired c", "run.expired", "done"], id="expired"),
        pytest.param("run", [*CREATED[:2], "run.failed", "done"], id="failed in the queue"),
        pytest.param("run", [*CREATED, *STEP, "error", "done"], id="an error inside"),
    ],
)  # fmt: skip
def test_the_orders_of_the_contract(begin: Begin, events: Sequence[str]):
    assert problems(begin, *events) == []


@pytest.mark.parametrize(
    ("begin", "events", "found"),
    [
        ("run", [], ["ends without done"]),
        ("run", CREATED, ["ends without done"]),
        ("run", [*CREATED, "done"], ["done comes before the run's end"]),
        ("run", [*CREATED, "run.completed", "done", "done"], ["done comes after done"]),
        ("run", [*CREATED[:2], "run.completed", "done"], ["run.completed comes after run.queued"]),
        ("run", ["run.queued", *CREATED[2:], "run.completed", "done"], ["run.queued comes before run.created"]),
        (
            "run",
            [*CREATED, "run.queued", *CREATED[2:], "run.completed", "done"],
            ["run.queued comes after run.in_progress"],
        ),
        ("run", ["created", *CREATED, "run.completed", "done"], ["created comes unasked"]),
        (
            "thread",
            [*CREATED, "created", "run.completed", "done"],
            ["run.created comes before created", "created comes late"],
        ),
        ("run", [*CREATED, "run.completed", "step.created s", "done"], ["step.created comes after run.completed"] * 2),
        ("run", [*CREATED, "error", "run.failed", "done"], ["run.failed comes after error"]),
        ("run", [*CREATED, *STEP, "run.completed", "done"], ["run.completed comes before a step's end"]),
        (
            "run",
            [*CREATED, *MESSAGE, "run.requires_action", "done"],
            ["run.requires_action comes before a message's end"],
        ),
        ("run", [*CREATED, "step.completed c", "run.completed", "done"], ["step.completed comes before step.created"]),
        (
            "run",
            [*CREATED, *STEP, *STEP, "step.completed s", "run.completed", "done"],
            ["step.created comes after step.in_progress"],
        ),
        (
            "run",
            [*CREATED, *MESSAGE, *MESSAGE[2:], "message.completed m", "message.delta m", "run.completed", "done"],
            ["message.delta comes after message.completed", "run.completed comes before a message's end"],
        ),
        (
            "outputs",
            ["run.created", "run.queued", "run.in_progress", "run.completed", "done"],
            ["run.created comes after run.awaiting"],
        ),
    ],
)
def test_the_problems_of_events_out_of_order(begin: Begin, events: Sequence[str], found: list[str]):
    assert problems(begin, *events) == found
