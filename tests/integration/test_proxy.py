"""The proxy in front of a deviating endpoint: answers pass unchanged, deviations are reported once per kind."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from assistants.settings import settings
from tests.support.sdk.wire import ASSISTANT, RUN, THREAD, Event, changed, framed, hello, page, run, said, searched
from tests.support.service.processes import Proxy, eventually
from tests.support.service.upstream import EVENTS, Answer, Asked, Upstream
from tests.support.service.worker import load_function_app, worker

TIMEOUT = 1
KEY, OTHERS = "alice-0123456789", "bob-0123456789"
UPSTREAMS_KEY = "upstream-0123456789"
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
ERROR = {"error": {"message": "No.", "type": "invalid_request_error", "param": None, "code": None}}

FILE = {
    "id": "file-1", "object": "file", "purpose": "assistants", "filename": "a.txt", "bytes": 1, "created_at": 1,
    "expires_at": None, "status": "processed", "status_details": None,
}  # fmt: skip
PART = {"id": "part_1", "object": "upload.part", "created_at": 1, "upload_id": "upload_1"}
FORM = "multipart/form-data; boundary=x"
FILE_PART, PURPOSE = ("file", b"a"), ("purpose", b"assistants")

BODY = {"assistant_id": "asst_1", "stream": True}

Found = set[tuple[str, str, str]]
"""Part, problem and place of each reported deviation."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="module")
def proxy(upstream: Upstream) -> Iterator[Proxy]:
    """A proxy that passes on its callers' keys."""
    with Proxy(upstream.url, PROXY_TIMEOUT=str(TIMEOUT)) as running:
        yield running


@pytest.fixture(scope="module")
def keyed(upstream: Upstream) -> Iterator[Proxy]:
    """A proxy with callers of two projects, and a key of its own."""
    keys = f"{KEY}=alice,{OTHERS}=bob"
    with Proxy(upstream.url, API_KEYS=keys, PROXY_API_KEY=UPSTREAMS_KEY) as running:
        yield running


def framed_form(*fields: tuple[str, bytes]) -> bytes:
    """A form's body, with the boundary `x`."""
    files = {"file": '; filename="a.txt"', "data": '; filename="a.txt"'}
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"{files.get(name, "")}\r\n\r\n'.encode() + value + b"\r\n"
        for name, value in fields
    ]
    return b"".join(parts) + b"--x--\r\n"


def counts(proxy: Proxy) -> Counter[tuple[str, str, str]]:
    total = Counter[tuple[str, str, str]]()
    for each in proxy.report()["deviations"]:
        total[each["part"], each["problem"], each["place"]] += each["count"]
    return total


def found(proxy: Proxy, act: Callable[[], httpx2.Response]) -> tuple[httpx2.Response, Found]:
    """The answer, and the deviations reported for it."""
    before = counts(proxy)
    answer = act()
    return answer, {kind for kind, count in counts(proxy).items() if count > before[kind]}


def ask(proxy: Proxy, path: str, body: object = None, **options: Any) -> httpx2.Response:
    method = "GET" if body is None else "POST"
    return httpx2.request(method, f"{proxy.url}{path}", json=body, timeout=30, **options)


def answered(payload: object, **others: Any) -> Answer:
    return Answer([json.dumps(payload).encode()], **others)


def streamed(*events: Any, **others: Any) -> Answer:
    return Answer(framed(*events), media_type=EVENTS, **others)


