"""An endpoint whose quirk is named by the requested model, each as users of some endpoint report it.

`html-page` answers with a page; `html-page@2` does, too, and is another model, of which nothing has been learnt. A row
has the answers to the first and the next requests of a run, and the expected result of the run.
"""

import gzip
import itertools
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.service.embedding_quirks import embedded
from tests.support.service.upstream import EVENTS, JSON, Answer, Asked, Upstream

Json = dict[str, Any]
Reply = Callable[[Json, Asked], Answer]
"""Answers a request; `Json` is its body."""

KEY = "sk-operator-0123456789"
"""The operator's key for the endpoint."""

WEATHER, OSLO, ROME = "get_weather", '{"city":"Oslo"}', '{"city":"Rome"}'
SUNNY = "It is sunny."
CASES = Path(__file__).parents[2] / "data" / "endpoints"


@dataclass(frozen=True)
class Quirk:
    """The replies, and the expected result."""

    replies: Sequence[Reply]
    """The replies to a run's first and next requests; the last one is repeated."""
    status: str = "completed"
    text: str | None = SUNNY
    """The last text of the assistant."""
    error: str | None = None
    code: str = "server_error"
    calls: Sequence[tuple[str, str]] = ()
    """The calls that the client receives, by name and arguments."""
    asked: int | None = None
    """The number of requests of the run."""
    again: int | None = None
    """The number of requests of the model's next run, if smaller."""
    run: Json = field(default_factory=dict)
    """Parameters of the run."""
    thread: Sequence[str] = ("Where is it sunny?",)


def _chunk(finish: str | None = None, **delta: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "q", "choices": [choice]}


def _events(*values: Any, end: bytes = b"data: [DONE]\n\n", cut: bool = False) -> Reply:
    return _raw(*(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values), end, cut=cut)


