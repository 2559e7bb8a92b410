"""Two requests at once, to two processes over one storage: both are answered as if one had followed the other.

Each race is run for `--rounds` rounds, and further until all possible outcomes have occurred.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

import openai
import pytest
from openai import OpenAI
from openai.types.beta.threads import Run

from assistants.local.azurite import Storage
from tests.support.sdk.client import connect
from tests.support.sdk.conversation import RETRIEVAL, WEATHER, Conversation, call, text_of, unique
from tests.support.service.processes import HttpSide, Model, Service, eventually
from tests.support.storage.stored import left_of, stored_run

A = TypeVar("A")

AT_ONCE = 6
"""Rounds that are played at the same time."""

MOST = 10
"""Factor by which the rounds may be exceeded until every outcome has occurred."""

RETRIEVAL_TAKES = 0.3
LIFETIME = 5.0
PARKED = ("requires_action", "expired")


class Unhurried(Conversation):
    """Polls less often: many polling clients at once would overload the service."""

    pause = 0.2


class Sides(NamedTuple):
    """The SDK at the two processes, in the order of this round."""

    one: OpenAI
    other: OpenAI


Play = Callable[[Sides], str]
"""One round: checks the rules for every ending of the race, and returns its ending."""


@pytest.fixture(scope="module")
def urls(idle: Storage, model: Model) -> Iterator[list[str]]:
    """The URLs of the two processes. One drives the runs that it creates, the other leaves them to the queue."""
    one, other = (
        Service(idle.connection_string, model.url, RETRIEVAL_DELAY=str(RETRIEVAL_TAKES), RUNS_DRIVEN_BY=driver)
        for driver in ("creator", "queue")
    )
    with one, other:
        yield [one.url, other.url]


@pytest.fixture(scope="module")
def clients(urls: Sequence[str]) -> Iterator[list[OpenAI]]:
    with connect(urls[0]) as one, connect(urls[1]) as other:
        yield [one, other]


@pytest.fixture
def race(clients: Sequence[OpenAI], request: pytest.FixtureRequest) -> Callable[..., None]:
    """Plays the rounds of a race until each of these outcomes has occurred; of others only `perhaps` is allowed."""
    rounds = int(str(request.config.getoption("rounds")))

    def played(play: Play, *endings: str, perhaps: Sequence[str] = (), at_once: int = AT_ONCE) -> None:
        def sides() -> Sides:
            return Sides(*random.sample(clients, 2))

        seen: Counter[str] = Counter()
        with ThreadPoolExecutor(at_once) as pool:
            while sum(seen.values()) < rounds or (set(endings) - set(seen) and sum(seen.values()) < rounds * MOST):
                seen.update(pool.map(lambda _: play(sides()), range(min(at_once, rounds))))
        print(f"\n{request.node.name}: {', '.join(f'{number} x {ending}' for ending, number in seen.most_common())}")
        assert set(endings) <= set(seen) <= {*endings, *perhaps}

    return played


def at_once(*acts: Callable[[], A], spread: float = 0.2) -> list[A | openai.APIStatusError]:
    """The results of the functions, or the errors that refused them.

    They are called together, most often within a tenth of `spread` seconds, and at most `spread` seconds apart.
    """
    barrier = threading.Barrier(len(acts))

    def begin(act: Callable[[], A]) -> A | openai.APIStatusError:
        barrier.wait()
        time.sleep(spread * 10 ** random.uniform(-3, 0))
        try:
            return act()
        except openai.APIStatusError as error:
            return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(begin, acts))


def refusal(answer: Any) -> str:
    """The message of a 400, which has no param and no code."""
    assert isinstance(answer, openai.BadRequestError), answer
    error = answer.response.json()["error"]
    assert error == {"message": error["message"], "type": "invalid_request_error", "param": None, "code": None}
    return error["message"]


def ended(conversation: Conversation) -> Run:
    """The run, once it has ended."""
    status = ("completed", "cancelled", "expired", "failed", "incomplete")
    return eventually(lambda: run if (run := conversation.run()).status in status else None, pause=0.2)


def waiting(sides: Sides, question: str, *tools: Any) -> Conversation:
    """A conversation whose run awaits an output for `call_w`."""
    conversation = Unhurried(sides.one, question, WEATHER, *tools)
    conversation.reaches("requires_action")
    return conversation


def submission(client: OpenAI, conversation: Conversation, output: str) -> Callable[[], Run]:
    return lambda: client.beta.threads.runs.submit_tool_outputs(
        conversation.run_id,
        thread_id=conversation.thread_id,
        tool_outputs=[{"tool_call_id": "call_w", "output": output}],
    )


def cancellation(client: OpenAI, conversation: Conversation) -> Callable[[], Run]:
    return lambda: client.beta.threads.runs.cancel(conversation.run_id, thread_id=conversation.thread_id)


def answer_of(conversation: Conversation) -> str | None:
    """The output of the function, as the run's steps show it."""
    return next(each["function"]["output"] for each in conversation.calls() if each["id"] == "call_w")