@pytest.mark.parametrize(
    ("path", "answer", "expected"),
    [
        pytest.param("/assistants/asst_1", answered(ASSISTANT), set(), id="no deviation"),
        pytest.param("/assistants", answered(page(ASSISTANT)), set(), id="no deviation in a list"),
        pytest.param(
            "/assistants/asst_1", answered(changed(ASSISTANT, instructions=..., prompt="Be brief.")),
            {("response", "unknown field", "prompt"), ("response", "missing field", "instructions")},
            id="a renamed field",
        ),
        pytest.param(
            "/assistants/asst_1", answered(changed(ASSISTANT, created_at=...)),
            {("response", "missing field", "created_at")}, id="a missing field",
        ),
        pytest.param(
            "/assistants/asst_1", answered(changed(ASSISTANT, tools=[{"type": "function", "function": {}}])),
            {("response", "missing field", "tools[].function.name")}, id="a missing field inside",
        ),
        pytest.param(
            "/assistants/asst_1", answered(changed(ASSISTANT, tools=[{"type": "web_search"}])),
            {("response", "unknown value", "tools[].type")}, id="an unknown tool",
        ),
        pytest.param(
            "/threads/thread_1/runs", answered(page(RUN, run("paused"))),
            {("response", "unknown value", "data[].status")}, id="an unknown status",
        ),
        pytest.param(
            "/threads/thread_1", answered(changed(THREAD, created_at="1")),
            {("response", "wrong type", "created_at")}, id="a wrong type",
        ),
        pytest.param(
            "/threads/thread_1", answered(changed(THREAD, metadata={"a": 1})),
            {("response", "wrong type", "metadata.a")}, id="metadata that are not text",
        ),
        pytest.param(
            "/threads/thread_1", answered(THREAD, status=201), {("response", "unknown value", "status")},
            id="another success",
        ),
        pytest.param(
            "/threads/thread_1", Answer([b'{"id": ']), {("response", "not JSON", "")}, id="half a body",
        ),
        pytest.param(
            "/threads/thread_1", Answer([HTML], 502, "text/html"), {("error", "not JSON", "content-type")},
            id="an HTML 502",
        ),
        pytest.param(
            "/threads/thread_1", Answer([b"OK"], 200, "text/plain"), {("response", "not JSON", "content-type")},
            id="a success in words",
        ),
        pytest.param("/threads/thread_1", answered(ERROR, status=404), set(), id="an error as it should be"),
        pytest.param(
            "/threads/thread_1", answered({"detail": "Not Found"}, status=404),
            {("error", "unknown field", "detail"), ("error", "missing field", "error")}, id="another's error",
        ),
    ],
)  # fmt: skip
def test_a_deviating_answer_is_passed_on_unchanged_and_reported(
    proxy: Proxy, upstream: Upstream, path: str, answer: Answer, expected: Found
):
    upstream.answer = answer
    got, reported = found(proxy, lambda: ask(proxy, path))
    assert (got.status_code, got.content) == (answer.status, b"".join(answer.chunks))
    assert got.headers["content-type"] == answer.media_type
    assert reported == expected


