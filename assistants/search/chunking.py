"""Cuts texts into chunks that overlap."""

import re
from bisect import bisect_right
from collections.abc import Callable
from typing import NamedTuple

from assistants.tokens import of_text

_PER_TOKEN = 4
"""The most characters of a token, as tokens are estimated."""

_BREAKS = ("\n\n", "\n", "\u3002", ". ", " ", "\t")
"""The places after which a text is cut, the best first: a paragraph, a line, a sentence, a word."""

_SLACK = 8
"""The parts by which a chunk may be shorter and an overlap smaller, for a better place to cut."""

_VISIBLE = re.compile(r"\S")


class Span(NamedTuple):
    """A piece of a text: its start and its end."""

    start: int
    end: int


def chunk(text: str, size: int, overlap: int) -> list[Span]:
    """Chunks of at most `size` tokens; each begins about `overlap` tokens before the end of the preceding one.

    They begin and end between words if there are any, and together they contain all of the text but white space.
    """
    spans: list[Span] = []
    start = _visible(text, 0)
    while start < len(text):
        end = _end(text, start, size)
        spans.append(Span(start, start + len(text[start:end].rstrip())))
        if _visible(text, end) == len(text):
            break
        start = _visible(text, max(_again(text, end, overlap), start + 1))
    return spans


def _end(text: str, start: int, size: int) -> int:
    """The end of the chunk that begins at `start`."""
    piece = text[start : start + size * _PER_TOKEN]
    length = _most(len(piece), size, lambda length: piece[:length]) if not piece.isascii() else len(piece)
    end = start + length
    return end if end == len(text) else _cut(text.rfind, end - length // _SLACK, end) or end


def _again(text: str, end: int, overlap: int) -> int:
    """The start of the chunk after the one that ends at `end`."""
    piece = text[max(end - overlap * _PER_TOKEN, 0) : end]
    length = _most(len(piece), overlap, lambda length: piece[-length:]) if not piece.isascii() else len(piece)
    start = end - length
    return _cut(text.find, start, start + length // _SLACK) or start


def _cut(find: Callable[[str, int, int], int], low: int, high: int) -> int | None:
    for mark in _BREAKS:
        at = find(mark, low, high)
        if at >= 0:
            return at + len(mark)
    return None


def _most(length: int, tokens: int, piece: Callable[[int], str]) -> int:
    """The greatest length of a piece of at most `tokens` tokens."""
    return bisect_right(range(1, length + 1), tokens, key=lambda length: of_text(piece(length)))


def _visible(text: str, start: int) -> int:
    """The position of the next character that is not white space; the end of the text if there is none."""
    found = _VISIBLE.search(text, start)
    return found.start() if found else len(text)
