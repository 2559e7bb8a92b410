"""The trial of an endpoint: its requests, its verdicts on the answers, and its output."""

import base64
import struct
import zlib
from typing import Any

import pytest

from assistants.engine.turn.prompt import prompt
from assistants.local.trial import advice, lessons, table, verdicts
from assistants.local.trial.advice import Names
from assistants.local.trial.battery import OUTPUTS, WORD, answered, battery
from assistants.local.trial.verdicts import Answer, Embedded, State, Verdict
from assistants.model.errors import CutOff, EndpointError, Refused, Unreachable, Unreadable, Words
from assistants.model.learnt import ModelLearnt
from assistants.model.remedies import ADJACENT, CONTENT, ROLE, STRICT, THOUGHTS
from assistants.schema.runs import LastError, Usage
from assistants.settings import Settings
from assistants.state.runs import ToolCall, Turn

NAMES = Names("gpt-4o", "llama3", "nomic-embed-text", azure=False)
AZURE = NAMES._replace(azure=True)
USAGE = Usage(prompt_tokens=900, completion_tokens=40, total_tokens=940)


def turn(text: str | None = None, *calls: ToolCall, finish: str | None = None, **fields: Any) -> Turn:
    ended = finish or ("tool_calls" if calls else "stop")
    given = {"started_at": 0, "ended_at": 1, "finish": ended, "text": text, "calls": list(calls), **fields}
    return Turn.model_validate(given)


def call(name: str = "get_weather", arguments: str = '{"city": "Oslo"}', **fields: Any) -> ToolCall:
    return ToolCall(id=f"call_{name}", name=name, arguments=arguments, **fields)


def refusal(status: int | None, message: str = "No.", code: str | None = None) -> Refused:
    return Refused(Words(message, code), status)


BOTH = (call("get_weather"), call("get_temperature"))


def test_the_battery_knows_its_cost():
    tried = battery("gpt-4o")
    assert tried.requests == 7
    cases = [tried.text, tried.calls, tried.long, tried.schema, tried.image]
    estimates = [prompt(case.run, case.thread, "gpt-4o", 0, case.images).tokens for case in cases]
    assert sum(estimates) < tried.tokens < 10_000
    assert max(estimates) == estimates[2] > 4_096, "more than the context that Ollama gives a model by default"
    assert sorted(estimates)[-2] < 1_000, "all other prompts are tiny"


def test_the_image_is_red():
    part = prompt(*battery("gpt-4o").image[:2], "gpt-4o", 0, battery("gpt-4o").image.images).body["messages"][-1]
    png = base64.b64decode(part["content"][1]["image_url"]["url"].removeprefix("data:image/png;base64,"))
    width, height = struct.unpack(">II", png[16:24])
    rows = zlib.decompress(png[png.index(b"IDAT") + 4 : -16])
    assert (width, height) == (64, 64)
    red, green, blue = (rows[1 + channel :: 3][0] for channel in range(3))
    assert red > 200
    assert max(green, blue) < 50


def test_the_outputs_are_sent_with_the_fields_that_the_endpoint_requires_back():
    called = turn(None, call(extra={"extra_content": "SIG"}), extra={"reasoning_content": "Hm."}, usage=USAGE)
    case = answered(battery("gpt-4o").calls, called)
    body = prompt(case.run, case.thread, "gpt-4o", 0).body
    said, output = body["messages"][-2:]
    assert (said["reasoning_content"], said["tool_calls"][0]["extra_content"]) == ("Hm.", "SIG")
    assert output == {"role": "tool", "tool_call_id": "call_get_weather", "content": OUTPUTS["get_weather"][0]}
    assert body["max_completion_tokens"] == 1_000, "what the calls have used up is not taken from the answer"