class TestStreams:
    @pytest.mark.parametrize("events", [hello(), searched()], ids=["a text", "a search of files"])
    def test_a_faithful_stream_is_not_reported(self, proxy: Proxy, upstream: Upstream, events: list[Event]):
        assert self.reported(proxy, upstream, streamed(*events)) == set()

    def test_deviations_in_a_file_search_are_reported(self, proxy: Proxy, upstream: Upstream):
        events = json.loads(json.dumps(searched()))
        (call,) = events[6][1]["step_details"]["tool_calls"]
        call["file_search"]["results"][0] |= {"score": 2, "rank": 1}
        (part,) = events[-6][1]["delta"]["content"]
        part["text"]["annotations"][0]["page"] = 3
        place = "thread.run.step.completed.step_details.tool_calls[].file_search.results[]"
        assert self.reported(proxy, upstream, streamed(*events)) == {
            ("stream", "wrong value", f"{place}.score"),
            ("stream", "unknown field", f"{place}.rank"),
            ("stream", "unknown field", "thread.message.delta.delta.content[].text.annotations[].page"),
        }

    def test_an_unrequested_stream_and_a_missing_stream_are_reported(self, proxy: Proxy, upstream: Upstream):
        upstream.answer = streamed(*hello())
        _, reported = found(proxy, lambda: ask(proxy, "/threads/thread_1/runs", {"assistant_id": "asst_1"}))
        assert reported == {("response", "wrong value", "content-type")}
        assert self.reported(proxy, upstream, answered(RUN)) == {("response", "wrong value", "content-type")}

    def test_comments_and_other_line_ends_are_no_deviation(self, proxy: Proxy, upstream: Upstream):
        chunks = [b": \n", *(chunk.replace(b"\n", b"\r\n") for chunk in framed(*hello()))]
        assert self.reported(proxy, upstream, Answer(chunks, media_type=EVENTS)) == set()

    @pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
    def test_comments_have_no_blank_line_which_some_clients_take_for_the_end_of_an_event(
        self, proxy: Proxy, upstream: Upstream, end: bytes
    ):
        first, *rest = (chunk.replace(b"\n", end) for chunk in framed(*hello()))
        alone, within = b": keep-alive" + end, b": said" + end
        chunks = [alone + end, first, alone + alone + end, end, within + rest[0], *rest[1:]]
        upstream.answer = Answer(chunks, media_type=EVENTS)
        got = self.stream(proxy)
        assert got.content == b"".join([alone, first, alone + alone, within + rest[0], *rest[1:]])

    def test_a_comment_is_passed_on_at_once(self, proxy: Proxy, upstream: Upstream):
        more = threading.Event()
        upstream.answer = Answer([b": keep-alive\n\n", *framed(*hello())], media_type=EVENTS, before_each=more)
        with httpx2.stream("POST", f"{proxy.url}/threads/thread_1/runs", json=BODY, timeout=10) as got:
            chunks = got.iter_bytes()
            assert next(chunks) == b": keep-alive\n"
            more.set()
            assert b"".join(chunks) == b"".join(framed(*hello()))

    def test_events_that_are_split_anywhere_are_joined(self, proxy: Proxy, upstream: Upstream):
        content = b"".join(framed(*hello()))
        chunks = [content[start : start + 100] for start in range(0, len(content), 100)]
        assert self.reported(proxy, upstream, Answer(chunks, media_type=EVENTS)) == set()

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            pytest.param(
                lambda events: [*events[:1], events[2], events[1], *events[3:]],
                {
                    ("stream", "order", "thread.run.in_progress comes after thread.run.created"),
                    ("stream", "order", "thread.run.queued comes after thread.run.in_progress"),
                    ("stream", "order", "thread.run.step.created comes after thread.run.queued"),
                    ("stream", "order", "thread.message.created comes after thread.run.queued"),
                    ("stream", "order", "thread.run.completed comes after thread.run.queued"),
                },
                id="two events change places",
            ),
            pytest.param(
                lambda events: [*events[:5], *events[7:]],
                {("stream", "order", "thread.message.delta comes before thread.message.created")},
                id="a delta before its message",
            ),
            pytest.param(
                lambda events: [*events[:9], *events[10:]],
                {("stream", "order", "thread.run.completed comes before a message's end")},
                id="a message without an end",
            ),
            pytest.param(
                lambda events: events[:-1], {("stream", "order", "the stream ends without done")}, id="no done",
            ),
            pytest.param(
                lambda events: [*events[:7], ("thread.message.typing", {}), *events[7:]],
                {("stream", "unknown event", "thread.message.typing")}, id="an unknown event",
            ),
            pytest.param(
                lambda events: [*events[:7], ("thread.message.delta", said("x") | {"role": "user"}), *events[7:]],
                {("stream", "unknown field", "thread.message.delta.role")}, id="an unknown field of a delta",
            ),
            pytest.param(
                lambda events: [*events[:7], ("thread.message.delta", "[" * 100_000), *events[7:]],
                {("stream", "not JSON", "thread.message.delta")}, id="an event that no parser takes",
            ),
            pytest.param(
                lambda events: [*events[:-2], ("thread.run.completed", run("incomplete")), events[-1]],
                {("stream", "unknown value", "thread.run.completed.status")}, id="a status of another event",
            ),
        ],
    )  # fmt: skip
    def test_a_deviation_is_reported(self, proxy: Proxy, upstream: Upstream, change: Any, expected: Found):
        assert self.reported(proxy, upstream, streamed(*change(hello()))) == expected

    def test_a_cut_stream_ends_with_an_error_that_the_sdk_understands(self, proxy: Proxy, upstream: Upstream):
        whole, half = framed(*hello()[:8]), framed(hello()[8])[0][:40]
        upstream.answer = Answer([*whole, half], media_type=EVENTS, cut=True)
        got, reported = found(proxy, lambda: self.stream(proxy))
        assert got.content.startswith(b"".join(whole) + b"event: error\ndata: {")
        assert got.content.endswith(b"\n\nevent: done\ndata: [DONE]\n\n")
        assert reported == {("stream", "cut", "the stream broke off")}

        with OpenAI(base_url=proxy.url, api_key="key") as client:
            names = [
                event.event for event in client.beta.threads.runs.create("thread_1", assistant_id="asst_1", stream=True)
            ]
        assert names == [*(name for name, _ in hello()[:8]), "error"]

    def test_a_stream_that_falls_silent_ends_with_an_error_too(self, proxy: Proxy, upstream: Upstream):
        more = threading.Event()
        upstream.answer = streamed(*hello(), before_each=more)
        got, reported = found(proxy, lambda: self.stream(proxy))
        more.set()
        first, error, done = got.content.split(b"\n\n", 2)
        assert first + b"\n\n" == framed(*hello())[0]
        assert b"did not answer in time" in error
        assert done == b"event: done\ndata: [DONE]\n\n"
        assert reported == {("stream", "cut", "the stream broke off")}

    def test_each_event_is_passed_on_before_the_next_one_arrives(self, proxy: Proxy, upstream: Upstream):
        more = threading.Event()
        upstream.answer = streamed(*hello(), before_each=more)
        with httpx2.stream("POST", f"{proxy.url}/threads/thread_1/runs", json=BODY, timeout=10) as got:
            chunks = got.iter_bytes()
            assert next(chunks) == framed(*hello())[0]
            more.set()
            assert b"".join(chunks) == b"".join(framed(*hello())[1:])

    def test_a_client_that_disconnects_is_no_deviation_and_ends_the_upstreams_stream(
        self, proxy: Proxy, upstream: Upstream
    ):
        held = threading.Event()
        upstream.answer = streamed(*hello(), before_each=held)
        before = counts(proxy)
        with httpx2.stream("POST", f"{proxy.url}/threads/thread_1/runs", json=BODY, timeout=10) as got:
            next(got.iter_bytes())
        eventually(lambda: upstream.asked[-1].abandoned)
        held.set()
        assert counts(proxy) == before

    def stream(self, proxy: Proxy) -> httpx2.Response:
        return ask(proxy, "/threads/thread_1/runs", BODY)

    def reported(self, proxy: Proxy, upstream: Upstream, answer: Answer) -> Found:
        upstream.answer = answer
        got, reported = found(proxy, lambda: self.stream(proxy))
        assert got.content == b"".join(answer.chunks)
        assert got.headers["content-type"] == answer.media_type
        return reported