def asking_weather(model: Model, question: str, *others: dict[str, Any], then: float = 0) -> None:
    """Let the model call the function, and answer `then` seconds after the output."""
    model.script(
        {"match": f"answer to {question}", "text": "It is sunny.", "delay": then},
        {"match": question, "tool_calls": [call("get_weather", "call_w"), *others]},
    )


def goes_on(conversation: Conversation) -> None:
    """Check that the thread accepts another message and another run."""
    assert conversation.ask(unique("Is anybody there?")).status == "queued"


def test_of_two_runs_created_at_once_one_is_refused(race: Callable[..., None], model: Model):
    def play(sides: Sides) -> str:
        question = unique()
        model.script({"match": question, "text": "Here I am.", "delay": 0.5})
        assistant = sides.one.beta.assistants.create(model="demo")
        thread = sides.one.beta.threads.create(messages=[{"role": "user", "content": question}])

        def creation(client: OpenAI) -> Callable[[], Run]:
            return lambda: client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)

        answers = at_once(*map(creation, sides))
        (run,) = (answer for answer in answers if isinstance(answer, Run))
        (refused,) = (answer for answer in answers if not isinstance(answer, Run))
        assert refusal(refused) == f"Thread {thread.id} already has an active run {run.id}."

        sides.one.beta.threads.runs.poll(run.id, thread.id, poll_interval_ms=200)
        assert [(each.id, each.status) for each in sides.other.beta.threads.runs.list(thread.id)] == [
            (run.id, "completed")
        ]
        said = [text_of(message.to_dict()) for message in sides.other.beta.threads.messages.list(thread.id)]
        assert said == ["Here I am.", question]
        assert len(model.requests(question)) == 1
        return "the one" if answers[0] is run else "the other"

    race(play, "the one", "the other")


def test_of_two_submissions_at_once_one_is_refused(race: Callable[..., None], model: Model):
    def play(sides: Sides) -> str:
        question = unique()
        asking_weather(model, question)
        conversation = waiting(sides, question)
        outputs = [f"{weather}, the answer to {question}" for weather in ("sun", "rain")]
        answers = at_once(
            *(submission(side, conversation, output) for side, output in zip(sides, outputs, strict=True))
        )
        (taken,) = (number for number, answer in enumerate(answers) if isinstance(answer, Run))
        assert refusal(answers[1 - taken]) in {
            f'Runs in status "{status}" do not accept tool outputs.'
            for status in ("queued", "in_progress", "completed")
        }
        conversation.reaches("completed")
        assert answer_of(conversation) == outputs[taken]
        assert conversation.said() == ["It is sunny."]
        _, asked = model.requests(question)
        assert asked["messages"][-1]["content"] == outputs[taken]
        return ("the one", "the other")[taken]

    race(play, "the one", "the other")