@pytest.mark.parametrize(
    ("answer", "state", "said"),
    [
        (Answer(turn("One, two.")), State.WORKS, "It answers: One, two."),
        (Answer(turn("One"), repeated=[CutOff("it is empty")]), State.WORKS,
            "It answers: One It was asked again after: The model's answer broke off: it is empty"),
        (Answer(turn("One", finish="length")), State.PARTLY, "It answers, but the answer ends early (length)."),
        (Answer(turn("")), State.FAILS, "The answer has no text. It is empty (stop)."),
        (Answer(turn(None, refusal="I will not.")), State.FAILS, "The answer has no text. I will not."),
        (Answer(turn(None, finish="length")), State.FAILS,
            "The answer was cut off before its first word: it has more than 1,000 tokens, or is too large."),
        (Answer(turn(None, call())), State.FAILS, "It calls a function, though none was offered."),
        (Answer(turn(None, finish="failed"), refusal(400, "No.\x1b[2J\nNever.")), State.FAILS, "No. [2J Never."),
        (Answer(turn("One", finish="expired"), TimeoutError()), State.FAILS, "There was no whole answer in time."),
    ],
)  # fmt: skip
def test_an_answer_is_a_text(answer: Answer, state: State, said: str):
    assert verdicts.text(answer, NAMES)[1:3] == (state, said)


@pytest.mark.parametrize(("pieces", "state"), [(0, State.PARTLY), (1, State.PARTLY), (2, State.WORKS)])
def test_a_stream_has_pieces(pieces: int, state: State):
    assert verdicts.stream(Answer(turn("One, two."), pieces=pieces)).state is state


@pytest.mark.parametrize(
    ("answer", "state", "said"),
    [
        (turn(None, *BOTH), State.WORKS,
            'It makes 2 calls at once: get_weather({"city": "Oslo"}), get_temperature({"city": "Oslo"})'),
        (turn(None, call()), State.PARTLY, 'It calls one function at a time: get_weather({"city": "Oslo"})'),
        (turn(None, call(), call("get_time")), State.PARTLY, "It calls functions that do not exist: get_weather"),
        (turn(None, call(arguments="Oslo")), State.PARTLY,
            "It calls functions, but with arguments that are no JSON object: get_weather(Oslo)"),
        (turn("It is sunny."), State.FAILS, "It calls no function, and answers: It is sunny."),
        (turn(""), State.FAILS, "The answer has no text. It is empty (stop)."),
        (turn(None, finish="failed", error=LastError(code="server_error", message="128 calls")), State.FAILS,
            "128 calls"),
    ],
)  # fmt: skip
def test_two_functions_are_called_at_once(answer: Turn, state: State, said: str):
    verdict = verdicts.calls(Answer(answer), NAMES)
    assert verdict.state is state
    assert verdict.said.startswith(said)


@pytest.mark.parametrize(
    ("answer", "state", "said"),
    [
        (turn("Sunny, and 24 degrees."), State.WORKS, "It answers with them: Sunny, and 24 degrees."),
        (turn("I cannot know."), State.PARTLY, "It takes them, but its answer does not repeat them: I cannot know."),
        (turn(None, call()), State.PARTLY, "It takes them, and calls functions again."),
        (turn(""), State.FAILS, "The answer has no text. It is empty (stop)."),
    ],
)
def test_the_outputs_of_calls_are_answered(answer: Turn, state: State, said: str):
    assert verdicts.outputs(Answer(answer), turn(None, *BOTH), NAMES)[1:3] == (state, said)
    thinking = turn(None, *BOTH, extra={"reasoning_content": "Hm."})
    given = "" if state is State.FAILS else " Given back with the calls: reasoning_content."
    assert verdicts.outputs(Answer(answer), thinking, NAMES).said == said + given