class TestRequests:
    def test_a_request_that_only_the_upstream_accepts_is_a_deviation(self, proxy: Proxy, upstream: Upstream):
        upstream.answer = answered(ASSISTANT)
        got, reported = found(proxy, lambda: ask(proxy, "/assistants", {"model": "m", "colour": "red"}))
        assert (got.status_code, json.loads(upstream.asked[-1].body)) == (200, {"model": "m", "colour": "red"})
        assert reported == {("request", "unknown_parameter", "colour")}

    def test_an_unreadable_body_is_refused_by_the_upstream(self, proxy: Proxy, upstream: Upstream):
        upstream.answer = answered(ASSISTANT)
        send = lambda: httpx2.post(f"{proxy.url}/assistants", content=b'{"model": "\xff"}')  # noqa: E731
        got, reported = found(proxy, send)
        assert (got.status_code, reported) == (200, {("request", "refused here", "")})

    def test_a_request_that_both_refuse_is_no_deviation_and_gets_the_upstreams_error(
        self, proxy: Proxy, upstream: Upstream
    ):
        upstream.answer = answered(ERROR, status=400)
        got, reported = found(proxy, lambda: ask(proxy, "/assistants", {"colour": "red"}))
        assert (got.status_code, got.json(), reported) == (400, ERROR, set())

    def test_path_query_body_and_the_headers_of_openai_reach_the_upstream(self, proxy: Proxy, upstream: Upstream):
        upstream.answer = answered(page())
        headers = {
            "OpenAI-Beta": "assistants=v2", "OpenAI-Organization": "org", "X-Stainless-Poll-Helper": "true",
            "Cookie": "secret", "X-Forwarded-For": "1.2.3.4",
        }  # fmt: skip
        ask(proxy, "/threads/thread_1/messages?order=asc&run_id=run_1&include[]=a%20b", headers=headers)
        asked = upstream.asked[-1]
        assert (asked.path, asked.query) == ("/v1/threads/thread_1/messages", "order=asc&run_id=run_1&include[]=a%20b")
        assert {name.lower() for name in headers} & set(asked.headers) == {
            "openai-beta", "openai-organization", "x-stainless-poll-helper",
        }  # fmt: skip

    def test_an_upload_reaches_the_upstream_while_it_is_sent(self, proxy: Proxy, upstream: Upstream):
        upstream.answer = answered(FILE)
        known = len(upstream.asked)
        form = framed_form(FILE_PART, PURPOSE)
        middle = form.index(b"\r\n--x", 1)

        def parts() -> Iterator[bytes]:
            yield form[:middle] + b"a" * 1_000_000
            eventually(lambda: len(upstream.asked) > known and len(upstream.asked[-1].body) >= 1_000_000)
            yield b"b" * 1_000_000 + form[middle:]

        (answer, sent), reported = self.uploaded(proxy, upstream, parts())
        assert (answer.status_code, answer.json(), reported) == (200, FILE, set())
        assert len(sent.body) == len(form) + 2_000_000
        assert (sent.headers["content-type"], sent.headers["transfer-encoding"]) == (FORM, "chunked")

    def test_an_upload_of_a_known_length_keeps_it(self, proxy: Proxy, upstream: Upstream):
        upstream.answer = answered(FILE)
        form = framed_form(FILE_PART, PURPOSE)
        (_, sent), _ = self.uploaded(proxy, upstream, form)
        assert (sent.body, sent.headers["content-length"]) == (form, str(len(form)))
        assert "transfer-encoding" not in sent.headers

    @pytest.mark.parametrize(
        ("path", "form", "expected"),
        [
            pytest.param("/files", [PURPOSE, FILE_PART], set(), id="no deviation"),
            pytest.param(
                "/files", [FILE_PART, PURPOSE, ("expires_after[anchor]", b"created_at"),
                ("expires_after[seconds]", b"3600")], set(), id="nothing in an object",
            ),
            pytest.param("/files", [FILE_PART], {("missing_required_parameter", "purpose")}, id="no purpose"),
            pytest.param("/files", [PURPOSE], {("missing_required_parameter", "file")}, id="no file"),
            pytest.param(
                "/files", [FILE_PART, ("purpose", b"fun")], {("invalid_value", "purpose")}, id="another purpose",
            ),
            pytest.param(
                "/files", [FILE_PART, PURPOSE, ("colour", b"red")], {("unknown_parameter", "colour")},
                id="an unknown field",
            ),
            pytest.param(
                "/files", [FILE_PART, PURPOSE, ("expires_after[anchor]", b"created_at"), ("expires_after[seconds]",
                b"1")], {("integer_below_min_value", "expires_after.seconds")}, id="an object's field",
            ),
            pytest.param("/files", [FILE_PART, FILE_PART, PURPOSE], {("refused here", "")}, id="two files"),
            pytest.param("/files", None, {("refused here", "")}, id="no form"),
            pytest.param("/uploads/upload_1/parts", [("data", b"a")], set(), id="a part"),
            pytest.param("/uploads/upload_1/parts", [("data", b"")], {("invalid_value", "data")}, id="an empty part"),
            pytest.param("/uploads/1/parts", [("data", b"a")], {("invalid_value", "upload_id")}, id="a path"),
            pytest.param("/threads", [PURPOSE], {("refused here", "")}, id="a form where there is none"),
        ],
    )  # fmt: skip
    def test_a_form_is_held_to_its_model(
        self, proxy: Proxy, upstream: Upstream, path: str, form: list[tuple[str, bytes]] | None, expected: set[Any]
    ):
        upstream.answer = answered({"/files": FILE, "/threads": THREAD}.get(path, PART))
        content = b"nothing of the kind" if form is None else framed_form(*form)
        (answer, sent), reported = self.uploaded(proxy, upstream, content, path)
        assert (answer.status_code, answer.content, sent.body) == (200, b"".join(upstream.answer.chunks), content)
        assert reported == {("request", problem, place) for problem, place in expected}

    def test_invalid_forms_are_one_kind_of_deviation_and_one_log_line(self, proxy: Proxy, upstream: Upstream):
        upstream.answer = answered(FILE)
        for _ in range(3):
            self.uploaded(proxy, upstream, framed_form(FILE_PART, PURPOSE, ("flavour", b"sour")))
        (case,) = [each for each in proxy.report()["deviations"] if each["place"] == "flavour"]
        assert (case["operation"], case["path"], case["count"]) == ("POST /files", "/v1/files", 3)
        eventually(lambda: [line for line in proxy.deviations() if '"flavour"' in line])
        assert len([line for line in proxy.deviations() if '"flavour"' in line]) == 1

    def test_a_form_that_both_refuse_is_no_deviation(self, proxy: Proxy, upstream: Upstream):
        upstream.answer = answered(ERROR, status=400)
        (answer, _), reported = self.uploaded(proxy, upstream, framed_form(FILE_PART))
        assert (answer.status_code, answer.json(), reported) == (400, ERROR, set())

    def uploaded(
        self, proxy: Proxy, upstream: Upstream, content: bytes | Iterator[bytes], path: str = "/files"
    ) -> tuple[tuple[httpx2.Response, Asked], Found]:
        headers = {"content-type": FORM}
        send = lambda: httpx2.post(f"{proxy.url}{path}", content=content, headers=headers, timeout=30)  # noqa: E731
        answer, reported = found(proxy, send)
        return (answer, upstream.asked[-1]), reported

    def test_a_download_reaches_the_client_while_it_is_sent(self, proxy: Proxy, upstream: Upstream):
        more = threading.Event()
        content = [b"a" * 1_000_000, b"b" * 1_000_000]
        upstream.answer = Answer(content, media_type="application/octet-stream", before_each=more)
        with httpx2.stream("GET", f"{proxy.url}/files/file-1/content", timeout=10) as got:
            chunks, size = got.iter_bytes(), 0
            while size < 1_000_000:
                size += len(next(chunks))
            more.set()
            assert size + sum(map(len, chunks)) == 2_000_000

    @pytest.mark.parametrize("media_type", ["application/octet-stream", "application/json"])
    def test_a_range_is_requested_and_passed_on(self, proxy: Proxy, upstream: Upstream, media_type: str):
        headers = {"content-range": "bytes 1-2/9", "accept-ranges": "bytes", "content-length": "2"}
        upstream.answer = Answer([b"bc"], 206, media_type, headers)
        send = lambda: ask(proxy, "/files/file-1/content", headers={"range": "bytes=1-2"})  # noqa: E731
        got, reported = found(proxy, send)
        assert (got.status_code, got.content, reported) == (206, b"bc", set())
        assert {name: got.headers[name] for name in headers} == headers
        assert upstream.asked[-1].headers["range"] == "bytes=1-2"

    def test_a_big_body_is_passed_on_whole(self, proxy: Proxy, upstream: Upstream):
        text = "x" * 250_000
        messages = [{"role": "user", "content": text}] * 40
        upstream.answer = answered(THREAD)
        assert ask(proxy, "/threads", {"messages": messages}).status_code == 200
        assert json.loads(upstream.asked[-1].body) == {"messages": messages}


