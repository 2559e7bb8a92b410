"""The verdicts on the endpoint's features, by the result of each request: pure functions, in words for the operator."""

import json
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple, cast

from assistants.local.trial.advice import (
    EMBEDDING_MODEL,
    MORE_CONTEXT,
    Names,
    after,
    after_embeddings,
    another_model,
)
from assistants.local.trial.battery import BUDGET, COLOUR, OUTPUTS, SCHEMA, WORD
from assistants.state.runs import Turn

_SHOWN = 60
"""The most characters of an answer that are quoted."""


class State(StrEnum):
    """The state of a feature."""

    WORKS = "yes"
    PARTLY = "partly"
    FAILS = "no"
    UNTRIED = "not tried"


class Verdict(NamedTuple):
    """A row of the table."""

    name: str
    state: State
    said: str
    advice: str = ""
    """The setting to change, if any."""


class Answer(NamedTuple):
    """The result of a turn."""

    turn: Turn
    trouble: Exception | None = None
    """The error of the last try."""
    pieces: int = 0
    """The number of pieces of the text."""
    prompt: int = 0
    """Estimated tokens of the last prompt that was sent."""
    repeated: Sequence[Exception] = ()
    """The errors after which the request was sent again."""

    @property
    def text(self) -> str:
        return self.turn.text or ""

    @property
    def shown(self) -> str:
        """The beginning of the text."""
        return shown(self.text, _SHOWN)


class Embedded(NamedTuple):
    """The result of the embeddings."""

    having: int = 0
    """The number of texts with a vector."""
    texts: int = 0
    dimensions: int = 0
    trouble: Exception | None = None
    """The error if no text has a vector."""


TEXT, STREAM, CALLS, OUTPUTS_BACK, LONG, JSON, IMAGE, EMBEDDINGS = (
    "text", "stream", "parallel calls", "call outputs", "long prompt", "json_schema", "image", "embeddings",
)  # fmt: skip

AFTER_TEXT = (STREAM, CALLS, OUTPUTS_BACK, LONG, JSON, IMAGE)
"""The features that are not tested without a text."""


def untried(name: str, why: str = "The endpoint gives no text.") -> Verdict:
    """The verdict on a feature that was not tested."""
    return Verdict(name, State.UNTRIED, why)


def text(answer: Answer, names: Names) -> Verdict:
    """Whether the endpoint answers at all."""
    other = another_model(names, "answers with text")
    if answer.turn.calls and answer.trouble is None:
        return Verdict(TEXT, State.FAILS, "It calls a function, though none was offered.", other)
    if failed := _failed(TEXT, answer, names):
        return failed
    again = f" It was asked again after: {shown(str(answer.repeated[-1]))}" if answer.repeated else ""
    if answer.turn.finish != "stop":
        return Verdict(TEXT, State.PARTLY, f"It answers, but the answer ends early ({answer.turn.finish}).{again}")
    return Verdict(TEXT, State.WORKS, f"It answers: {answer.shown}{again}")


def stream(answer: Answer) -> Verdict:
    """Whether that answer came in pieces."""
    if answer.pieces > 1:
        return Verdict(STREAM, State.WORKS, f"The answer came in {answer.pieces} pieces.")
    return Verdict(
        STREAM,
        State.PARTLY,
        "The answer came in one piece: clients that stream get it at its end.",
        "Nothing has to be set. A proxy before the endpoint may hold answers back.",
    )


def calls(answer: Answer, names: Names) -> Verdict:
    """Whether the model calls two functions at once."""
    made = answer.turn.calls
    if failed := _failed(CALLS, answer, names, empty=bool(made)):
        return failed
    other = another_model(names, "calls functions", "functions")
    if not made:
        return Verdict(CALLS, State.FAILS, f"It calls no function, and answers: {answer.shown}", other)
    told = ", ".join(f"{shown(call.name)}({shown(call.arguments, _SHOWN)})" for call in made[:3])
    if not all(isinstance(_json(call.arguments), dict) for call in made):
        said = f"It calls functions, but with arguments that are no JSON object: {told}"
        return Verdict(CALLS, State.PARTLY, said, other)
    if not all(call.name in OUTPUTS for call in made):
        return Verdict(CALLS, State.PARTLY, f"It calls functions that do not exist: {told}", other)
    if len(made) == 1:
        said = f"It calls one function at a time: {told}"
        return Verdict(CALLS, State.PARTLY, said, "Nothing has to be set: the other call comes in a turn of its own.")
    return Verdict(CALLS, State.WORKS, f"It makes {len(made)} calls at once: {told}")