@pytest.mark.parametrize(
    ("text", "dropped", "state", "said"),
    [
        (f"It is {WORD}.", 0, State.WORKS, "It takes about 5,000 tokens, and knows the word at their beginning."),
        ("I do not know.", 0, State.PARTLY,
            "It takes about 5,000 tokens, but does not know the word at their beginning: I do not know."),
        ("I do not know.", 11, State.PARTLY,
            "It refuses the prompt for its length. Without the oldest 11 messages it answers: about 5,000 tokens."),
    ],
)  # fmt: skip
def test_a_long_prompt_is_read_from_its_beginning_on(text: str, dropped: int, state: State, said: str):
    verdict = verdicts.long(Answer(turn(text, dropped=dropped), prompt=5_000), NAMES)
    assert verdict[1:3] == (state, said)
    assert ("OLLAMA_CONTEXT_LENGTH" in verdict.advice) == (state is State.PARTLY)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ('{"letters": 4, "capital": "Oslo"}', State.WORKS),
        ('{"capital": "Oslo"}', State.PARTLY),
        ('{"capital": "Oslo", "letters": true}', State.PARTLY),
        ('{"capital": "Oslo", "letters": 4, "country": "Norway"}', State.PARTLY),
        ('["Oslo", 4]', State.FAILS),
        ('```json\n{"capital": "Oslo", "letters": 4}\n```', State.FAILS),
        ("", State.FAILS),
    ],
)
def test_json_is_by_its_schema(text: str, state: State):
    assert verdicts.schema(Answer(turn(text)), NAMES).state is state


@pytest.mark.parametrize(
    ("text", "state"),
    [("Red.", State.WORKS), ("It is covered.", State.PARTLY), ("Blue", State.PARTLY), ("", State.FAILS)],
)
def test_the_colour_of_an_image_is_seen(text: str, state: State):
    assert verdicts.image(Answer(turn(text)), NAMES).state is state


@pytest.mark.parametrize(
    ("found", "off", "state", "said"),
    [
        (Embedded(12, 12, 256), False, State.WORKS, "12 texts got vectors of 256 dimensions."),
        (Embedded(11, 12, 256), False, State.PARTLY,
            "11 of 12 texts got a vector: the others are found by their words."),
        (Embedded(0, 12), False, State.FAILS, "None of 12 texts got a vector: files are found by their words alone."),
        (Embedded(0, 12, trouble=refusal(404)), False, State.FAILS, "No."),
        (Embedded(0, 12), True, State.UNTRIED, "EMBEDDING_MODEL is none: files are found by their words alone."),
    ],
)  # fmt: skip
def test_embeddings_are_vectors(found: Embedded, off: bool, state: State, said: str):
    assert verdicts.embeddings(found, NAMES, off)[1:3] == (state, said)


@pytest.mark.parametrize(
    ("trouble", "names", "setting"),
    [
        (Unreachable("Connection error."), NAMES, "OPENAI_BASE_URL"),
        (Unreachable("Connection error."), AZURE, "AZURE_OPENAI_ENDPOINT"),
        (Unreadable("a page"), NAMES, "OPENAI_BASE_URL"),
        (refusal(302), NAMES, "OPENAI_BASE_URL"),
        (refusal(401), NAMES, "OPENAI_API_KEY"),
        (refusal(403), AZURE, "AZURE_OPENAI_API_KEY"),
        (ValueError("no identity"), AZURE, "AZURE_OPENAI_API_KEY"),
        (refusal(404), NAMES, "MODEL_MAP='gpt-4o=NAME'"),
        (refusal(400), NAMES, "MODEL_MAP='gpt-4o=NAME'"),
        (refusal(429), NAMES, "MODEL_RETRIES"),
        (refusal(429, code="insufficient_quota"), NAMES, "the limits of the account"),
        (refusal(503), NAMES, "MODEL_RETRIES"),
        (TimeoutError(), NAMES, "--seconds"),
        (CutOff(), NAMES, "Nothing can be set"),
    ],
)
def test_the_advice_names_the_setting(trouble: Exception, names: Names, setting: str):
    assert setting in advice.after(trouble, names)


@pytest.mark.parametrize(
    ("trouble", "setting"),
    [
        (refusal(404), "EMBEDDING_MODEL"),
        (refusal(400), "EMBEDDING_MODEL"),
        (refusal(501), "EMBEDDING_MODEL"),
        (refusal(401), "OPENAI_API_KEY"),
        (refusal(500), "MODEL_RETRIES"),
        (Unreachable("Connection error."), "OPENAI_BASE_URL"),
    ],
)
def test_the_advice_for_embeddings_names_the_setting(trouble: EndpointError, setting: str):
    assert setting in advice.after_embeddings(trouble, NAMES)


