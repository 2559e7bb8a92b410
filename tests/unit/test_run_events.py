"""The events of a run when updates arrive in pieces, late, twice, or from another process."""

from typing import Any

import pytest
from openai.lib.streaming._assistants import accumulate_event
from openai.types.beta import assistant_stream_event as events
from openai.types.beta.threads import Message

from assistants.engine import machine
from assistants.engine.events import RunEvents
from assistants.engine.machine import Ending, Event
from assistants.engine.turn.completion import Completion, PartialCall
from assistants.schema.base import Object
from assistants.schema.runs import LastError
from assistants.state.runs import Finish, Found, ImageOutput, LogOutput, Ran, RunRecord, ToolCall, Turn
from assistants.state.turns import message
from tests.support.sdk.events import CALLS_BEGIN, MESSAGE_BEGINS, MESSAGE_ENDS

NOW = 1000.0
ERROR = LastError(code="server_error", message="Broke.")
WEATHER = ToolCall(id="call_w", name="get_weather", arguments='{"city":"Oslo"}')
TIME = ToolCall(id="call_t", name="get_time", arguments="")
LOOK_UP = ToolCall(id="call_r", type="retrieval", name="retrieval", arguments="{}")


class Emitted:
    """The events of a run, and those since the last call."""

    def __init__(self, run: RunRecord, content: bool = False) -> None:
        self._events: list[tuple[str, Any]] = []
        self.events = RunEvents(self._emit, content)
        self.events.created(run)
        self.names()

    def received(self, run: RunRecord, *texts: str, calls: tuple[PartialCall, ...] = ()) -> list[str]:
        """The names of the events after these parts of the model's answer."""
        said = Completion(texts=list(texts))
        said.calls.extend(calls)
        self.events.received(run, said, NOW)
        return self.names()

    def updated(self, run: RunRecord) -> list[str]:
        self.events.updated(run)
        return self.names()

    def when_received(self, run: RunRecord, *texts: str) -> list[tuple[str, Any]]:
        """The events after these parts of the model's answer."""
        self.received(run, *texts)
        return self._last

    def when_updated(self, run: RunRecord) -> list[tuple[str, Any]]:
        """The events after an update of the run."""
        self.updated(run)
        return self._last

    def names(self) -> list[str]:
        self._last, self._events = self._events, []
        return [name for name, _ in self._last]

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The tool calls in the last deltas."""
        deltas = [data["delta"] for name, data in self._last if name.endswith("step.delta")]
        return [call for delta in deltas for call in delta["step_details"]["tool_calls"]]

    @property
    def content(self) -> list[dict[str, Any]]:
        """The content parts in the last deltas."""
        return [data["delta"]["content"][0] for name, data in self._last if name == "thread.message.delta"]

    @property
    def text(self) -> str:
        """The text in the last deltas."""
        return "".join(part["text"]["value"] for part in self.content)

    def _emit(self, name: str, data: Object | dict[str, Any]) -> None:
        self._events.append((name, data))


def begun() -> RunRecord:
    """A run that is being driven."""
    run = RunRecord(
        id="run_1", thread_id="thread_1", assistant_id="asst_1", model="demo", created_at=NOW, entered_at=NOW,
        touched_at=NOW, expires_at=NOW + 600,
    )  # fmt: skip
    return machine.created_claimed(run, "token", NOW, 30, [0])


def recorded(run: RunRecord, *calls: ToolCall, text: str | None = None, finish: Finish = "stop") -> RunRecord:
    turn = Turn(started_at=NOW, ended_at=NOW, finish=finish, text=text, calls=list(calls))
    return machine.recorded(run, turn, NOW)


def parked(run: RunRecord, stay: bool = False) -> RunRecord:
    waiting = machine.parked(run, NOW, None, stay)
    assert waiting is not None
    return waiting


def ended(run: RunRecord, event: Event) -> RunRecord:
    over = machine.ended(run, Ending(event, error=ERROR if event is Event.FAIL else None), NOW)
    assert over is not None
    return over


def part(index: int, *arguments: str, call_id: str = "call_w", name: str = "get_weather") -> PartialCall:
    return PartialCall(index, call_id, name, list(arguments))


class TestText:
    def test_only_new_text_is_emitted(self):
        run = begun()
        emitted = Emitted(run)
        assert emitted.received(run, "One") == [*MESSAGE_BEGINS, "thread.message.delta"]
        assert emitted.received(run, "One") == []
        assert emitted.received(run, "One", " two", " three") == ["thread.message.delta"]
        assert emitted.text == " two three"

    def test_recorded_text_that_was_never_received_is_emitted_before_the_message_is_completed(self):
        run = begun()
        emitted = Emitted(run)
        emitted.received(run, "One")
        assert emitted.updated(recorded(run, text="One two")) == ["thread.message.delta", *MESSAGE_ENDS]
        assert emitted.text == " two"

    def test_a_message_is_emitted_once_however_often_its_run_is_updated(self):
        run = begun()
        emitted = Emitted(run)
        said = recorded(run, text="One")
        assert emitted.updated(said) == [*MESSAGE_BEGINS, "thread.message.delta", *MESSAGE_ENDS]
        assert emitted.updated(said) == []
        assert emitted.updated(ended(said, Event.COMPLETE)) == ["thread.run.completed"]

    def test_another_text_than_was_received_is_left_to_the_completed_message(self):
        """Another driver has claimed the run and called the model again."""
        run = begun()
        emitted = Emitted(run)
        emitted.received(run, "One")
        assert emitted.updated(recorded(run, text="Two")) == MESSAGE_ENDS

    def test_half_a_character_waits_for_its_other_half(self):
        run = begun()
        emitted = Emitted(run)
        assert emitted.received(run, "\ud83d") == []
        assert emitted.received(run, "\ud83d", "\ude00!") == [*MESSAGE_BEGINS, "thread.message.delta"]
        assert emitted.text == "😀!"


class TestCalls:
    def test_a_call_is_emitted_when_its_name_is_complete(self):
        run = begun()
        emitted = Emitted(run)
        assert emitted.received(run, calls=(part(0, name="get_"),)) == CALLS_BEGIN
        assert emitted.received(run, calls=(part(0, "{"),)) == ["thread.run.step.delta"] * 2
        assert emitted.calls == [
            {
                "index": 0, "id": "call_w", "type": "function",
                "function": {"name": "get_weather", "arguments": "", "output": None},
            },
            {"index": 0, "type": "function", "function": {"arguments": "{"}},
        ]  # fmt: skip

    def test_a_call_without_arguments_is_emitted_when_the_next_one_begins_or_the_turn_ends(self):
        run = begun()
        emitted = Emitted(run)
        first, second = part(0, call_id="call_1", name="get_time"), part(1, call_id="call_t", name="get_time")
        emitted.received(run, calls=(first,))
        emitted.received(run, calls=(first, second))
        assert [call["id"] for call in emitted.calls] == ["call_1"]
        known = TIME.model_copy(update={"id": "call_1"})
        assert emitted.updated(recorded(run, known, TIME, finish="tool_calls")) == ["thread.run.step.delta"]
        assert [(call["index"], call["id"]) for call in emitted.calls] == [(1, "call_t")]

    def test_after_a_text_they_are_emitted_when_the_message_is_completed(self):
        run = begun()
        emitted = Emitted(run)
        emitted.received(run, "Let me see.")
        assert emitted.received(run, "Let me see.", calls=(part(0, '{"city":'),)) == []
        said = recorded(run, WEATHER, text="Let me see.", finish="tool_calls")
        assert emitted.updated(said) == [*MESSAGE_ENDS, *CALLS_BEGIN, *["thread.run.step.delta"] * 2]
        assert emitted.calls[1]["function"]["arguments"] == WEATHER.arguments

    def test_the_rest_of_the_arguments_is_emitted_when_the_turn_is_recorded(self):
        run = begun()
        emitted = Emitted(run)
        emitted.received(run, calls=(part(0, '{"city":'),))
        assert emitted.updated(recorded(run, WEATHER, finish="tool_calls")) == ["thread.run.step.delta"]
        assert emitted.calls == [{"index": 0, "type": "function", "function": {"arguments": '"Oslo"}'}}]

    def test_of_a_server_tool_neither_name_nor_arguments_are_emitted(self):
        run = begun()
        emitted = Emitted(run)
        assert emitted.updated(recorded(run, LOOK_UP, finish="tool_calls")) == [*CALLS_BEGIN, "thread.run.step.delta"]
        assert emitted.calls == [{"index": 0, "id": "call_r", "type": "retrieval", "retrieval": {}}]

    def test_calls_that_were_cut_off_fail_with_their_run(self):
        run = begun()
        emitted = Emitted(run)
        emitted.received(run, calls=(part(0, '{"city":'),))
        cut = recorded(run, WEATHER, finish="failed")
        emitted.updated(cut)
        assert emitted.updated(ended(cut, Event.FAIL)) == ["thread.run.step.failed", "thread.run.failed"]


def searched(content: bool = False) -> tuple[Emitted, RunRecord]:
    """A run with two search results, and its events."""
    run = begun()
    emitted = Emitted(run, content)
    call = ToolCall(id="call_s", type="file_search", name="file_search", arguments="{}", number=2)
    waiting = parked(recorded(run, call, finish="tool_calls"), stay=True)
    emitted.updated(waiting)
    found = [
        Found(file_id=f"file-{place}", file_name="a.txt", score=0.5, start=place * 10, end=place * 10 + 9)
        for place in range(2)
    ]
    answered = machine.answered(waiting, "call_s", "In Paris. In Rome. ", NOW, found)
    assert answered is not None
    return emitted, answered


class TestCitations:
    """The SDK builds the message from the deltas, wherever the model's text is split."""

    TEXT = "😀 In Paris【2:0†a.txt】【9:9†b】, and 【2:1†source】 in Rome【 2\uff1a0 , 2:1†L1-L3】【2:0†a"

    @pytest.mark.parametrize("at", range(len(TEXT) + 1))
    @pytest.mark.parametrize("finish", ["stop", "cancelled"])
    def test_the_deltas_make_the_message(self, at: int, finish: Finish):
        emitted, run = searched()
        emitted.updated(run)
        found = emitted.when_received(run, self.TEXT[:at])
        found += emitted.when_received(run, self.TEXT[:at], self.TEXT[at:])
        said = recorded(run, text=self.TEXT, finish=finish)
        found += emitted.when_updated(said)
        assert accumulated(found) == content_of(said)

    def test_letter_by_letter(self):
        emitted, run = searched()
        emitted.updated(run)
        found = [event for end in range(len(self.TEXT) + 1) for event in emitted.when_received(run, *self.TEXT[:end])]
        said = recorded(run, text=self.TEXT)
        assert accumulated([*found, *emitted.when_updated(said)]) == content_of(said)

    def test_a_mark_is_a_separate_delta_with_its_annotation(self):
        emitted, run = searched()
        emitted.updated(run)
        emitted.received(run, "In Paris", "【2:0†a.t", "xt】.")
        assert emitted.content == [
            {"index": 0, "type": "text", "text": {"value": "In Paris", "annotations": []}},
            {
                "index": 0, "type": "text",
                "text": {
                    "value": "【2:0†a.txt】",
                    "annotations": [
                        {
                            "index": 0, "type": "file_citation", "text": "【2:0†a.txt】",
                            "start_index": 8, "end_index": 19,
                            "file_citation": {"file_id": "file-0", "quote": "In Paris."},
                        }
                    ],
                },
            },
            {"index": 0, "type": "text", "text": {"value": "."}},
        ]  # fmt: skip

    def test_a_mark_that_is_begun_waits_and_with_it_the_calls_after_the_message(self):
        emitted, run = searched()
        emitted.updated(run)
        assert emitted.received(run, "【2") == MESSAGE_BEGINS
        assert emitted.received(run, "【2", calls=(part(0, "{"),)) == []
        said = recorded(run, WEATHER, text="【2", finish="tool_calls")
        assert emitted.updated(said)[:3] == ["thread.message.delta", *MESSAGE_ENDS]

    def test_a_mark_that_is_begun_is_emitted_before_a_refusal(self):
        emitted, run = searched()
        emitted.updated(run)
        emitted.events.received(run, Completion(texts=["【2"], refusals=["No."]), NOW)
        emitted.names()
        assert [part["index"] for part in emitted.content] == [0, 1]

    @pytest.mark.parametrize("content", [False, True])
    def test_the_step_of_a_search_shows_its_results_and_their_texts_if_requested(self, content: bool):
        emitted, run = searched(content)
        (event,) = [data for name, data in emitted.when_updated(run) if name == "thread.run.step.completed"]
        (call,) = event.model_dump()["step_details"]["tool_calls"]
        texts = [{"content": [{"type": "text", "text": text}]} for text in ("In Paris.", "In Rome. ")]
        assert call == {
            "id": "call_s",
            "type": "file_search",
            "file_search": {
                "ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.0},
                "results": [
                    {"file_id": f"file-{place}", "file_name": "a.txt", "score": 0.5} | (texts[place] if content else {})
                    for place in range(2)
                ],
            },
        }


