"""The requests of a trial: pure functions to runs, their messages and texts to embed."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from assistants.engine.turn.images import data_url
from assistants.engine.turn.prompt import prompt
from assistants.schema.messages import Message
from assistants.state.runs import RunRecord, Turn
from assistants.tokens import of_text

BUDGET = 1_000
"""The most tokens of an answer, reasoning included."""

WORD = "zebra"
"""A word at the beginning of the long prompt; its end asks for the word."""

COLOUR = "red"
"""The colour of the image."""

OUTPUTS: Mapping[str, tuple[str, str]] = {
    "get_weather": ("It is sunny.", "sunny"),
    "get_temperature": ("It is 24 degrees.", "24"),
}
"""The output of each function, and the word in it that the answer has to repeat."""

SCHEMA: Mapping[str, str] = {"capital": "string", "letters": "integer"}
"""The fields of the requested JSON, and their types."""

_NOTES = 20
_NOTE = "The garden was quiet in the morning, and the gate stayed open until the rain came. " * 12
_IMAGE = (
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAT0lEQVR42u3PQQkAAAgEsItw/dMZxQi+hcEKLNO+FgEBAQEBAQEBAQEBAQEBAQEB"
    "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQGBywLQTQDx3uY1cQAAAABJRU5ErkJggg=="
)
"""A PNG: a square of 64 pixels."""


class Case(NamedTuple):
    """A turn of a run."""

    run: RunRecord
    thread: Sequence[Message]
    images: Mapping[str, str] = {}


class Battery(NamedTuple):
    """The turns, by the feature that each tests, and the texts to embed."""

    text: Case
    calls: Case
    long: Case
    schema: Case
    image: Case
    texts: Sequence[str]

    @property
    def requests(self) -> int:
        """The number of requests if none is refused, including the one with the outputs of the calls."""
        return len(self._cases) + 2

    @property
    def tokens(self) -> int:
        """Estimated tokens of these requests."""
        cases = [*self._cases, self.calls]
        prompts = sum(prompt(case.run, case.thread, case.run.model, 0, case.images).tokens for case in cases)
        return prompts + sum(map(of_text, self.texts))

    @property
    def _cases(self) -> list[Case]:
        return [self.text, self.calls, self.long, self.schema, self.image]


def battery(model: str) -> Battery:
    """All tests of a model, by the name that an assistant has for it."""
    image = data_url(base64.b64decode(_IMAGE))
    assert image
    notes = [f"Note {number}: {_NOTE}" for number in range(1, _NOTES + 1)]
    return Battery(
        # Two successive messages of one role, and parameters with their defaults, as programs send them.
        text=_case(model, "Hello.", "Count from one to ten, in words.", temperature=1.0, top_p=1.0),
        calls=_case(
            model,
            "Get weather and get temperature for Oslo, please: use both functions at once.",
            tools=[_function(name) for name in OUTPUTS],
            parallel_tool_calls=True,
        ),
        long=_case(
            model,
            f"The word to remember is {WORD}.",
            *notes,
            "Which word was to be remembered, at the very beginning? Answer with that word.",
        ),
        schema=_case(
            model,
            "The capital of Norway, and how many letters its name has. Answer in JSON.",
            response_format={"type": "json_schema", "json_schema": _schema()},
        ),
        image=_case(
            model,
            [_text("Which colour has this picture? Answer with one word."), _image("file-trial")],
            images={"file-trial": image},
        ),
        texts=[
            *(f"Text {number} of 12 is short." for number in range(11)),
            f"Text 11 of 12 is as long as a chunk. {_NOTE * 4}"[: 800 * 4],
        ],
    )


def answered(case: Case, turn: Turn) -> Case:
    """The turn after one that made calls, with their outputs."""
    calls = [call.model_copy(update={"output": OUTPUTS.get(call.name, ("Done.", ""))[0]}) for call in turn.calls]
    used = turn.usage.completion_tokens if turn.usage else 0
    changes = {
        "turns": [turn.model_copy(update={"calls": calls, "parked": True})],
        "max_completion_tokens": BUDGET + used,
    }
    return case._replace(run=case.run.model_copy(update=changes))


def _case(model: str, *said: Any, images: Mapping[str, str] | None = None, **parameters: Any) -> Case:
    run = RunRecord.model_validate(
        {
            "id": "run_trial",
            "thread_id": "thread_trial",
            "assistant_id": "asst_trial",
            "model": model,
            "instructions": "Answer as briefly as you can.",
            "max_completion_tokens": BUDGET,
            **dict.fromkeys(("created_at", "expires_at", "touched_at", "entered_at"), 0),
            **parameters,
        }
    )
    thread = [
        Message.model_validate(
            {
                "id": f"msg_{number}",
                "created_at": 0,
                "thread_id": "thread_trial",
                "role": "user",
                "content": [_text(content)] if isinstance(content, str) else content,
            }
        )
        for number, content in enumerate(said)
    ]
    return Case(run, thread, images or {})


def _text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": {"value": value, "annotations": []}}


def _image(file_id: str) -> dict[str, Any]:
    return {"type": "image_file", "image_file": {"file_id": file_id}}


def _function(name: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    description = f"The {name.partition('_')[2]} in a city."
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def _schema() -> dict[str, Any]:
    properties = {name: {"type": each} for name, each in SCHEMA.items()}
    schema = {"type": "object", "properties": properties, "required": list(SCHEMA), "additionalProperties": False}
    return {"name": "capital", "strict": True, "schema": schema}
