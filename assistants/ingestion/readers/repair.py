"""Repairs PDF files whose end is missing, and with it the table of their objects."""

import re
import zlib
from bisect import bisect
from collections.abc import Iterator
from contextlib import suppress

_OBJECT = re.compile(rb"(?<!\d)(\d{1,10})\s{1,9}(\d{1,5})\s{1,9}obj\b")
_CATALOG = re.compile(rb"/Type\s*/Catalog\b")
_PAGE = re.compile(rb"/Type\s*/Page\b")
_PACKED = re.compile(rb"/Type\s*/ObjStm\b")
_COUNT, _FIRST = re.compile(rb"/N\s+(\d{1,6})\b"), re.compile(rb"/First\s+(\d{1,8})\b")
_STREAM = re.compile(rb"stream\r?\n")

_MOST_PAGES = 100_000
_MOST_UNPACKED = 64 * 1024 * 1024


def repaired(content: bytes) -> Iterator[bytes]:
    """The file with a new end: first with its own catalog, then with a catalog of all pages found.

    A reader that does not find the objects' table searches for the objects itself, so it needs no other part.
    """
    last = content.rfind(b"endobj") + len(b"endobj")
    if b"stream" not in content[last:] or b"/XRef" in content[last:]:
        content = content[:last]  # the reader would trust a part of the table
    content = b"\n".join([content, b"endstream endobj", *_unpacked(content), b""])
    objects = [(found.start(), int(found[1]), int(found[2])) for found in _OBJECT.finditer(content)]
    starts = [start for start, *_ in objects]

    def owners(pattern: re.Pattern[bytes]) -> list[str]:
        found = (bisect(starts, each.start()) for each in pattern.finditer(content))
        return [f"{objects[at - 1][1]} {objects[at - 1][2]} R" for at in found if at]

    new = max((number for _, number, _ in objects), default=0) + 1
    for catalog in owners(_CATALOG)[-1:]:
        yield content + _end(new, catalog)
    if pages := owners(_PAGE)[:_MOST_PAGES]:
        made = f"{new} 0 obj<</Type/Catalog/Pages {new + 1} 0 R>>endobj\n"
        made += f"{new + 1} 0 obj<</Type/Pages/Count {len(pages)}/Kids[{' '.join(pages)}]>>endobj\n"
        yield content + made.encode() + _end(new + 2, f"{new} 0 R")


def _unpacked(content: bytes) -> Iterator[bytes]:
    """The objects that are packed in streams (ISO 32000-1, 7.5.7), each unpacked."""
    room = _MOST_UNPACKED
    for found in _PACKED.finditer(content):
        head = content[max(content.rfind(b"obj", 0, found.start()), 0) : content.find(b"stream", found.start())]
        count, first, start = _COUNT.search(head), _FIRST.search(head), _STREAM.search(content, found.start())
        if not (count and first and start):
            continue
        end = content.find(b"endstream", start.end())
        packed = content[start.end() : end if end >= 0 else None]
        with suppress(zlib.error, ValueError, IndexError):
            data = zlib.decompressobj().decompress(packed, room)
            room -= len(data)
            numbers = [int(each) for each in data[: int(first[1])].split()[: 2 * int(count[1])]]
            places = [int(first[1]) + place for place in numbers[1::2]] + [len(data)]
            for at, number in enumerate(numbers[::2]):
                yield b"%d 0 obj\n%s\nendobj" % (number, data[places[at] : places[at + 1]])
        if room <= 0:
            return


def _end(size: int, catalog: str) -> bytes:
    return f"trailer<</Size {size}/Root {catalog}>>\nstartxref\n0\n%%EOF".encode()
