"""Forwarded answers: events of any size however they are cut, masked keys, bounded decoding."""

import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

import httpx2
import pytest

from assistants.api.models import refuse_stored
from assistants.relay import answers
from assistants.relay.answers import answered, events, read
from assistants.relay.bodies import PIECE, Masking, Unusable, guarded
from assistants.schema.errors import ApiError

KEY = 'sk-0123/45"6789'
REQUEST = httpx2.Request("GET", "https://example.com", headers={"authorization": f"Bearer {'t' * 40}"})


class Body(httpx2.AsyncByteStream):
    """A body of these chunks."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk

    async def aclose(self) -> None:
        self.closed = True


def answer(*chunks: bytes, status: int = 200, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, headers=named, stream=Body(chunks), request=REQUEST)


def parts(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


async def blocks(*chunks: bytes) -> list[bytes]:
    return [block async for found in events(answer(*chunks)) for block in found]


async def sent(got: httpx2.Response) -> httpx2.Response:
    return got


class TestEvents:
    STREAM = (b"data: a\n\n", b": ping\r\n\r\n", b"event: x\rdata: b\r\r", b"\n\n", b"data:\ndata: c\n\n", b"data: d")

    @pytest.mark.parametrize("size", range(1, 12))
    async def test_events_are_complete_however_they_are_split(self, size: int):
        assert await blocks(*parts(b"".join(self.STREAM), size)) == list(self.STREAM)

    async def test_each_is_passed_on_when_it_is_whole(self):
        chunks = answer(b"data: a\n", b"\ndata: b\n\nda", b"ta: c\n\n")
        assert [found async for found in events(chunks)] == [
            [b"data: a\n\n", b"data: b\n\n"], [b"data: c\n\n"],
        ]  # fmt: skip

    async def test_one_that_is_too_long_ends_the_stream(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(answers, "MAX_EVENT", 100)
        found = aiter(events(answer(b"data: a\n\n", *[b"x" * 10] * 20, b"\n\n")))
        assert await anext(found) == [b"data: a\n\n"]
        with pytest.raises(Unusable, match="100 bytes"):
            await anext(found)


class TestKeys:
    @pytest.mark.parametrize("size", range(1, 40))
    async def test_keys_are_masked_however_they_are_split(self, size: int):
        text = f"a {KEY} b {json.dumps(KEY)} {KEY[:-1]}! {KEY}{KEY} {KEY[:5]}".encode()
        escaped = json.dumps(KEY)[1:-1]
        hidden = f'a {"*" * len(KEY)} b "{"*" * len(escaped)}" {KEY[:-1]}! {"*" * 2 * len(KEY)} {KEY[:5]}'.encode()
        got = guarded(answer(*parts(text, size)), [KEY])
        assert await got.aread() == hidden

    def test_only_a_possible_beginning_of_a_key_is_kept_back(self):
        masking = Masking([KEY])
        taken = [masking.take(piece) for piece in (b"data: s\n\n", b"so sk", b"-01", b"x", b"sk-0")]
        assert taken == [b"data: s\n\n", b"so ", b"", b"sk-01x", b""]
        assert masking.rest() == b"sk-0"

    async def test_headers_and_bodies_already_read_are_masked_too(self):
        got = guarded(httpx2.Response(400, headers={"x-key": KEY}, content=f"({KEY})", request=REQUEST), [KEY])
        assert (got.headers["x-key"], await got.aread()) == ("*" * len(KEY), f"({'*' * len(KEY)})".encode())

    async def test_a_short_key_is_none(self):
        assert await guarded(answer(b"none of it"), ["none"]).aread() == b"none of it"

    async def test_the_token_that_was_sent_is_masked(self):
        got = await answered(sent(answer(b"You sent Bearer ", b"t" * 40)), "It", [])
        assert await got.aread() == b"You sent Bearer " + b"*" * 40

    async def test_a_key_of_the_caller_is_not(self):
        got = await answered(sent(answer(b"t" * 40, status=401)), "It", None)
        assert (got.status_code, await got.aread()) == (401, b"t" * 40)

    @pytest.mark.parametrize("status", [401, 403])
    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b'{"error": {"message": "No %b."}}', "No ***."),
            (b'{"detail": "No %b."}', "No ***."),
            (b"", ""),
        ],
    )
    async def test_one_of_ours_that_is_refused_is_no_fault_of_the_callers(self, status: int, body: bytes, said: str):
        key = "sk-0123456789"
        got = answer(body.replace(b"%b", key.encode()), status=status)
        with pytest.raises(ApiError) as caught:
            await answered(sent(got), "It", [key])
        assert (caught.value.status, caught.value.type) == (502, "server_error")
        assert caught.value.message.startswith("It refused the key of this service")
        assert said.replace("***", "*" * len(key)) in caught.value.message
        assert caught.value.headers == {"x-should-retry": "false"}


class TestEncodings:
    CONTENT = b"a" * 3_000_000

    @pytest.mark.parametrize("size", [1, 999, 1_000_000])
    @pytest.mark.parametrize(("encoding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
    async def test_no_encoding_is_requested_and_encoded_bodies_are_decoded_in_small_pieces(
        self, size: int, encoding: str, encode: Callable[[bytes], bytes]
    ):
        encoded = encode(self.CONTENT)
        got = guarded(answer(*parts(encoded, size), content_encoding=encoding, content_length=str(len(encoded))), [])
        pieces = [piece async for piece in got.aiter_bytes()]
        assert b"".join(pieces) == self.CONTENT
        assert max(map(len, pieces)) <= PIECE
        assert not {"content-encoding", "content-length"} & got.headers.keys()

    @pytest.mark.parametrize(
        ("encoding", "chunks"),
        [
            ("br", [b"x"]),
            ("gzip", [b"not gzip"]),
            ("gzip, gzip", [b""]),
            ("gzip", parts(gzip.compress(CONTENT), 99)[:5]),
        ],
    )
    async def test_a_body_that_cannot_be_decoded_is_not_passed_on(self, encoding: str, chunks: Sequence[bytes]):
        with pytest.raises(ApiError) as caught:
            await read(guarded(answer(*chunks, content_encoding=encoding), []), "It")
        assert (caught.value.status, caught.value.type) == (502, "server_error")

    async def test_an_answer_that_is_read_is_bounded(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(answers, "MAX_ANSWER", 1_000)
        assert await read(answer(b"x" * 1_000), "It") == b"x" * 1_000
        bomb = answer(gzip.compress(self.CONTENT), content_encoding="gzip")
        with pytest.raises(ApiError, match="more than 1000 bytes"):
            await read(guarded(bomb, []), "It")
        assert isinstance(bomb.stream, Body)
        assert bomb.stream.closed


class TestStoredResponses:
    """Several projects share an endpoint, which cannot distinguish their stored responses."""

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({"previous_response_id": "resp_1"}, "previous_response_id"),
            ({"conversation": "conv_1"}, "conversation"),
            ({"conversation": {"id": "conv_1"}}, "conversation"),
            ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
            ({"input": [{"role": "user", "content": "Hi"}, {"id": "msg_1"}]}, "input[1]"),
            ({"input": [{"type": None, "id": "msg_1"}]}, "input[0]"),
        ],
    )
    def test_none_is_used(self, body: object, param: str):
        with pytest.raises(ApiError) as caught:
            refuse_stored({}, body)
        error = caught.value
        assert (error.status, error.type, error.param, error.code) == (
            403, "invalid_request_error", param, "stored_responses_not_available",
        )  # fmt: skip

    @pytest.mark.parametrize(
        "body",
        [
            None, [], "text", {"input": "Hi", "previous_response_id": None, "store": True},
            {"input": [{"role": "user", "content": "Hi"}, {"type": "reasoning", "id": "rs_1", "summary": []}, 1]},
            {"input": [{"role": "assistant", "id": "msg_1", "content": []}]},
        ],
    )  # fmt: skip
    def test_a_request_that_is_whole_is_passed_on(self, body: object):
        refuse_stored({}, body)

    def test_none_is_read(self):
        with pytest.raises(ApiError):
            refuse_stored({"response_id": "resp_1"}, None)
