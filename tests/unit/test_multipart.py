"""Forms that are fed with chunks: the same result for every way of cutting, and bounded memory."""

import tracemalloc
from collections.abc import Iterator

import pytest

from assistants.api.files import file_form
from assistants.api.multipart import Form
from assistants.schema.errors import ApiError
from assistants.schema.files import CreateFile
from assistants.storage.contents import PIECE

HEADERS = {"content-type": "multipart/form-data; boundary=x"}
HEAD = (
    b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nvision\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
)
TAIL = b"\r\n--x--\r\n"


def cut(content: bytes, size: int) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_it_is_the_same_however_it_is_cut(size: int):
    file, kept = bytes(range(256)) + b"\r\n--\r\n--y", list[bytes]()

    async def keep(piece: bytes) -> None:
        kept.append(piece)

    form = file_form(HEADERS, keep)
    for chunk in cut(HEAD + file + TAIL, size):
        await form.feed(chunk)
    assert await form.result() == CreateFile(file="a.bin", purpose="vision")
    assert (b"".join(kept), form.bytes) == (file, len(file))


async def test_a_file_is_kept_in_pieces_of_one_size():
    sizes = list[int]()

    async def keep(piece: bytes) -> None:
        sizes.append(len(piece))

    form = file_form(HEADERS, keep)
    for chunk in cut(HEAD + bytes(2 * PIECE + 1) + TAIL, 3 * PIECE):
        await form.feed(chunk)
    await form.result()
    assert sizes == [PIECE, PIECE, 1]


async def test_a_file_that_is_not_kept_takes_no_memory():
    form, chunk = file_form(HEADERS), bytes(65536)
    await form.feed(HEAD)
    tracemalloc.start()
    for _ in range(256):
        await form.feed(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    await form.feed(TAIL)
    assert (await form.result()).file == "a.bin"
    assert form.bytes == 256 * 65536
    assert peak < 1_000_000


async def test_a_refused_form_stays_refused():
    form = Form(CreateFile, "file", range(11), HEADERS)
    for chunk in (HEAD, bytes(11), TAIL):
        await form.feed(chunk)
    assert form.refusal is not None
    with pytest.raises(ApiError) as caught:
        await form.result()
    assert (caught.value.status, caught.value.code) == (413, "file_above_max_size")
