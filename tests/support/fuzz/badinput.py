"""Bad input, made from a seed: malformed and hostile requests, as bytes."""

import asyncio
import gzip
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

from tests.support.reference.document import Schema, operations, reference, resolve

Header = tuple[bytes, bytes]

DEEP = b"[" * 100_000
WIDE = b"{" + b",".join(b'"%d":0' % number for number in range(50_000)) + b"}"

VALUES: Sequence[bytes] = (
    b"null", b"true", b"0", b"-0.0", b"-1", b"1e400", b"-1e400", b"1e-400", b"NaN", b"-Infinity", b"0.1", b"1.0",
    b"2e0", b"9223372036854775808", b"9" * 30, b"7" * 5_000, b'""', b'" "', b'"\\u0000"', b'"\\ud83d"',
    b'"\\ude00\\ud83d"', b'"\\ud83d\\ude00"', b'"\xed\xa0\xbd"', b'"\xff\xfe"', b'"\xc0\xaf"', b'"\x00"', b'"\n"',
    b'"\\x41"', b'"\\u202e\\ufeff"', b'"' + b"a" * 300_000 + b'"', b'"' + b"\\ud83d\\ude00" * 128_001 + b'"', b"[]",
    b"{}", b"[[]]", b"[null]", b'{"a":null}', b"[" * 50 + b"]" * 50, b'{"a":' * 150 + b"0" + b"}" * 150,
    b"[" * 900 + b"]" * 900, DEEP, b'{"a":' * 100_000, b"[" + b"0," * 100_000 + b"0]", WIDE,
    b'"thread_1"', b'"asst_../x"', b'"file-%2e%2e"', b'"function"', b'"auto"', b'{"type":"function"}',
    b'{"type":"\\ud83d"}', b'{"type":["auto"]}', b'{"type":null}', b'{"\\ud83d":1}', b'{"\\u0000":"\\u0000"}',
    b"'a'", b"undefined", b"//", b"",
)  # fmt: skip
"""Wrong values in a body: JSON, or no JSON."""

TEXTS: Sequence[bytes] = (
    b"", b"%00", b"%", b"%zz", b"%2", b"%2F", b"%2f..%2f", b"..", b".", b"%2e%2e", b"%C0%AF", b"%ED%A0%BD", b"%FF",
    b"%F0%9F%98%80", b"a" * 65, b"a" * 7_000, b"thread_%0a", b"asst_%E2%80%AE", b"0", b"-1", b"1", b"100", b"101",
    b"9" * 30, b"7" * 5_000, b"1e400", b"NaN", b"0x10", b"+5", b"%2B5", b"1_0", b"null", b"[]", b"{}", b"desc", b"asc",
    b"DESC", b"true", b"'%20or%201=1--", b"msg_1", b"run_1", b"%25s%25n", b"%E2%80%A8", b"*", b"~", b"$metadata",
)  # fmt: skip
"""Wrong values in a path or a query."""

PARAMETERS: Sequence[bytes] = (
    b"limit", b"order", b"after", b"before", b"run_id", b"include[]", b"include", b"purpose", b"filter", b"stream",
    b"api-version", b"other", b"limit[]", b"", b"%6Cimit",
)  # fmt: skip

