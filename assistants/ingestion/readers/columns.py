"""The reading order of the lines of a page: down a column, then down the next one."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

GAP = 1.5
"""The least width of a gap between two separate pieces of a line, in heights of its letters."""

_LEADING = 2.0
"""The greatest distance of two lines of a column, in heights of letters."""

_MOST_COLUMNS = 8
LINES, _WORDS = 3, 3
"""The fewest lines of a column, and words in half of them. A smaller block is a table, which is read row by row."""


class Piece(NamedTuple):
    """A part of a line without a gap; positions and lengths are in points, upwards and to the right."""

    text: str
    left: float
    right: float
    bottom: float
    height: float
    slant: float = 0
    """Radians clockwise. Positions in a slanted line are as if it were level; it has no widths and heights."""


Line = Sequence[Piece]
_Gutter = tuple[float, float]


def in_order(lines: Sequence[Line], columns: int = _MOST_COLUMNS) -> Iterator[str]:
    """The texts of lines in reading order; the lines are given as they were drawn, from top to bottom."""
    at = 0
    while at < len(lines):
        length, gutter = _block(lines, at)
        block = lines[at : at + length]
        at += length
        halves = _halves(block, gutter) if gutter and columns > 1 else []
        if halves and all(_is_prose(half) for half in halves):
            for half in halves:
                yield from in_order(half, columns - 1)
        else:
            yield from (" ".join(piece.text for piece in line) for line in block)


def _block(lines: Sequence[Line], start: int) -> tuple[int, _Gutter | None]:
    """The number of lines from a start on that leave the same gap free, and the place of the gap."""
    gutters = [(one.right, other.left) for one, other in pairwise(lines[start])]
    length, found = 1, gutters[0] if gutters else None
    for above, line in pairwise(lines[start:]):
        gutters = [free for gutter in gutters if (free := _free(gutter, line))]
        step = above[0].bottom - line[0].bottom
        if not gutters or not 0 < step <= _LEADING * above[0].height:
            break
        length, found = length + 1, gutters[0]
    return length, found


def _free(gutter: _Gutter, line: Line) -> _Gutter | None:
    """The part of a gap that a line leaves free."""
    left, right = gutter
    for piece in line:
        if piece.left < right and piece.right > left:
            if piece.left <= left:
                left = piece.right
            else:
                right = piece.left
    return (left, right) if right - left >= line[0].height else None


def _halves(block: Sequence[Line], gutter: _Gutter) -> list[list[Line]]:
    middle = sum(gutter) / 2
    sides = ([[p for p in line if (p.left < middle) is left] for line in block] for left in (True, False))
    return [[line for line in side if line] for side in sides]


def _is_prose(lines: Sequence[Line]) -> bool:
    return len(lines) >= LINES and median(sum(len(p.text.split()) for p in line) for line in lines) >= _WORDS