def test_outputs_submitted_during_a_cancellation_are_kept_or_refused(race: Callable[..., None], model: Model):
    def play(sides: Sides) -> str:
        question = unique()
        asking_weather(model, question, then=1)
        conversation, output = waiting(sides, question), f"the answer to {question}"
        submitted, cancelled = at_once(
            submission(sides.one, conversation, output), cancellation(sides.other, conversation)
        )
        assert isinstance(cancelled, Run)
        assert cancelled.status == "cancelling"
        conversation.reaches("cancelled")
        assert conversation.said() in ([], ["It is sunny."])
        if isinstance(submitted, Run):
            assert answer_of(conversation) == output
            assert conversation.progress()[0] == ("tool_calls", "completed")
        else:
            assert refusal(submitted) in {
                f'Runs in status "{status}" do not accept tool outputs.' for status in ("cancelling", "cancelled")
            }
            assert answer_of(conversation) is None
            assert conversation.progress() == [("tool_calls", "cancelled")]
            assert conversation.said() == []
        goes_on(conversation)
        return "submitted first" if isinstance(submitted, Run) else "cancelled first"

    race(play, "submitted first", "cancelled first")


def test_a_run_that_is_cancelled_as_it_ends_is_the_one_or_the_other(race: Callable[..., None], model: Model):
    def play(sides: Sides) -> str:
        question = unique()
        model.script({"match": question, "text": "It is sunny in Oslo today.", "chunk_delay": 0.05})
        conversation = Unhurried(sides.one, question)
        eventually(lambda: model.requests(question))
        (cancelled,) = at_once(cancellation(sides.other, conversation), spread=1)
        run = ended(conversation)
        said = conversation.messages()[1:]
        assert len(said) <= 1
        assert len(model.requests(question)) == 1
        whole = [text_of(message) for message in said] == ["It is sunny in Oslo today."]
        if isinstance(cancelled, Run):
            assert run.status == "cancelled"
            assert whole or not said or said[0]["status"] == "incomplete"
            assert "It is sunny in Oslo today.".startswith(text_of(said[0]) if said else "")
        else:
            assert refusal(cancelled) == "Cannot cancel run with status 'completed'."
            assert run.status == "completed"
            assert whole
            assert conversation.progress() == [("message_creation", "completed")]
        goes_on(conversation)
        return "cancelled" if isinstance(cancelled, Run) else "completed"

    race(play, "cancelled", "completed")


def test_outputs_submitted_while_the_run_expires_are_kept_or_refused(
    race: Callable[..., None], model: Model, idle: Storage
):
    def play(sides: Sides) -> str:
        question = unique()
        asking_weather(model, question)
        conversation, output = Unhurried(brief, question, WEATHER), f"the answer to {question}"
        if eventually(lambda: run if (run := conversation.run()).status in PARKED else None).status == "expired":
            return "expired unasked"
        conversation.client = sides.other
        expires_at = stored_run(idle, conversation).expires_at
        time.sleep(max(expires_at - time.time() - 0.3, 0))

        def watch() -> Run:
            return eventually(lambda: run if (run := conversation.run()).status != "requires_action" else None)

        submitted, _ = at_once(submission(sides.one, conversation, output), watch, spread=1)
        run = ended(conversation)
        assert run.expires_at == int(expires_at) or run.status == "completed"
        if isinstance(submitted, Run):
            assert run.status in {"completed", "expired"}
            assert answer_of(conversation) == output
        else:
            assert refusal(submitted) == 'Runs in status "expired" do not accept tool outputs.'
            assert run.status == "expired"
            assert answer_of(conversation) is None
            assert conversation.progress() == [("tool_calls", "expired")]
        goes_on(conversation)
        return "submitted first" if isinstance(submitted, Run) else "expired first"

    with HttpSide(idle.connection_string, model.url, RUN_LIFETIME=str(LIFETIME)) as side:
        brief = connect(side.url).with_options(max_retries=5)
        race(play, "submitted first", "expired first", perhaps=["expired unasked"], at_once=6)