def accumulated(emitted: list[tuple[str, Any]]) -> list[Any]:
    """The content of a message that the SDK builds from its deltas."""
    snapshot: Message | None = None
    for name, data in emitted:
        if name == "thread.message.created":
            event: Any = events.ThreadMessageCreated(event=name, data=Message.model_validate(data.model_dump()))
        elif name == "thread.message.delta":
            event = events.ThreadMessageDelta.model_validate({"event": name, "data": data})
        else:
            continue
        snapshot, _ = accumulate_event(event=event, current_message_snapshot=snapshot)
    assert snapshot is not None
    return without_index(snapshot.model_dump(mode="json", exclude_unset=True)["content"])


def content_of(run: RunRecord) -> list[Any]:
    """The content of a run's last message."""
    said = message(run, len(run.turns) - 1)
    assert said is not None
    return said.model_dump(mode="json")["content"]


def without_index(node: Any) -> Any:
    if isinstance(node, list):
        return [without_index(each) for each in node]
    return {k: without_index(v) for k, v in node.items() if k != "index"} if isinstance(node, dict) else node


class TestRunOfAnotherProcess:
    """A process that follows a run of another one reads some of its states, and emits the events of all."""

    def test_a_run_that_was_driven_elsewhere_all_the_way(self):
        run = begun()
        emitted = Emitted(run)
        said = recorded(run, LOOK_UP, text="Let me see.", finish="tool_calls")
        waiting = parked(said, stay=True)
        answered = machine.answered(waiting, "call_r", "Oslo", NOW)
        assert answered is not None
        assert emitted.updated(ended(recorded(answered, text="In Oslo."), Event.COMPLETE)) == [
            *MESSAGE_BEGINS, "thread.message.delta", *MESSAGE_ENDS,
            *CALLS_BEGIN, "thread.run.step.delta", "thread.run.step.completed",
            *MESSAGE_BEGINS, "thread.message.delta", *MESSAGE_ENDS,
            "thread.run.completed",
        ]  # fmt: skip

    def test_a_run_that_was_cancelled_in_between(self):
        run = begun()
        emitted = Emitted(run)
        emitted.received(run, "One")
        stopping = machine.cancelled(run, NOW)
        assert stopping is not None
        assert emitted.updated(stopping) == ["thread.run.cancelling"]
        cut = recorded(stopping, text="One two", finish="cancelled")
        assert emitted.updated(ended(cut, Event.STOP)) == [
            "thread.message.delta", "thread.message.incomplete", "thread.run.step.cancelled", "thread.run.cancelled",
        ]  # fmt: skip

    def test_events_from_before_the_outputs_are_not_emitted_again(self):
        waiting = parked(recorded(begun(), WEATHER, text="Let me see.", finish="tool_calls"))
        emitted = Emitted(begun())
        emitted.events.resumed(waiting)
        assert emitted.updated(waiting) == []
        resumed = machine.submitted(waiting, {"call_w": "snow"}, NOW)
        assert resumed is not None
        assert emitted.updated(resumed) == ["thread.run.step.completed", "thread.run.queued"]
        claimed = machine.claimed(resumed, "token", NOW, 30, [0])
        assert claimed is not None
        assert emitted.updated(claimed) == ["thread.run.in_progress"]