GZIP: Header = (b"content-encoding", b"gzip")
HEADERS: Sequence[Header] = (
    GZIP,
    (b"content-encoding", b"br, gzip, nonsense"),
    (b"content-type", b""),
    (b"content-type", b"text/plain"),
    (b"content-type", b"application/json; charset=utf-16"),
    (b"content-type", b"application/x-www-form-urlencoded"),
    (b"content-type", b"multipart/form-data"),
    (b"content-type", b"multipart/form-data; boundary="),
    (b"content-type", b"multipart/form-data; boundary=" + b"b" * 300),
    (b"content-type", b"multipart/form-data; boundary=\xff\xfe"),
    (b"content-type", b"multipart/mixed; boundary=b"),
    (b"content-type", b"\xff;;=;"),
    (b"content-length", b"99999999999999999999999999"),
    (b"content-length", b"-1"),
    (b"content-length", b"\xb2"),
    (b"openai-beta", b"assistants=v1"),
    (b"openai-beta", b"assistants=v2,assistants=v1"),
    (b"openai-beta", b"\xff=,,="),
    (b"openai-beta", b"assistants=v9"),
    (b"authorization", b"Bearer \xff\xfe"),
    (b"authorization", b"Basic " + b"=" * 10_000),
    (b"api-key", b"\xed\xa0\xbd"),
    (b"accept", b"\xff/\xff;q=NaN"),
    (b"accept-encoding", b"nonsense;q=2"),
    (b"range", b"bytes=-0"),
    (b"range", b"bytes=99999999999999999999-"),
    (b"range", b"bytes=0-0,0-0,-1"),
    (b"range", b"bytes=" + b"1" * 5_000 + b"-"),
    (b"if-match", b"*"),
    (b"host", b"\xff"),
    (b"x-large", b"a" * 30_000),
)


class Sent(NamedTuple):
    """A request in bytes; its target is path and query."""

    method: str
    target: bytes
    headers: Sequence[Header]
    body: bytes

    def __str__(self) -> str:
        target, body = (f"{part[:300]!r} ({len(part)} bytes)" for part in (self.target, self.body))
        return f"{self.method} {target} with {list(self.headers)!r:.300} and {body}"