class TestKeys:
    @pytest.mark.parametrize("header", [{"authorization": "Bearer mine"}, {"api-key": "mine"}])
    def test_the_callers_own_key_is_passed_on(self, proxy: Proxy, upstream: Upstream, header: dict[str, str]):
        upstream.answer = answered(THREAD)
        ask(proxy, "/threads/thread_1", headers=header)
        sent = upstream.asked[-1].headers
        assert {name: sent[name] for name in ("authorization", "api-key") if name in sent} == header

    def test_a_key_of_the_proxys_own_stands_for_its_callers(self, keyed: Proxy, upstream: Upstream):
        upstream.answer = answered(THREAD)
        ask(keyed, "/threads/thread_1", headers={"api-key": KEY})
        sent = upstream.asked[-1].headers
        assert (sent["authorization"], sent.get("api-key")) == (f"Bearer {UPSTREAMS_KEY}", None)

    def test_a_request_without_a_key_of_the_proxy_is_refused(self, keyed: Proxy, upstream: Upstream):
        known = len(upstream.asked)
        assert ask(keyed, "/threads/thread_1", headers={"api-key": "wrong"}).status_code == 401
        assert ask(keyed, "/chat/completions", {"model": "m"}).status_code == 401
        assert len(upstream.asked) == known

    @pytest.mark.parametrize("status", [401, 403])
    def test_only_a_key_of_the_proxys_own_that_is_refused_is_502(
        self, keyed: Proxy, proxy: Proxy, upstream: Upstream, status: int
    ):
        upstream.answer = answered(ERROR, status=status)
        for path in ("/threads/thread_1", "/models"):
            got = ask(keyed, path, headers={"api-key": KEY})
            assert (got.status_code, got.json()["error"]["message"]) == (
                502, "The upstream of this proxy refused the key of this service: No.",
            )  # fmt: skip
            got = ask(proxy, path, headers={"api-key": KEY})
            assert (got.status_code, got.json()) == (status, ERROR)

    def test_a_key_of_the_proxys_own_is_neither_passed_on_nor_reported(self, keyed: Proxy, upstream: Upstream):
        hidden = "*" * len(UPSTREAMS_KEY)
        upstream.answer = answered(changed(THREAD, echoed=UPSTREAMS_KEY))
        assert ask(keyed, "/threads/thread_1", headers={"api-key": KEY}).json()["echoed"] == hidden
        events = hello()
        events[-1] = ("echoed", {"key": UPSTREAMS_KEY})
        upstream.answer = streamed(*events)
        got = ask(keyed, "/threads/thread_1/runs", BODY, headers={"api-key": KEY})
        assert hidden in got.text
        assert UPSTREAMS_KEY not in got.text
        examples = [each["example"] for each in keyed.report(KEY)["deviations"]]
        assert [each for each in examples if hidden in each]
        assert not [each for each in examples if UPSTREAMS_KEY in each]

    def test_azure_is_sent_its_own_header_and_version(self, upstream: Upstream):
        url = upstream.url.replace("/v1", "/openai?api-version=2024-05-01-preview")
        gateways = {"error": {"code": "404", "message": "Resource not found"}}
        with Proxy(url, PROXY_API_KEY=UPSTREAMS_KEY) as proxy:
            upstream.answer = answered(gateways, status=404)
            assert ask(proxy, "/assistants?limit=1").json() == gateways
            assert proxy.report()["deviations"] == []
        asked = upstream.asked[-1]
        assert (asked.path, asked.query) == ("/openai/assistants", "limit=1&api-version=2024-05-01-preview")
        assert (asked.headers["api-key"], asked.headers.get("authorization")) == (UPSTREAMS_KEY, None)

    def test_keys_and_contents_are_not_logged(self, keyed: Proxy, upstream: Upstream):
        upstream.answer = answered(changed(THREAD, secret="of a customer"))
        ask(keyed, "/threads/thread_1", headers={"api-key": KEY})
        eventually(lambda: [line for line in keyed.deviations() if '"place": "secret"' in line])
        log = "".join(keyed.lines)
        assert not [each for each in (KEY, OTHERS, UPSTREAMS_KEY, "of a customer") if each in log]