def _raw(*pieces: bytes, media_type: str = EVENTS, status: int = 200, cut: bool = False, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda body, asked: Answer(pieces, status, media_type, named, cut=cut)


def _endless(pieces: Callable[[], Iterable[bytes]], **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda body, asked: Answer(pieces(), media_type=EVENTS, headers=named)


def _json(value: Any, status: int = 200, media_type: str = JSON) -> Reply:
    return _raw(json.dumps(value).encode(), status=status, media_type=media_type)


def _refused(value: Any, status: int = 400) -> Reply:
    return _json(value, status)


def _where(refused: Callable[[Json], object], value: Any, status: int = 400, then: Reply | None = None) -> Reply:
    """A reply that refuses the requests for which `refused` is true."""
    return lambda body, asked: (_refused(value, status) if refused(body) else then or _said(SUNNY))(body, asked)


def _said(text: str) -> Reply:
    return _events(_chunk(role="assistant", content=""), _chunk(content=text), _chunk("stop"))


def _whole(*calls: Json, text: str | None = None) -> Json:
    message = {"role": "assistant", "content": text} | ({"tool_calls": list(calls)} if calls else {})
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": "q", "choices": [choice]}


def _call(arguments: Any, index: int | None = 0, call_id: str = "call_1", name: str | None = WEATHER) -> Json:
    return {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _calling(*calls: Json, finish: str | None = "tool_calls") -> Reply:
    return _events(*(_chunk(tool_calls=[call]) for call in calls), _chunk(finish))


def _case(name: str) -> Reply:
    case = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    if case["status"] != 200:
        return _refused(case["answer"], case["status"])
    return _events(*case["answer"])


def _turns_with(name: str, given: Callable[[Json], object], complaint: Any) -> tuple[Reply, Reply]:
    """A call, and then a refusal of a request without the field that came with the call."""
    return _case(name), _where(lambda body: not given(_assistant(body)), complaint)


def _assistant(body: Json) -> Json:
    return next(message for message in body["messages"] if message["role"] == "assistant" and "tool_calls" in message)


def _roles(body: Json) -> list[str]:
    return [message["role"] for message in body["messages"]]


def _size(body: Json) -> int:
    return sum(len(str(message["content"])) for message in body["messages"])


def _failed(*replies: Reply, error: str, text: str | None = None, **others: Any) -> Quirk:
    return Quirk(replies, "failed", text, error, **others)


def _wrong(what: str) -> str:
    return f"The model's endpoint sent an answer that cannot be understood: {what}"


def _bomb() -> Iterator[bytes]:
    """Two gigabytes in one line."""
    packer = zlib.compressobj(wbits=31)
    yield packer.compress(b"data: ")
    for _ in range(2_000):
        yield packer.compress(b"x" * 1_000_000)
    yield packer.flush()


_BROKEN = "The model's answer broke off: its stream has no end"
_LONG = [f"{number} " + "word " * 400 for number in range(8)]
_SYSTEM = {"instructions": "Be brief."}
_HELLO, _NO_SPACE = _chunk(content=SUNNY), json.dumps(_chunk(content=SUNNY)).encode()
_STREAM = b"data: " + _NO_SPACE + b"\n\ndata: [DONE]\n\n"
_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><p>Please sign in.</p></body></html>"

NO_ANSWER: dict[str, Quirk] = {
    "html-page": _failed(_raw(_PAGE, media_type="text/html"), error=_wrong("Sign in Please sign in."), asked=1),
    "html-page-as-events": _failed(_raw(_PAGE), error=_wrong("Sign in Please sign in.")),
    "plain-text": _failed(_raw(b"no healthy upstream", media_type="text/plain"), error=_wrong("no healthy upstream")),
    "another-object": _failed(_json({"object": "list", "data": []}), error=_wrong('{"object": "list", "data": []}')),
    "not-json": _failed(_raw(b"data: not JSON\n\n"), error=_wrong("not JSON")),
    "empty-body": Quirk([_raw(), _said(SUNNY)], asked=2),
    "done-alone": Quirk([_events(), _said(SUNNY)], asked=2),
    "error-object": _failed(_json({"error": {"message": "No credits."}}), error="No credits.", asked=1),
    "error-as-text-in-html": _failed(_json({"error": "No credits."}, media_type="text/html"), error="No credits."),
    "error-of-detail": _failed(_json({"detail": "No credits."}), error="No credits."),
    "error-event": _failed(_raw(b"event: error\ndata: No credits.\n\n"), error="No credits."),
    "error-event-with-json": _failed(_raw(b'event: error\ndata: {"message": "No credits."}\n\n'), error="No credits."),
    "error-as-text": _failed(_events({"error": "No credits."}), error="No credits."),
    "error-beside-choices": _failed(_events({"error": {"message": "No."}, **_chunk("error")}), error="No."),
    "error-that-passes": Quirk([_events({"error": {"message": "Busy", "code": 503}}), _said(SUNNY)], asked=2),
    "error-in-the-middle": _failed(_case("error-in-the-middle"), error="EngineCore died", text="Par", asked=1),
    "error-line": _failed(_events(_HELLO, end=b'{"error": "Out of memory"}\n'), error="Out of memory", text=SUNNY),
    "no-end": _failed(_events(_chunk(content="The answer is forty-"), end=b""), error=_BROKEN,
        text="The answer is forty-", asked=1),
    "no-end-before-a-word": Quirk([_events(_chunk(role="assistant"), end=b""), _said(SUNNY)], asked=2),
    "no-end-of-arguments": _failed(_events(_chunk(tool_calls=[_call('{"city":"Os')]), end=b""), error=_BROKEN),
    "no-end-of-a-call": _failed(_events(_chunk(tool_calls=[_call(OSLO)]), end=b""), error=_BROKEN),
    "cut-off": _failed(_events(_chunk(content="Well"), end=b"", cut=True), text="Well", error=(
        "The model's answer broke off: peer closed connection without sending complete message body "
        "(incomplete chunked read)")),
    "cut-off-before-a-word": Quirk([_events(_chunk(role="assistant"), end=b"", cut=True), _said(SUNNY)], asked=2),
    "redirect": _failed(_raw(status=302, location="http://127.0.0.1:1/v1/elsewhere"), asked=1, error=(
        "The model's endpoint redirects to http://127.0.0.1:1/v1/elsewhere, which is not followed: its address in the "
        "settings may be wrong.")),
}  # fmt: skip
"""An answer of an unknown form is an error."""

ANSWERS: dict[str, Quirk] = {
    "whole": Quirk([_json(_whole(text=SUNNY))]),
    "whole-as-an-event": Quirk([_events(_whole(text=SUNNY))]),
    "whole-with-calls": Quirk([_json(_whole(_call(OSLO, None, "a"), _call(ROME, None, "b"))), _said(SUNNY)],
        calls=[(WEATHER, OSLO), (WEATHER, ROME)]),
    "whole-with-calls-as-an-event": Quirk([_events(_whole(_call(OSLO, 0, ""))), _said(SUNNY)], calls=[(WEATHER, OSLO)]),
    "content-list": Quirk([_case("content-list")], text="Hello"),
    "crlf": Quirk([_raw(b"data: " + _NO_SPACE + b"\r\n\r\n", b"data: [DONE]\r\n\r\n")]),
    "single-newlines": Quirk([_raw(b"data: " + _NO_SPACE + b"\n", b"data: [DONE]\n")]),
    "no-space": Quirk([_raw(b"data:" + _NO_SPACE + b"\n\n", b"data:[DONE]\n\n")]),
    "no-value": Quirk([_raw(b"data:\n\n", b"data: " + _NO_SPACE + b"\n\ndata\n\n", b"data: [DONE]\n\n")]),
    "names-and-comments": Quirk([_raw(b": hello\n\nevent: chunk\nid: 1\ndata: " + _NO_SPACE + b"\n\n: ping\n\n",
        b"data: [DONE]\n\n")]),
    "no-done": Quirk([_events(_HELLO, _chunk("stop"), end=b"")]),
    "cut-after-the-finish": Quirk([_events(_HELLO, _chunk("stop"), end=b"", cut=True)]),
    "no-finish": Quirk([_events(_HELLO)]),
    "another-media-type": Quirk([_raw(_STREAM, media_type="text/plain")]),
    "compressed": Quirk([_raw(gzip.compress(_STREAM), content_encoding="gzip")]),
}  # fmt: skip
"""Answers in other forms than OpenAI's are accepted."""

_TWO = [(WEATHER, OSLO), (WEATHER, ROME)]
CALLS: dict[str, Quirk] = {
    "arguments-object": Quirk([_case("arguments-object"), _said(SUNNY)], calls=[(WEATHER, '{"city": "Oslo"}')]),
    "arguments-null": Quirk([_calling(_call(None)), _said(SUNNY)], calls=[(WEATHER, "{}")]),
    "arguments-empty": Quirk([_calling(_call("")), _where(lambda body: _assistant(body)["tool_calls"][0]["function"][
        "arguments"] != "{}", {"error": "arguments are no JSON"})], calls=[(WEATHER, "{}")]),
    "calls-without-ids": Quirk([_case("calls-without-ids"), _said(SUNNY)], calls=_TWO),
    "calls-with-one-id": Quirk([_calling(_call(OSLO), _call(ROME)), _said(SUNNY)], calls=_TWO),
    "calls-without-an-index": Quirk([_calling(_call(OSLO, None, "a"), _call(ROME, None, "b")), _said(SUNNY)],
        calls=_TWO),
    "name-repeated": Quirk([_case("name-repeated"), _said(SUNNY)], calls=[(WEATHER, OSLO)]),
    "calls-that-end-with-stop": Quirk([_calling(_call(OSLO), finish="stop"), _said(SUNNY)], calls=[(WEATHER, OSLO)]),
    "calls-glued": _failed(_calling(_call(OSLO + ROME)), error=(
        "The model's tool calls cannot be told apart: one's arguments follow another's.")),
    "call-without-a-name": _failed(_calling(_call(OSLO, name=None)), error=(
        "The model's endpoint sent a tool call without a name.")),
}  # fmt: skip
"""Calls are assembled by their content."""

GIVEN_BACK: dict[str, Quirk] = {
    "reasoning-content": Quirk(_turns_with("reasoning-content", lambda said: said.get("reasoning_content") ==
        "I need the weather.", {"error": {"message": "Missing `reasoning_content` field in the assistant message"}}),
        calls=[(WEATHER, OSLO)]),
    "thought-signature": Quirk(_turns_with("thought-signature", lambda said: said["tool_calls"][0].get("extra_content"),
        [{"error": {"code": 400, "message": "Function call is missing a thought_signature in functionCall parts."}}]),
        calls=[(WEATHER, OSLO)]),
    "reasoning-that-is-refused": Quirk([_case("reasoning-content"), _where(lambda body: "reasoning_content" in
        _assistant(body), {"error": {"message": "property 'reasoning_content' is unsupported"}})],
        calls=[(WEATHER, OSLO)], asked=3, again=2),
}  # fmt: skip
"""Fields that the endpoint requires back are sent back."""

_WORDS: dict[str, Any] = {
    "error-in-a-list": [{"error": {"code": 400, "message": "No.", "status": "INVALID_ARGUMENT"}}],
    "error-in-a-text": {"error": "No."},
    "error-in-detail": {"detail": "No."},
    "error-in-details": {"detail": [{"loc": ["body"], "msg": "No.", "type": "value_error"}]},
    "error-in-message": {"object": "error", "message": "No.", "type": "BadRequestError", "code": 400},
    "error-in-errors": {"errors": [{"message": "No."}]},
}
WORDS: dict[str, Quirk] = {
    **{name: _failed(_refused(body), error="No.", code="invalid_prompt") for name, body in _WORDS.items()},
    "error-in-plain-text": _failed(_raw(b"No.", status=400, media_type="text/plain"), error="No.",
        code="invalid_prompt"),
    "error-in-a-page": _failed(_raw(_PAGE, status=403, media_type="text/html"), error="Sign in Please sign in."),
    "error-without-words": _failed(_raw(status=400), error="The model's endpoint answered with status 400.",
        code="invalid_prompt"),
    "error-with-the-key": _failed(lambda body, asked: _refused({"error": f"Bad key: {asked.headers['authorization']}"},
        401)(body, asked), error="Bad key: Bearer ***"),
    "error-with-the-key-in-a-stream": _failed(_events({"error": {"message": f"Bad key: {KEY}"}}), error="Bad key: ***"),
    "page-with-the-key": _failed(_raw(f"<html>{KEY}</html>".encode()), error=_wrong("***")),
    "error-without-end": _failed(lambda body, asked: Answer(itertools.repeat(b"No. " * 1_000), 400,
        "text/plain"), error=("No. " * 2_000)[:4095] + "…", code="invalid_prompt"),
}  # fmt: skip
"""Error bodies of every format keep their message, without keys."""

PARAMETERS: dict[str, Quirk] = {
    "no-stream-options": Quirk([_where(lambda body: "stream_options" in body, {"detail":
        "stream_options is not supported"}, 422)], asked=2, again=1),
    "no-temperature": Quirk([_where(lambda body: "temperature" in body, {"error": {"message": "Unsupported value.",
        "param": "temperature"}})], run={"temperature": 1.0}, asked=2, again=1),
    "no-temperature-but-one": _failed(_where(lambda body: "temperature" in body, {"error": {"message":
        "Unsupported value: 'temperature' does not support 0.3", "param": "temperature"}}), run={"temperature": 0.3},
        error="Unsupported value: 'temperature' does not support 0.3", code="invalid_prompt", asked=1),
    "no-parallel-calls": Quirk([_where(lambda body: "parallel_tool_calls" in body, {"detail": [{"loc": ["body",
        "parallel_tool_calls"], "msg": "Extra inputs are not permitted"}]}, 422)], run={"parallel_tool_calls": True},
        asked=2, again=1),
    "no-top-p-and-no-stream-options": Quirk([_where(lambda body: body.keys() & {"top_p", "stream_options"}, {"message":
        "Extra inputs: top_p, stream_options"})], run={"top_p": 1.0}, asked=2, again=1),
    "no-max-completion-tokens": Quirk([_where(lambda body: "max_tokens" not in body, {"error":
        "Unrecognized request argument supplied: max_completion_tokens"})], run={"max_completion_tokens": 300}, asked=2,
        again=1),
    "no-stream": Quirk([_where(lambda body: body.get("stream"), {"error": {"message":
        "Unsupported value: 'stream' does not support true with this model.", "param": "stream"}},
        then=_json(_whole(text=SUNNY)))], asked=2, again=1),
    "no-system": Quirk([_where(lambda body: "system" in _roles(body), {"error": {"message":
        "System role not supported"}})], run=_SYSTEM, asked=2, again=1),
    "developer": Quirk([_where(lambda body: "developer" not in _roles(body), {"error": {"message":
        "'messages[0].role' does not support 'system', use 'developer'"}})], run=_SYSTEM, asked=2, again=1),
    "alternating": Quirk([_where(lambda body: _roles(body) != ["system", "user"], {"object": "error", "message":
        "Conversation roles must alternate user/assistant/user/assistant/...", "code": 400})], run=_SYSTEM,
        thread=("One.", "Two.", "Three."), asked=2, again=1),
    "alternating-without-system": Quirk([_where(lambda body: _roles(body) != ["user"], {"message":
        "Conversation roles must alternate user/assistant/user/assistant/..."}, 500, then=None)], run={},
        thread=("One.", "Two."), asked=2, again=1),
}  # fmt: skip
"""A refused parameter is left out, also later, unless the client has set it."""

LENGTHS: dict[str, Quirk] = {
    "too-long-moonshot": Quirk([_where(lambda body: _size(body) > 9_000, {"error": {"message":
        "Invalid request: Your request exceeded model token limit: 8192", "type": "invalid_request_error"}})],
        thread=_LONG, asked=2, again=1),
    "too-long-tgi": Quirk([_where(lambda body: _size(body) > 5_000, {"error":
        "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000", "error_type": "validation"},
        422)], thread=_LONG, asked=3, again=1),
    "too-long-without-a-word": Quirk([_where(lambda body: _size(body) > 9_000, "")], thread=_LONG, asked=2, again=1),
    "too-long-for-a-gateway": Quirk([_where(lambda body: _size(body) > 9_000, "", 413)], thread=_LONG, asked=2,
        again=1),
    "refuses-all": _failed(_refused({"error": "Cannot do that."}), thread=_LONG, error="Cannot do that.",
        code="invalid_prompt", asked=3),
    "refuses-all-in-other-words": _failed(lambda body, asked: _refused({"error":
        f"Cannot take {len(body['messages'])}."})(body, asked), thread=_LONG, error="Cannot take 8.",
        code="invalid_prompt", asked=3),
    "refuses-an-image": _failed(_refused({"error": "Image input is not enabled."}), thread=_LONG,
        error="Image input is not enabled.", code="invalid_prompt", asked=1),
    "too-long-but-not-to-be-cut": _failed(_refused({"error": "prompt is too long"}), thread=_LONG, run={
        "truncation_strategy": {"type": "last_messages", "last_messages": 5}}, error="prompt is too long",
        code="invalid_prompt", asked=1),
}  # fmt: skip
"""A prompt that is too long is shortened, whatever the refusal's words."""

HARM: dict[str, Quirk] = {
    "large-event": Quirk([_events(_chunk(content="x" * 10_000_000))], "incomplete", None),
    "endless-line": Quirk([_endless(lambda: itertools.repeat(b"x" * 65_536))], "incomplete", None),
    "endless-object": Quirk([_endless(lambda: itertools.chain([b"{"], itertools.repeat(b" " * 65_536)))], "incomplete",
        None),
    "bomb": Quirk([_endless(_bomb, content_encoding="gzip")], "incomplete", None),
    "bomb-of-an-error": _failed(lambda body, asked: Answer(_bomb(), 400, "text/plain", {"content-encoding": "gzip"}),
        error="data: " + "x" * 4_089 + "…", code="invalid_prompt"),
    "many-calls-at-once": _failed(_events(_chunk(tool_calls=[_call("{}", number, f"c{number}") for number in
        range(9_000)])), error="The run made more than 128 tool calls, which is the limit."),
    "negative-usage": Quirk([_events(_HELLO, _chunk("stop"), {"choices": [], "usage": {"prompt_tokens": -5,
        "completion_tokens": "7", "total_tokens": None}})]),
    "huge-usage": Quirk([_events(_HELLO, _chunk("stop"), {"choices": [], "usage": {"prompt_tokens": 10**30,
        "completion_tokens": 1, "total_tokens": 10**30}})]),
}  # fmt: skip
"""Endpoints cannot harm or mislead the service."""

QUIRKS: dict[str, Quirk] = {
    **NO_ANSWER, **ANSWERS, **CALLS, **GIVEN_BACK, **WORDS, **PARAMETERS, **LENGTHS, **HARM,
}  # fmt: skip


PLAIN = _said(SUNNY)
"""The answer of an endpoint without a quirk."""


class Quirks(Upstream):
    """The endpoint. `turns` counts the requests of each model since it was set to zero."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: Counter[str] = Counter()

    def choose(self, asked: Asked) -> Answer:
        body = json.loads(asked.body)
        if asked.path.endswith("/embeddings"):
            return embedded(body, asked)
        replies = QUIRKS[body["model"].partition("@")[0]].replies
        turn = self.turns[body["model"]]
        self.turns[body["model"]] += 1
        outputs = sum(message["role"] == "assistant" and "tool_calls" in message for message in body["messages"])
        return replies[min(max(turn if len(replies) > 1 and not outputs else 0, outputs), len(replies) - 1)](
            body, asked
        )