class Got(NamedTuple):
    """The answer to a request."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


async def ask(api: ASGIApp, sent: Sent) -> Got:
    """The application's answer to a request that is parsed as by uvicorn."""
    path, _, query = sent.target.partition(b"?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": sent.method, "scheme": "http",
        "path": unquote(path.decode("ascii")), "raw_path": path, "root_path": "", "query_string": query,
        "headers": list(sent.headers), "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    messages: list[Message] = [{"type": "http.request", "body": sent.body, "more_body": False}]
    answer: list[Message] = []

    async def receive() -> Message:
        return messages.pop() if messages else await asyncio.Future[Message]()

    async def send(message: Message) -> None:
        answer.append(message)

    await api(scope, receive, send)
    start, *rest = answer
    return Got(start["status"], dict(start["headers"]), b"".join(each.get("body", b"") for each in rest))


class BadRequests:
    """Requests to a route, each of them wrong in one or two ways.

    Parameters
    ----------
    path
        The path below `/v1`, with the names of ids in braces.
    ids
        The ids of objects that exist, by these names. Deletions use none of them.
    """

    def __init__(self, method: str, path: str, ids: Mapping[str, str], rng: random.Random) -> None:
        self._method, self._path, self._ids, self._rng = method, path, ids, rng

    def one(self) -> Sent:
        rng, bodies = self._rng, self._method == "POST"
        path, query = f"/v1{self._path.format_map(self._ids)}".encode(), b""
        bad = set(rng.choices([*["body"] * 6 * bodies, "path", "query", "headers"], k=rng.choice((1, 1, 2))))
        headers, body = self._content("body" in bad) if bodies else ([], b"")
        if "path" in bad or self._method == "DELETE":
            path = self._bad_path()
        if "query" in bad:
            query = b"?" + self._bad_query()
        if "headers" in bad:
            headers = [*headers, *rng.choices(HEADERS, k=rng.choice((1, 1, 3)))]
        if GZIP in headers and rng.random() < 0.5:
            body = gzip.compress(body)
        return Sent(self._method, path + query, headers, body)

    def _bad_path(self) -> bytes:
        rng, parts = self._rng, self._path.encode().split(b"/")
        for place, part in enumerate(parts):
            if part.startswith(b"{"):
                intact = self._method != "DELETE" and rng.random() < 0.4
                parts[place] = self._ids[part[1:-1].decode()].encode() if intact else rng.choice(TEXTS)
        begin = rng.choice((*[b"/v1"] * 5, b"/openai/v1", b"/openai", b"/openai/deployments/%FF", b"/", b"/v1/v1"))
        end = rng.choice((*[b""] * 4, b"/", b"/%00", b"//", b"/..", b"/" + rng.choice(TEXTS)))
        return begin + b"/".join(parts) + end

    def _bad_query(self) -> bytes:
        rng = self._rng
        pairs = (
            rng.choice(PARAMETERS) + rng.choice((b"=", b"=", b"=", b"", b"==")) + rng.choice(TEXTS)
            for _ in range(rng.choice((1, 2, 3, 8)))
        )
        return rng.choice((b"&", b"&", b"&", b"&&", b";")).join(pairs)

    def _content(self, bad: bool) -> tuple[list[Header], bytes]:
        if self._path in _FORMS:
            return [(b"content-type", b"multipart/form-data; boundary=b0undary")], self._form(bad)
        body = body_of(self._method, self._path, self._ids, self._rng)
        content = bent(body, self._rng) if bad else json.dumps(body).encode()
        if bad and self._rng.random() < 0.2:
            content = spoiled(content, self._rng)
        return [(b"content-type", b"application/json")], content

    def _form(self, bad: bool) -> bytes:
        rng, file = self._rng, _FORMS[self._path]
        parts = [_part(file, b"Hello", b"hello.txt"), *([_part(b"purpose", b"assistants")] if file == b"file" else [])]
        for _ in range(rng.choice((1, 1, 2)) * bad):
            rng.choice(_BENDS)(parts, rng)
        body = b"".join(b"--b0undary\r\n" + part + b"\r\n" for part in parts) + b"--b0undary--\r\n"
        return spoiled(body, rng) if bad and rng.random() < 0.3 else body


def bent(body: Any, rng: random.Random, values: Sequence[bytes] = VALUES) -> bytes:
    """A JSON body with one value or key replaced, one key repeated, or one key added."""
    mark, body = "\ue000", deepcopy(body)
    container, key = rng.choice(list(_places(body)) or [({}, "")])
    value, way = rng.choice(values), rng.random()
    if way < 0.7 or not isinstance(container, dict):
        container[key] = mark
    elif way < 0.8:
        container[mark] = container.pop(key, 0)
        value = value if value.startswith(b'"') else b'"' + value[:20] + b'"'
    elif way < 0.9:
        container[mark] = 0
        name = json.dumps(key).encode()
        value = name + b":" + value + b"," + name
    else:
        container[rng.choice(("other", "metadata", "stream", "__class__", "model_config"))] = mark
    return json.dumps(body).encode().replace(json.dumps(mark).encode(), value, 1)


def spoiled(content: bytes, rng: random.Random) -> bytes:
    """A body that is no longer valid JSON, or no longer a valid form."""
    return rng.choice(_SPOILS)(content, rng)


def body_of(method: str, path: str, ids: Mapping[str, str], rng: random.Random) -> Any:
    """A body that the reference allows, with some of the optional fields."""
    known = operations(reference()).values()
    found = next((each.body for each in known if (each.method, each.path) == (method, path)), None)
    return _example(found, ids, rng) if found else {"model": "m", "input": "a", "messages": []}


def _example(schema: Schema, ids: Mapping[str, str], rng: random.Random, name: str = "") -> Any:
    schema = resolve(reference(), schema)
    choices = [each["required"] for each in schema.get("oneOf", ()) if set(each) == {"required"}]
    if not choices and (others := schema.get("anyOf") or schema.get("oneOf")):
        return _example(rng.choice(others), ids, rng, name)
    kind = schema.get("type", "object")
    if kind == "object":
        fields, inner = schema.get("properties", {}), schema.get("additionalProperties")
        if not fields and isinstance(inner, dict) and inner:
            return {"k": _example(inner, ids, rng)}
        wanted = {*schema.get("required", ()), *(rng.choice(choices) if choices else ())}
        more = (each for each in fields if not choices and rng.random() < 0.4)
        return {each: _example(fields[each], ids, rng, each) for each in sorted({*wanted, *more} & set(fields))}
    if kind == "array":
        few = max(schema.get("minItems", 0), rng.choice((0, 1, 2)))
        return [_example(schema["items"], ids, rng, name.removesuffix("s")) for _ in range(few)]
    if kind == "string" and "enum" not in schema:
        prefix = re.match(r"\^([a-z]+)\[", schema.get("pattern", ""))
        text = "https://example.com/a.png" if schema.get("format") == "uri" else "text"
        return ids.get(name) or (f"{prefix[1]}_1" if prefix else text)
    if kind == "boolean":
        return rng.choice((True, False))
    return rng.choice(schema["enum"]) if "enum" in schema else None if kind == "null" else schema.get("minimum", 1)


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every value inside a JSON value, by its container and its key or index there."""
    for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield node, key
        yield from _places(node[key])


_SPOILS: Sequence[Callable[[bytes, random.Random], bytes]] = (
    lambda body, rng: b"",
    lambda body, rng: body[: rng.randrange(len(body) + 1)],
    lambda body, rng: b"[" + body + b"]",
    lambda body, rng: json.dumps(body.decode(errors="replace")).encode(),
    lambda body, rng: gzip.compress(body),
    lambda body, rng: body.decode(errors="replace").encode("utf-16"),
    lambda body, rng: b"\xef\xbb\xbf" + body,
    lambda body, rng: b" " * 1_000_000 + body,
    lambda body, rng: body + body,
    lambda body, rng: bytes(byte ^ (rng.random() < 0.02) * rng.randrange(256) for byte in body[:10_000]),
    lambda body, rng: rng.randbytes(rng.choice((1, 100, 100_000))),
    lambda body, rng: rng.choice(VALUES),
)
"""The changes of a body as a whole."""

_FORMS: Mapping[str, bytes] = {"/files": b"file", "/uploads/{upload_id}/parts": b"data"}
"""The routes whose body is a form, and the name of the file's field."""


def _part(name: bytes, content: bytes, filename: bytes | None = None) -> bytes:
    named = b'; filename="' + filename + b'"' if filename is not None else b""
    return b'Content-Disposition: form-data; name="' + name + b'"' + named + b"\r\n\r\n" + content


_BENDS: Sequence[Callable[[list[bytes], random.Random], object]] = (
    lambda parts, rng: parts.pop() if parts else None,
    lambda parts, rng: parts.append(rng.choice(parts)) if parts else None,
    lambda parts, rng: parts.reverse(),
    lambda parts, rng: parts.append(_part(b"purpose", rng.choice((*VALUES, *TEXTS)))),
    lambda parts, rng: parts.append(_part(rng.choice(TEXTS), rng.choice(VALUES)[:1_000])),
    lambda parts, rng: parts.insert(0, _part(b"file", b"", rng.choice((*VALUES, *TEXTS)))),
    lambda parts, rng: parts.append(_part(b"expires_after[anchor]", rng.choice(TEXTS))),
    lambda parts, rng: parts.append(_part(b"expires_after[seconds]", rng.choice(TEXTS))),
    lambda parts, rng: parts.append(_part(b"expires_after", rng.choice(VALUES)[:1_000])),
    lambda parts, rng: parts.append(b"\r\n\r\n"),
    lambda parts, rng: parts.append(b"Content-Disposition: " + rng.choice(TEXTS) + b"\r\n\r\nx"),
    lambda parts, rng: parts.append(b"x" * 100_000 + b": y\r\n\r\nx"),
    lambda parts, rng: parts.append(b"no header at all"),
)
"""The changes of the parts of a form."""
