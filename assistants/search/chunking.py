"""Texts cut into chunks that overlap."""

import re

_WORD = re.compile(r"\s*\S{1,64}")
_PER_TOKEN = 4
"""Characters of a token, about (as everywhere in this service, no vocabulary is needed)."""


def chunk(text: str, size: int, overlap: int) -> list[str]:
    """Chunks of about `size` tokens, each of which begins about `overlap` tokens before the one before it ends.

    They begin and end between words, and together they hold the whole text.
    """
    ends = [match.end() for match in _WORD.finditer(text)]
    chunks: list[str] = []
    start, first = 0, 0
    while first < len(ends):
        last = first
        while last + 1 < len(ends) and ends[last + 1] - start <= size * _PER_TOKEN:
            last += 1
        chunks.append(text[start : ends[last]].strip())
        if last + 1 == len(ends):
            break
        again = last + 1
        while again > first + 1 and ends[last] - ends[again - 2] <= overlap * _PER_TOKEN:
            again -= 1
        start, first = ends[again - 1], again
    return chunks