def test_tools_of_both_sides_that_finish_together_set_the_run_going_once(
    race: Callable[..., None], model: Model, idle: Storage
):
    def play(sides: Sides) -> str:
        question = unique()
        asking_weather(model, question, call("retrieval", "call_1", q="?"), call("retrieval", "call_2", q="?"))
        conversation, output = waiting(sides, question, RETRIEVAL), f"the answer to {question}"
        parked = stored_run(idle, conversation).touched_at
        time.sleep(max(parked + RETRIEVAL_TAKES - time.time(), 0))
        (submitted,) = at_once(submission(sides.other, conversation, output), spread=3)
        assert isinstance(submitted, Run)
        last = "a tool" if stored_run(idle, conversation).unanswered else "the client"
        conversation.reaches("completed")
        turn = stored_run(idle, conversation).turns[0]
        assert [each.output for each in turn.calls] == [output, "Oslo", "Oslo"]
        assert conversation.said() == ["It is sunny."]
        assert conversation.progress() == [("tool_calls", "completed"), ("message_creation", "completed")]
        assert len(model.requests(question)) == 2
        return f"{last} was last"

    race(play, "a tool was last", "the client was last")


def test_a_message_added_during_a_runs_creation_is_kept_or_refused(race: Callable[..., None], model: Model):
    def play(sides: Sides) -> str:
        question, more = unique(), unique("more")
        model.script({"match": question, "text": "Go on.", "delay": 0.3})
        assistant = sides.one.beta.assistants.create(model="demo")
        thread = sides.one.beta.threads.create(messages=[{"role": "user", "content": question}])
        added, run = at_once(
            lambda: sides.one.beta.threads.messages.create(thread.id, role="user", content=more),
            lambda: sides.other.beta.threads.runs.create(thread.id, assistant_id=assistant.id),
            spread=0.5,
        )
        assert isinstance(run, Run)
        sides.one.beta.threads.runs.poll(run.id, thread.id, poll_interval_ms=200)
        said = [text_of(message.to_dict()) for message in sides.other.beta.threads.messages.list(thread.id)]
        (asked,) = model.requests(question)
        in_prompt = more in [message["content"] for message in asked["messages"]]
        if isinstance(added, openai.APIStatusError):
            assert refusal(added) == f"Can't add messages to {thread.id} while a run {run.id} is active."
            assert not in_prompt
            assert sorted(said) == sorted([question, "Go on."])
            return "refused"
        assert sorted(said) == sorted([question, more, "Go on."])
        if in_prompt:
            return "in the prompt"
        again = sides.one.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
        sides.one.beta.threads.runs.poll(again.id, thread.id, poll_interval_ms=200)
        assert more in [message["content"] for message in model.requests(question)[-1]["messages"]]
        return "kept"

    race(play, "refused", "in the prompt", perhaps=["kept"])