def outputs(answer: Answer, called: Turn, names: Names) -> Verdict:
    """Whether it accepts the outputs of the calls and continues from them."""
    if failed := _failed(OUTPUTS_BACK, answer, names, empty=bool(answer.turn.calls)):
        return failed
    back = sorted({name for each in (called, *called.calls) for name in each.extra or ()})
    given = f" Given back with the calls: {', '.join(map(shown, back))}." if back else ""
    if answer.turn.calls:
        return Verdict(OUTPUTS_BACK, State.PARTLY, f"It takes them, and calls functions again.{given}")
    words = {OUTPUTS[call.name][1] for call in called.calls if call.name in OUTPUTS}
    if words and not any(word in answer.text.lower() for word in words):
        said = f"It takes them, but its answer does not repeat them: {answer.shown}{given}"
        other = another_model(names, "reads the outputs of functions", "functions")
        return Verdict(OUTPUTS_BACK, State.PARTLY, said, other)
    return Verdict(OUTPUTS_BACK, State.WORKS, f"It answers with them: {answer.shown}{given}")


def long(answer: Answer, names: Names) -> Verdict:
    """Whether it accepts a prompt of some thousand tokens, and reads its beginning."""
    if failed := _failed(LONG, answer, names):
        return failed
    size = f"about {answer.prompt:,} tokens"
    if answer.turn.dropped:
        left_out = f"the oldest {answer.turn.dropped} messages"
        said = f"It refuses the prompt for its length. Without {left_out} it answers: {size}."
        return Verdict(LONG, State.PARTLY, said, f"Nothing has to be set. For longer threads, {MORE_CONTEXT}")
    if WORD not in answer.text.lower():
        said = f"It takes {size}, but does not know the word at their beginning: {answer.shown}"
        return Verdict(LONG, State.PARTLY, said, f"If it cuts prompts without saying so, {MORE_CONTEXT}")
    return Verdict(LONG, State.WORKS, f"It takes {size}, and knows the word at their beginning.")


def schema(answer: Answer, names: Names) -> Verdict:
    """Whether it answers in the requested JSON."""
    if failed := _failed(JSON, answer, names):
        return failed
    found, other = _json(answer.text), another_model(names, "knows json_schema", "a response_format")
    if not isinstance(found, dict):
        return Verdict(JSON, State.FAILS, f"Its answer is no JSON: {answer.shown}", other)
    types = {name: type(value).__name__ for name, value in cast("dict[str, Any]", found).items()}
    if types != {name: _TYPES[each] for name, each in SCHEMA.items()}:
        return Verdict(JSON, State.PARTLY, f"Its answer is JSON, but not by the schema: {answer.shown}", other)
    return Verdict(JSON, State.WORKS, f"It answers by the schema: {answer.shown}")


def image(answer: Answer, names: Names) -> Verdict:
    """Whether it sees an image."""
    if failed := _failed(IMAGE, answer, names):
        return failed
    if not re.search(rf"\b{COLOUR}\b", answer.text, re.I):
        said = f"It takes the image, but does not see that it is {COLOUR}: {answer.shown}"
        return Verdict(IMAGE, State.PARTLY, said, another_model(names, "sees images", "images"))
    return Verdict(IMAGE, State.WORKS, f"It sees that the image is {COLOUR}.")


def embeddings(found: Embedded, names: Names, off: bool) -> Verdict:
    """Whether files can be searched by meaning.

    Parameters
    ----------
    off
        The settings disable embeddings.
    """
    if off:
        return untried(EMBEDDINGS, "EMBEDDING_MODEL is none: files are found by their words alone.")
    if found.trouble is not None:
        return Verdict(EMBEDDINGS, State.FAILS, _words(found.trouble), after_embeddings(found.trouble, names))
    if not found.having:
        said = f"None of {found.texts} texts got a vector: files are found by their words alone."
        return Verdict(EMBEDDINGS, State.FAILS, said, EMBEDDING_MODEL)
    if found.having < found.texts:
        said = f"{found.having} of {found.texts} texts got a vector: the others are found by their words."
        return Verdict(EMBEDDINGS, State.PARTLY, said, EMBEDDING_MODEL)
    return Verdict(EMBEDDINGS, State.WORKS, f"{found.texts} texts got vectors of {found.dimensions} dimensions.")


def shown(text: str, most: int = 300) -> str:
    """A text of the endpoint in one line, without control characters."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _failed(name: str, answer: Answer, names: Names, empty: bool = False) -> Verdict | None:
    """The verdict on an answer that is an error or, unless it may be `empty`, has no text."""
    if answer.trouble is not None:
        return Verdict(name, State.FAILS, _words(answer.trouble), after(answer.trouble, names))
    if answer.turn.error is not None:
        return Verdict(name, State.FAILS, shown(answer.turn.error.message))
    if empty or answer.text.strip():
        return None
    if answer.turn.finish == "length":
        said = f"The answer was cut off before its first word: it has more than {BUDGET:,} tokens, or is too large."
        return Verdict(
            name, State.FAILS, said, "A model that thinks for long needs runs without max_completion_tokens."
        )
    why = shown(answer.turn.refusal) if answer.turn.refusal else f"It is empty ({answer.turn.finish})."
    return Verdict(name, State.FAILS, f"The answer has no text. {why}", another_model(names, "answers with text"))


def _words(trouble: Exception) -> str:
    if isinstance(trouble, TimeoutError):
        return "There was no whole answer in time."
    return shown(str(trouble)) or type(trouble).__name__


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


_TYPES = {"string": "str", "integer": "int"}