class TestTroubles:
    def test_status_body_and_headers_of_an_error_are_passed_on(self, proxy: Proxy, upstream: Upstream):
        headers = {"retry-after": "7", "x-request-id": "req_1", "openai-organization": "theirs", "set-cookie": "a=b"}
        upstream.answer = answered(ERROR, status=429, headers=headers)
        got = ask(proxy, "/threads", {})
        assert (got.status_code, got.json()) == (429, ERROR)
        passed = {name: got.headers.get(name) for name in headers}
        assert passed == {**headers, "set-cookie": None}

    def test_an_upstream_that_does_not_answer_in_time_is_504(self, proxy: Proxy, upstream: Upstream):
        upstream.answer = answered(THREAD, silence=TIMEOUT + 1)
        got, reported = found(proxy, lambda: ask(proxy, "/threads/thread_1"))
        assert (got.status_code, got.json()["error"]["type"]) == (504, "server_error")
        assert reported == {("response", "no answer", "")}

    def test_a_body_that_breaks_off_is_502(self, proxy: Proxy, upstream: Upstream):
        upstream.answer = Answer([b'{"id": '], cut=True)
        got, reported = found(proxy, lambda: ask(proxy, "/threads/thread_1"))
        assert (got.status_code, got.json()["error"]["type"]) == (502, "server_error")
        assert reported == {("response", "no answer", "")}

    def test_a_download_that_breaks_off_breaks_off(self, proxy: Proxy, upstream: Upstream):
        upstream.answer = Answer([b"half"], media_type="application/octet-stream", cut=True)
        before = counts(proxy)
        with pytest.raises(httpx2.RemoteProtocolError):
            ask(proxy, "/threads/thread_1")
        assert counts(proxy).keys() - before.keys() == {("response", "cut", "the body broke off")}

    def test_an_unreachable_upstream_is_502_in_the_sdk(self):
        with Upstream() as gone:
            url = gone.url
        with Proxy(url) as proxy, OpenAI(base_url=proxy.url, api_key="key", max_retries=0) as client:
            with pytest.raises(openai.InternalServerError) as caught:
                client.beta.threads.create()
            assert caught.value.status_code == 502
            assert caught.value.response.json() == {
                "error": {
                    "message": "The upstream of this proxy could not be reached. Please retry your request.",
                    "type": "server_error", "param": None, "code": None,
                }
            }  # fmt: skip

    def test_a_large_event_is_passed_on_unchecked(self, proxy: Proxy, upstream: Upstream):
        chunks = [b"event: thread.message.delta\ndata: ", *[b"x" * 4_000] * 2_500, b"\n\n"]
        upstream.answer = Answer(chunks, media_type=EVENTS)
        got, reported = found(proxy, lambda: ask(proxy, "/threads/thread_1/runs", BODY))
        assert got.content == b"".join(chunks)
        assert ("stream", "too long", "an event") in reported