def test_metadata_modified_during_a_run_is_never_lost(race: Callable[..., None], model: Model):
    def play(sides: Sides) -> str:
        question = unique()
        asking_weather(model, question, then=0.2)
        assistant = sides.one.beta.assistants.create(model="demo", tools=[WEATHER])
        thread = sides.one.beta.threads.create(messages=[{"role": "user", "content": question}])
        (message,) = sides.one.beta.threads.messages.list(thread.id).data
        modified, run = at_once(
            lambda: sides.one.beta.threads.update(thread.id, metadata={"number": "0"}),
            lambda: sides.other.beta.threads.runs.create(thread.id, assistant_id=assistant.id),
        )
        assert isinstance(run, Run)
        assert not isinstance(modified, openai.APIStatusError)
        over = threading.Event()

        def modifications(modify: Callable[[dict[str, str]], Any]) -> Callable[[], dict[str, str]]:
            """One after the other until the run is over; the last one."""

            def modifying() -> dict[str, str]:
                number = 0
                while not over.is_set():
                    number += 1
                    modify({"number": str(number)})
                    time.sleep(0.05)
                return {"number": str(number)}

            return modifying

        writers = [
            modifications(lambda metadata: sides.one.beta.threads.update(thread.id, metadata=metadata)),
            modifications(
                lambda metadata: sides.other.beta.threads.runs.update(run.id, thread_id=thread.id, metadata=metadata)
            ),
            modifications(
                lambda metadata: sides.one.beta.threads.messages.update(
                    message.id, thread_id=thread.id, metadata=metadata
                )
            ),
        ]
        polling = sides.other.beta.threads.runs
        with ThreadPoolExecutor(len(writers)) as pool:
            writing = [pool.submit(writer) for writer in writers]
            try:
                assert polling.poll(run.id, thread.id, poll_interval_ms=200).status == "requires_action"
                polling.submit_tool_outputs(
                    run.id,
                    thread_id=thread.id,
                    tool_outputs=[{"tool_call_id": "call_w", "output": f"the answer to {question}"}],
                )
                assert polling.poll(run.id, thread.id, poll_interval_ms=200).status == "completed"
            finally:
                over.set()
        of_thread, of_run, of_message = (each.result() for each in writing)
        assert sides.other.beta.threads.retrieve(thread.id).metadata == of_thread
        assert sides.one.beta.threads.runs.retrieve(run.id, thread_id=thread.id).metadata == of_run
        messages = sides.other.beta.threads.messages
        assert messages.retrieve(message.id, thread_id=thread.id).metadata == of_message
        assert [text_of(each.to_dict()) for each in messages.list(thread.id)] == ["It is sunny.", question]
        return "kept"

    race(play, "kept")


def test_no_blob_of_a_thread_that_is_deleted_during_a_run_comes_back(
    race: Callable[..., None], model: Model, idle: Storage
):
    deleted: list[Conversation] = []
    moments = ["queued", "in_progress", "requires_action", "completed"]

    def play(sides: Sides) -> str:
        question = unique()
        asking_weather(model, question, call("retrieval", "call_r", q="?"), then=0.1)
        conversation = Unhurried(sides.one, question, WEATHER, RETRIEVAL)
        deleted.append(conversation)
        too_early = moments[: random.randrange(len(moments))]

        def proceed() -> None:
            with suppress(openai.NotFoundError):
                conversation.reaches("requires_action")
                conversation.submit({"call_w": f"the answer to {question}"})
                conversation.reaches("completed")

        def delete() -> str:
            status = eventually(lambda: status if (status := conversation.run().status) not in too_early else None)
            sides.other.beta.threads.delete(conversation.thread_id)
            return status

        _, status = at_once(proceed, delete)
        assert_gone(sides, conversation.thread_id)
        return f"deleted when {status}"

    race(play, *(f"deleted when {status}" for status in moments))
    time.sleep(RETRIEVAL_TAKES + 1)
    assert [left_of(idle, conversation.thread_id) for conversation in deleted] == [[]] * len(deleted)


def test_a_run_that_is_created_while_its_thread_is_deleted_is_deleted_too(
    race: Callable[..., None], model: Model, idle: Storage
):
    deleted: list[str] = []

    def play(sides: Sides) -> str:
        assistant = sides.one.beta.assistants.create(model="demo")
        thread = sides.one.beta.threads.create(messages=[{"role": "user", "content": unique()}])
        deleted.append(thread.id)
        created, _ = at_once(
            lambda: sides.one.beta.threads.runs.create(thread.id, assistant_id=assistant.id),
            lambda: sides.other.beta.threads.delete(thread.id),
            spread=0.5,
        )
        assert_gone(sides, thread.id)
        if isinstance(created, Run):
            return "created first"
        assert isinstance(created, openai.NotFoundError)
        assert created.response.json()["error"]["message"] == f"No thread found with id '{thread.id}'."
        return "deleted first"

    race(play, "created first", "deleted first")
    time.sleep(1)
    assert [left_of(idle, thread_id) for thread_id in deleted] == [[]] * len(deleted)


def assert_gone(sides: Sides, thread_id: str) -> None:
    for side in sides:
        with pytest.raises(openai.NotFoundError):
            side.beta.threads.retrieve(thread_id)
