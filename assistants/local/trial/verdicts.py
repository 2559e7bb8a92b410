"""What works, from what came of each request of a trial: pure functions, in words for the operator."""

import json
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, cast

from assistants.local.trial.battery import BUDGET, COLOUR, OUTPUTS, SCHEMA, WORD
from assistants.model.errors import CutOff, Refused, TooMuch, Unreachable, Unreadable
from assistants.state.runs import Turn

_SHOWN = 60
"""Characters of an answer that are told."""


class State(StrEnum):
    """How far something works."""

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
    """What to set, if anything."""


class Names(NamedTuple):
    """The names that the settings have."""

    asked: str
    """The model, as an assistant names it."""
    model: str
    """The endpoint's name of it."""
    embedding: str
    """The endpoint's name of the model of the embeddings."""
    azure: bool
    """The endpoint is Azure OpenAI."""


class Answer(NamedTuple):
    """What came of a turn."""

    turn: Turn
    trouble: Exception | None = None
    """What went wrong at last."""
    pieces: int = 0
    """In which the text came."""
    prompt: int = 0
    """Estimated tokens of the prompt that was sent at last."""
    repeated: Sequence[Exception] = ()
    """What went wrong before the request was sent again."""

    @property
    def text(self) -> str:
        return self.turn.text or ""


class Embedded(NamedTuple):
    """What came of the texts."""

    count: int = 0
    """Texts that have a vector."""
    of: int = 0
    dimensions: int = 0
    trouble: Exception | None = None
    """Why none has one."""


TEXT, STREAM, CALLS, OUTPUT, LONG, JSON, IMAGE, EMBEDDINGS = (
    "text", "stream", "parallel calls", "call outputs", "long prompt", "json_schema", "image", "embeddings",
)  # fmt: skip

TROUBLE_FIRST = "The endpoint gives no text."
"""Why the rest is not tried."""


def untried(name: str, why: str = TROUBLE_FIRST) -> Verdict:
    """The verdict of what was not tried."""
    return Verdict(name, State.UNTRIED, why)


def text(answer: Answer, names: Names) -> Verdict:
    """Whether there is an answer at all."""
    if failed := _failed(TEXT, answer, names):
        return failed
    again = f" It was asked again after: {shown(str(answer.repeated[-1]))}" if answer.repeated else ""
    if answer.turn.calls:
        return Verdict(TEXT, State.FAILS, "It calls a function, though none was offered.", _other(names, "answers"))
    if not answer.text.strip():
        return _empty(TEXT, answer, names)
    if answer.turn.finish not in ("stop", "tool_calls"):
        return Verdict(TEXT, State.PARTLY, f"It answers, but the answer ends early ({answer.turn.finish}).{again}")
    return Verdict(TEXT, State.WORKS, f"It answers: {shown(answer.text, _SHOWN)}{again}")


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
    """Whether it calls two functions at once."""
    if failed := _failed(CALLS, answer, names):
        return failed
    made = answer.turn.calls
    if not made:
        said = f"It calls no function, and answers: {shown(answer.text, _SHOWN)}"
        return Verdict(CALLS, State.FAILS, said, _other(names, "calls functions", "has tools"))
    told = ", ".join(f"{call.name}({shown(call.arguments, _SHOWN)})" for call in made[:3])
    wrong = [call.name for call in made if call.name not in OUTPUTS]
    if wrong:
        return Verdict(CALLS, State.PARTLY, f"It calls functions that do not exist: {shown(', '.join(wrong))}",
            _other(names, "calls functions", "has tools"))  # fmt: skip
    if not all(isinstance(_json(call.arguments), dict) for call in made):
        return Verdict(CALLS, State.PARTLY, f"It calls functions, but the arguments are no JSON object: {told}",
            _other(names, "calls functions", "has tools"))  # fmt: skip
    if len(made) == 1:
        said = f"It calls one function at a time: {told}"
        return Verdict(CALLS, State.PARTLY, said, "Nothing has to be set: the other call comes in the next turn.")
    return Verdict(CALLS, State.WORKS, f"It makes {len(made)} calls at once: {told}")