class TestReport:
    def test_a_kind_is_logged_once_and_counted(self, proxy: Proxy, upstream: Upstream):
        upstream.answer = answered(changed(THREAD, novelty=1))
        for thread in ("thread_a", "thread_b", "thread_c"):
            ask(proxy, f"/threads/{thread}")
        (case,) = [each for each in proxy.report()["deviations"] if each["place"] == "novelty"]
        assert case.pop("first_seen") > 0
        assert case == {
            "operation": "GET /threads/{thread_id}", "part": "response", "problem": "unknown field",
            "place": "novelty", "count": 3, "example": "1", "path": "/v1/threads/thread_a",
        }  # fmt: skip
        eventually(lambda: [line for line in proxy.deviations() if '"novelty"' in line])
        assert len([line for line in proxy.deviations() if '"novelty"' in line]) == 1

    def test_two_unknown_values_are_two_kinds(self, proxy: Proxy, upstream: Upstream):
        for status in ("asleep", "awake"):
            upstream.answer = answered(run(status))
            ask(proxy, "/threads/thread_1/runs/run_1")
        examples = [each["example"] for each in proxy.report()["deviations"] if each["place"] == "status"]
        assert {'"asleep"', '"awake"'} <= set(examples)

    def test_it_is_a_page_for_those_who_ask_for_html(self, proxy: Proxy, upstream: Upstream):
        upstream.answer = answered(changed(THREAD, markup="<script>alert(1)</script>"))
        ask(proxy, "/threads/thread_1")
        url = f"{proxy.url.removesuffix('/v1')}/proxy/report"
        got = httpx2.get(url, headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert got.headers["content-type"].startswith("text/html")
        policy = got.headers["content-security-policy"]
        assert policy.startswith(
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style"
        )
        assert "&lt;script&gt;" in got.text
        assert "<script>" not in got.text

    def test_it_needs_a_key_and_shows_the_callers_project_only(self, keyed: Proxy, upstream: Upstream):
        upstream.answer = answered(changed(THREAD, alices=1))
        ask(keyed, "/threads/thread_1", headers={"api-key": KEY})
        assert "alices" in [each["place"] for each in keyed.report(KEY)["deviations"]]
        assert keyed.report(OTHERS)["deviations"] == []
        assert httpx2.get(f"{keyed.url.removesuffix('/v1')}/proxy/report").status_code == 401


async def test_it_is_the_same_behind_microsofts_worker(upstream: Upstream, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BACKEND", "proxy")
    monkeypatch.setenv("PROXY_BASE_URL", upstream.url)
    monkeypatch.setenv("API_KEYS", f"{KEY}=alice")
    settings.cache_clear()
    function_app = load_function_app()
    async with worker(function_app) as client:
        client.headers["api-key"] = KEY
        upstream.answer = streamed(*hello()[1:])
        got = await client.post("/v1/threads/thread_1/runs", json=BODY)
        upstream.answer = answered(FILE)
        headers = {"content-type": FORM}
        uploaded = await client.post(
            "/v1/files", content=framed_form(PURPOSE, FILE_PART, ("new", b"")), headers=headers
        )
        report = (await client.get("/proxy/report")).json()
    await function_app.api.state.backend.close()
    settings.cache_clear()
    assert got.content == b"".join(framed(*hello()[1:]))
    assert uploaded.json() == FILE
    places = {each["place"] for each in report["deviations"]}
    assert {"thread.run.queued comes before thread.run.created", "new"} <= places


def test_without_a_models_endpoint_the_upstream_is_asked(proxy: Proxy, upstream: Upstream):
    upstream.answer = answered({"object": "list", "data": []})
    assert ask(proxy, "/models").json() == {"object": "list", "data": []}
    assert (upstream.asked[-1].method, upstream.asked[-1].path) == ("GET", "/v1/models")


def test_the_runner_starts_neither_storage_nor_a_model_nor_queues(proxy: Proxy):
    log = "".join(proxy.lines)
    assert "Azurite" not in log
    assert "demo model" not in log
    assert "/proxy/report" in log