@pytest.mark.parametrize(
    ("name", "instead", "line"),
    [
        ("temperature", None,
            "temperature is left out where it has its default. A run that sets it to another value fails."),
        ("max_completion_tokens", "max_tokens", "max_completion_tokens is sent as max_tokens."),
        ("stream", None, "Answers come whole: streaming is refused."),
        ("dimensions", None, "dimensions is left out: longer vectors are cut to EMBEDDING_DIMENSIONS."),
        (ADJACENT, "merged", "Messages of one role in a row are sent as one."),
        (CONTENT, "", "A message without text is sent with an empty one."),
        (STRICT, None, "strict is left out of functions where it is false."),
        (ROLE, "developer", "Instructions are sent with the role developer, in place of system."),
        (THOUGHTS, "", "reasoning_content is sent empty with earlier answers that have none."),
        (THOUGHTS, None, "reasoning_content of earlier answers is not given back: it is refused."),
    ],
)  # fmt: skip
def test_parameters_that_were_left_out_or_changed_are_printed(name: str, instead: str | None, line: str):
    assert list(lessons.of_chat(ModelLearnt({name: instead}))) == [line]


def test_refused_lengths_are_printed():
    learnt = ModelLearnt()
    assert list(lessons.of_chat(learnt)) == list(lessons.of_embeddings(learnt)) == []
    learnt.refuses(5_000)
    learnt.accepts(3_000)
    learnt.batch_texts, learnt.batch_tokens = 1, 2_000
    (prompts,) = lessons.of_chat(learnt)
    assert prompts.startswith("Longer prompts than about 3,000 tokens are refused")
    texts, tokens, longest = lessons.of_embeddings(learnt)
    assert texts == "Embeddings are asked for one text at a time: more are refused."
    assert tokens == "Embeddings are asked for about 2,000 tokens at a time: more are refused."
    assert longest.startswith("Of a longer text, the first 3,000 tokens or so are embedded")


def test_missing_usage_reports_are_printed():
    assert list(lessons.of_usage(turn("One", usage=USAGE, estimate=900))) == []
    assert list(lessons.of_usage(turn("One", usage=USAGE))) == ["Tokens are estimated: the endpoint reports none."]
    assert list(lessons.of_usage(turn("One", finish="failed"))) == [], "nothing is known of an answer without its end"


def test_a_row_has_its_advice_below_and_keeps_to_the_width():
    verdict = Verdict(
        "json_schema", State.FAILS, "Its answer is no JSON: Oslo, with four letters.", "Name another model."
    )
    assert table.row(verdict, 60).splitlines() == [
        "json_schema     no         Its answer is no JSON: Oslo, with",
        "                           four letters.",
        "                           -> Name another model.",
    ]
    assert max(map(len, table.row(verdict._replace(said="word " * 100), 60).splitlines())) <= 60
    assert "->" not in table.row(verdict._replace(state=State.WORKS), 60)


def test_learnt_properties_are_printed_as_a_list():
    assert table.learnt([], 60) == "Nothing had to be left out or changed."
    assert table.learnt(["One.", "Two."], 60).splitlines()[1:] == ["- One.", "- Two."]


@pytest.mark.parametrize(("state", "code"), [(State.WORKS, 0), (State.PARTLY, 0), (State.FAILS, 1)])
def test_the_exit_code_is_that_of_the_text(state: State, code: int):
    assert table.exit_code([Verdict("text", state, ""), Verdict("embeddings", State.FAILS, "")]) == code


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({"OPENAI_API_KEY": "sk"}, "https://api.openai.com/v1"),
        ({"OPENAI_BASE_URL": "http://me:secret@127.0.0.1:11434/v1?key=hidden#x"}, "http://127.0.0.1:11434/v1"),
        ({"AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com"}, "https://mine.openai.azure.com"),
    ],
)
def test_the_heading_names_the_endpoint_and_no_secret(settings: dict[str, str], address: str):
    heading = table.heading(Settings.model_validate(settings), NAMES, 7, 7_000, 120)
    assert heading.splitlines()[:3] == [
        f"Endpoint:    {address}",
        "Model:       gpt-4o, which is llama3 there",
        "Embeddings:  nomic-embed-text",
    ]
    assert "7 requests with about 7,000 tokens" in heading