def output(answer: Answer, called: Turn, names: Names) -> Verdict:
    """Whether it takes the outputs of the calls and goes on from them."""
    if failed := _failed(OUTPUT, answer, names):
        return failed
    back = sorted({name for each in (called, *called.calls) for name in each.extra or ()})
    given = f" Given back with the calls: {', '.join(map(shown, back))}." if back else ""
    if answer.turn.calls:
        return Verdict(OUTPUT, State.PARTLY, f"It takes them, and calls functions again.{given}")
    if not answer.text.strip():
        return _empty(OUTPUT, answer, names)
    words = {OUTPUTS[call.name][1] for call in called.calls if call.name in OUTPUTS}
    if words and not any(word in answer.text.lower() for word in words):
        said = f"It takes them, but its answer does not repeat them: {shown(answer.text, _SHOWN)}{given}"
        return Verdict(OUTPUT, State.PARTLY, said, _other(names, "uses the outputs of functions", "has tools"))
    return Verdict(OUTPUT, State.WORKS, f"It answers with them: {shown(answer.text, _SHOWN)}{given}")


def long(answer: Answer, names: Names) -> Verdict:
    """Whether a prompt of some thousand tokens is taken, and read from its beginning on."""
    if failed := _failed(LONG, answer, names):
        return failed
    size = f"about {answer.prompt:,} tokens"
    if answer.turn.dropped:
        said = f"It refuses the prompt for its length; {size} are taken. {answer.turn.dropped} messages were left out."
        return Verdict(LONG, State.PARTLY, said, f"Nothing has to be set. For longer threads, {_MORE_CONTEXT}")
    if not answer.text.strip():
        return _empty(LONG, answer, names)
    if WORD not in answer.text.lower():
        said = (
            f"It takes {size}, but its answer does not name the word from their beginning: {shown(answer.text, _SHOWN)}"
        )
        return Verdict(LONG, State.PARTLY, said, f"It may cut prompts without saying so: {_MORE_CONTEXT}")
    return Verdict(LONG, State.WORKS, f"It takes {size}, and knows their beginning.")


def schema(answer: Answer, names: Names) -> Verdict:
    """Whether it answers in the JSON that is asked for."""
    if failed := _failed(JSON, answer, names):
        return failed
    if not answer.text.strip():
        return _empty(JSON, answer, names)
    found = _json(answer.text)
    if not isinstance(found, dict):
        said = f"Its answer is no JSON: {shown(answer.text, _SHOWN)}"
        return Verdict(JSON, State.FAILS, said, _other(names, "knows json_schema", "has a response_format"))
    types = {name: _TYPES.get(type(value)) for name, value in cast("dict[str, Any]", found).items()}
    if types != SCHEMA:
        said = f"Its answer is JSON, but not by the schema: {shown(answer.text, _SHOWN)}"
        return Verdict(JSON, State.PARTLY, said, _other(names, "knows json_schema", "has a response_format"))
    return Verdict(JSON, State.WORKS, f"It answers by the schema: {shown(answer.text, _SHOWN)}")


def image(answer: Answer, names: Names) -> Verdict:
    """Whether it sees an image."""
    if failed := _failed(IMAGE, answer, names):
        return failed
    if not answer.text.strip():
        return _empty(IMAGE, answer, names)
    if not re.search(rf"\b{COLOUR}\b", answer.text, re.I):
        said = f"It takes the image, but does not see that it is {COLOUR}: {shown(answer.text, _SHOWN)}"
        return Verdict(IMAGE, State.PARTLY, said, _other(names, "sees images", "is sent images"))
    return Verdict(IMAGE, State.WORKS, f"It sees that the image is {COLOUR}.")


def embeddings(found: Embedded, names: Names, off: bool) -> Verdict:
    """Whether files can be found by meaning."""
    if off:
        return untried(EMBEDDINGS, "EMBEDDING_MODEL is none: files are found by their words alone.")
    if found.trouble is not None:
        return Verdict(EMBEDDINGS, State.FAILS, _words(found.trouble), _embedding_advice(found.trouble, names))
    if not found.count:
        said = f"None of {found.of} texts got a vector: files are found by their words alone."
        return Verdict(EMBEDDINGS, State.FAILS, said, _EMBEDDING_MODEL)
    if found.count < found.of:
        said = f"{found.count} of {found.of} texts got a vector: the others are found by their words."
        return Verdict(EMBEDDINGS, State.PARTLY, said, "If files are not found well, " + _EMBEDDING_MODEL.lower())
    return Verdict(EMBEDDINGS, State.WORKS, f"{found.of} texts got vectors of {found.dimensions} dimensions.")