CODE = ToolCall(id="call_c", type="code_interpreter", name="code_interpreter", arguments='{"code": "1 + 2"}')
RAN = Ran(outputs=[LogOutput(logs="3\n"), ImageOutput(file_id="file-i")], files={"a.csv": "file-a"})


class TestCode:
    def test_a_stream_of_outputs_has_no_delta_of_a_step_that_began_before_it(self):
        """The SDK needs the step's beginning for a delta."""
        waiting = parked(recorded(begun(), WEATHER, CODE, finish="tool_calls"))
        emitted = Emitted(begun())
        emitted.events.resumed(waiting)
        submitted = machine.submitted(waiting, {"call_w": "snow"}, NOW)
        assert submitted is not None
        assert "thread.run.step.delta" not in emitted.updated(submitted)
        answered = machine.answered(submitted, "call_c", "3", NOW, ran=RAN)
        assert answered is not None
        assert emitted.updated(answered)[0] == "thread.run.step.completed"

    def test_the_input_is_streamed_in_pieces_then_each_output_once(self):
        run = begun().model_copy(update={"tools": [{"type": "code_interpreter"}]})
        emitted = Emitted(run)
        told = list[str]()
        for count in range(1, 5):
            written = ['{"co', 'de": "1 ', "+ ", '2"}'][:count]
            emitted.received(run, calls=(part(0, *written, call_id="call_c", name="code_interpreter"),))
            told.extend(call["code_interpreter"]["input"] for call in emitted.calls)
        assert told == ["", "1 ", "+ ", "2"]
        called = parked(recorded(run, CODE, finish="tool_calls"))
        assert emitted.updated(called) == []
        answered = machine.answered(called, "call_c", "3", NOW, ran=RAN)
        assert answered is not None
        assert emitted.updated(answered) == ["thread.run.step.delta"] * 2 + ["thread.run.step.completed"]
        assert [call["code_interpreter"]["outputs"] for call in emitted.calls] == [
            [{"index": 0, "type": "logs", "logs": "3\n"}],
            [{"index": 1, "type": "image", "image": {"file_id": "file-i"}}],
        ]
        assert emitted.updated(answered) == []

    def test_the_next_message_begins_with_the_images_and_a_link_is_not_split(self):
        run = parked(recorded(begun(), CODE.model_copy(update={"output": "3", "ran": RAN}), finish="tool_calls"))
        emitted = Emitted(run)
        emitted.updated(run)
        texts = ["It is ", "sandbox:/mnt/data/a", ".csv", ". "]
        assert [each["index"] for _, each in content(emitted.when_received(run, *texts[:2]))] == [0, 1]
        assert content(emitted.when_received(run, *texts[:3])) == []
        link, rest = (each for _, each in content(emitted.when_received(run, *texts)))
        assert link["text"]["value"] == "sandbox:/mnt/data/a.csv"
        assert link["text"]["annotations"][0]["file_path"] == {"file_id": "file-a"}
        assert rest["text"]["value"] == ". "
        said = message(recorded(run, text="".join(texts)), 1)
        assert said is not None
        assert [each["type"] for each in said.content] == ["image_file", "text"]


def content(emitted: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The content parts in deltas of messages."""
    return [(name, data["delta"]["content"][0]) for name, data in emitted if name == "thread.message.delta"]