def shown(text: str, most: int = 300) -> str:
    """A text of the endpoint in one line that does nothing to a terminal."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _failed(name: str, answer: Answer, names: Names) -> Verdict | None:
    if answer.trouble is not None:
        return Verdict(name, State.FAILS, _words(answer.trouble), _advice(answer.trouble, names))
    if answer.turn.error is not None:
        return Verdict(name, State.FAILS, answer.turn.error.message)
    return None


def _empty(name: str, answer: Answer, names: Names) -> Verdict:
    if answer.turn.refusal:
        return Verdict(
            name, State.FAILS, f"It refuses to answer: {shown(answer.turn.refusal)}", _other(names, "answers")
        )
    if answer.turn.finish == "length":
        said = f"The answer was cut off before its first word: it has more than {BUDGET:,} tokens, or is too large."
        return Verdict(
            name, State.FAILS, said, "A model that thinks for long needs more: leave max_completion_tokens out."
        )
    said = f"The answer is empty ({answer.turn.finish})."
    return Verdict(name, State.FAILS, said, _other(names, "answers"))


def _words(trouble: Exception) -> str:
    if isinstance(trouble, TimeoutError):
        return "There was no whole answer in time."
    return shown(str(trouble)) or type(trouble).__name__


def _advice(trouble: Exception, names: Names) -> str:
    """What to set after an error of the endpoint."""
    if isinstance(trouble, TimeoutError):
        return "Give it longer with --seconds. A run waits for MODEL_TIMEOUT seconds for the next word."
    address = "AZURE_OPENAI_ENDPOINT" if names.azure else "OPENAI_BASE_URL"
    key = "AZURE_OPENAI_API_KEY" if names.azure else "OPENAI_API_KEY"
    if isinstance(trouble, Unreachable):
        return f"Start the endpoint, or set {address} to its address; MODEL_TIMEOUT is how long it may be silent."
    if isinstance(trouble, Unreadable):
        return f"Set {address} to the address of the API{_ENDS[names.azure]}."
    if isinstance(trouble, CutOff | TooMuch):
        return "Nothing can be set: the endpoint, or a proxy before it, does not end its answers."
    if not isinstance(trouble, Refused):
        return ""
    status = trouble.status or 0
    if 300 <= status < 400:
        return f"Set {address} to the address that it redirects to."
    if status in (401, 403):
        return f"Set {key} to a key that the endpoint takes{_OR_IDENTITY[names.azure]}."
    if status == 404:
        return f"{_other(names, 'the endpoint has')} Or set {address} to the address of the API{_ENDS[names.azure]}."
    if trouble.transient or trouble.code in ("insufficient_quota", "billing_hard_limit_reached"):
        return "Try again later, or look at the limits and the credit of the account; MODEL_RETRIES is how often it is asked."
    return f"If another model of the endpoint takes it: {_other(names, 'does')}"


def _embedding_advice(trouble: Exception, names: Names) -> str:
    if isinstance(trouble, Refused) and trouble.status not in (401, 403, 429):
        return _EMBEDDING_MODEL
    return _advice(trouble, names)


def _other(names: Names, does: str, whose: str = "") -> str:
    """Which setting names another model."""
    kind = "the deployment of a model" if names.azure else "a model"
    assistants = f" for assistants whose run {whose}" if whose else ""
    return f"Set MODEL_MAP='{names.asked}=NAME' to {kind} that {does}{assistants}."


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


_TYPES: Mapping[type, str] = {str: "string", int: "integer"}

_ENDS = {True: ", https://NAME.openai.azure.com", False: "; most end with /v1"}

_OR_IDENTITY = {True: ", or leave it out and give the identity the role Cognitive Services OpenAI User", False: ""}

_MORE_CONTEXT = "give the model more context where it is served (Ollama: OLLAMA_CONTEXT_LENGTH=32768)."

_EMBEDDING_MODEL = "Set EMBEDDING_MODEL to a model of embeddings that the endpoint has, or to none: words alone then."
