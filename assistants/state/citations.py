"""Citations and links: the annotations of the model's text (contract, 3 and 12).

A mark is `【number:place†source】`: the number of the call of a search, and the place of the result among its results.
The source may be any text, or missing. One mark may name several results, separated by commas or semicolons; it may
contain spaces, and a full-width colon. All positions are code points.

A link is `sandbox:/mnt/data/` and the path of a file that code has made, as it is or percent-encoded.
"""

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote as encoded

from assistants.schema.messages import FileCitation, FilePath
from assistants.state.runs import FUNCTION, Found, ToolCall, Turn

MAX_CITATIONS = 200
"""Annotations of one message; further marks get none. With the text they fit into a record of the log."""

MAX_QUOTE = 300
"""Code points of a quote."""

_MAX_NAME = 100
_MAX_CLAIM = 500
_LAST_NUMBER = 999_999

_MAX_MARK = 600
_MAX_RESULTS = 20
"""The most results that one mark may name."""

_ENDS = ".!?\u3002\uff01\uff1f"
_BLANK, _SEPARATOR = " \u00a0\u202f\u3000", ",;\uff0c\uff1b\u3001"
_GAP = f"[{_BLANK}]{{0,3}}"
_NAMED = f"([0-9]{{1,9}}){_GAP}[:\uff1a]{_GAP}([0-9]{{1,4}})"
_NEXT = f"(?:[{_SEPARATOR}]{_GAP}{_NAMED}(?={_GAP}[†{_SEPARATOR}】])|[{_BLANK}]{_NAMED}(?={_GAP}†))"
"""Another result in the same mark; any other text belongs to the source before it."""
_HALF = f"{_GAP}(?:[0-9]{{1,9}}{_GAP}(?:[:\uff1a]{_GAP}[0-9]{{0,4}}{_GAP})?)?"
"""A beginning that may become `_NAMED` as the text continues."""
_HALF_NEXT = f"(?:[{_SEPARATOR}{_BLANK}]{_HALF}\\Z)"
_SOURCE = f"(?:†(?:(?!{_NEXT}|{_HALF_NEXT})[^【】\x00-\x1f]){{0,200}})?"
_RESULTS = f"{_GAP}{_NAMED}{_GAP}{_SOURCE}(?:{_NEXT}{_GAP}{_SOURCE}){{0,{_MAX_RESULTS - 1}}}"
_MARK, _BEGUN = re.compile(f"【{_RESULTS}】"), re.compile(f"【(?:{_HALF}|{_RESULTS}{_HALF_NEXT}?)")
_FIRST_RESULT, _NEXT_RESULT = re.compile(f"【{_GAP}{_NAMED}"), re.compile(_NEXT)
_SENTENCE_END = re.compile(rf"(?<=[{_ENDS[:3]}])\s+|(?<=[{_ENDS[3:]}])|\s*\n\s*")
_PASSAGE = re.compile(rf"\S.{{0,{MAX_QUOTE - 1}}}(?!\S)|\S{{1,{MAX_QUOTE}}}")


_LINK = "sandbox:/mnt/data/"


class Piece(NamedTuple):
    """A piece of a text: a mark or a link with its annotation, or text without one."""

    text: str
    annotation: FileCitation | FilePath | None = None


def mark(number: int, place: int, file_name: str) -> str:
    """The mark of a result."""
    source = re.sub(r"[【】†\x00-\x1f]+", " ", file_name)[:_MAX_NAME].strip()
    source = _NEXT_RESULT.sub(" ", f"{source}】").removesuffix("】")
    return f"【{number}:{place}†{source}】"


def settled(text: str, turns: Sequence[Turn] = ()) -> int:
    """The length of the text without a mark or a link at its end that may still be completed."""
    last = text.rfind("【", max(len(text) - _MAX_MARK, 0))
    return last if last >= 0 and _BEGUN.fullmatch(text, last) else _settled_link(text, _made(turns))


def pieces(turns: Sequence[Turn], text: str, before: Sequence[str] = (), cited: int = 0) -> Iterator[Piece]:
    """A text, cut into pieces at its marks of search results and its links to files that code has made.

    Parameters
    ----------
    turns
        The turns of the run before the turn of the text.
    before
        The preceding parts of the message's text. None of them ends in an unfinished mark or link.
    cited
        The number of annotations in them.
    """
    whole, offset, at = "", 0, 0
    made = _made(turns)
    links = _links(frozenset(made)).finditer(text) if made and _LINK in text else ()
    for found in sorted([*_MARK.finditer(text), *links], key=lambda each: each.start()):
        if found.re is not _MARK:
            if found.start() >= at and cited < MAX_CITATIONS:
                if found.start() > at:
                    yield Piece(text[at : found.start()])
                start = sum(map(len, before)) + found.start()
                yield Piece(found[0], _link(found[0], start, made[_path(found[0], made)]))
                at, cited = found.end(), cited + 1
            continue
        for start, end, result in _cited(turns, found, MAX_CITATIONS - cited):
            if start > at:
                yield Piece(text[at:start])
            if not whole:
                whole = "".join([*before, text])
                offset = len(whole) - len(text)
            claimed = offset + found.start()
            claim = _claim(whole[max(claimed - _MAX_CLAIM, 0) : claimed])
            yield Piece(text[start:end], _citation(text[start:end], offset + start, claim, *result))
            at, cited = end, cited + 1
    if at < len(text):
        yield Piece(text[at:])


def annotations(turns: Sequence[Turn], text: str) -> list[FileCitation | FilePath]:
    """The annotations of a whole text."""
    return [piece.annotation for piece in pieces(turns, text) if piece.annotation]


def numbered(turns: Sequence[Turn], said: Iterable[str], calls: Sequence[ToolCall]) -> list[ToolCall]:
    """The calls of the next turn; those of server tools get numbers that no mark in the thread or of the run has yet.

    `said` are the texts of the thread: a citation that the model repeats from one of them gets no annotation.
    """
    if all(call.type == FUNCTION for call in calls):
        return list(calls)
    marked = (each.number for text in said for found in _MARK.finditer(text) for each in _named(found))
    used = [number for number in marked if number <= _LAST_NUMBER]
    numbers = itertools.count(max([*used, *(call.number for turn in turns for call in turn.calls)], default=0) + 1)
    return [call if call.type == FUNCTION else call.model_copy(update={"number": next(numbers)}) for call in calls]


def quote(text: str, claim: str) -> str:
    """The passage of a text that has the most in common with the claim that cites it, word for word.

    Letters are compared by threes, which works for any script; of equally good passages the first is taken.
    """
    said = _threes(claim)

    def likeness(passage: tuple[str, frozenset[str]]) -> float:
        return len(passage[1] & said) / math.sqrt(len(passage[1]) + 20)

    return max(_passages(text), key=likeness, default=("", said))[0]


class _Named(NamedTuple):
    """A result that a mark names: the number of its call, its place, and the position of this in the mark."""

    number: int
    place: int
    start: int
    end: int


def _named(found: re.Match[str]) -> list[_Named]:
    """The results of a mark."""
    text, end = found.string, found.end() - 1
    first = _FIRST_RESULT.match(text, found.start(), end)
    assert first is not None
    others = list(_NEXT_RESULT.finditer(text, first.end(), found.end()))
    pairs = [(first, 1), *((each, 1 if each[1] else 3) for each in others)]
    ends = [*(each.start() for each in others), end]
    return [
        _Named(int(each[group]), int(each[group + 1]), each.start(group), _trimmed(text, until))
        for (each, group), until in zip(pairs, ends, strict=True)
    ]


def _trimmed(text: str, end: int) -> int:
    """The end of the text that ends at `end`, without the blanks before it."""
    while text[end - 1] in _BLANK:
        end -= 1
    return end


def _cited(turns: Sequence[Turn], found: re.Match[str], most: int) -> list[tuple[int, int, tuple[ToolCall, Found]]]:
    """The parts of a mark that cite a result: start, end, and the result with its call.

    If all results that it names exist, each has a share of the mark, so that a client which replaces the citations
    replaces the whole mark. Otherwise each existing result has the part that names it, and the rest stays text.
    """
    if len(found[0]) > _MAX_MARK:
        return []
    named = _named(found)
    results = [(each, result) for each in named if (result := _result(turns, each.number, each.place))][:most]
    if len(results) < len(named):
        return [(each.start, each.end, result) for each, result in results]
    starts = [found.start(), *(each.start for each in named[1:]), found.end()]
    return [(*span, result) for span, (_, result) in zip(itertools.pairwise(starts), results, strict=True)]


def _citation(text: str, start: int, claim: str, call: ToolCall, found: Found) -> FileCitation:
    output = call.output or ""
    return FileCitation(
        type="file_citation",
        text=text,
        start_index=start,
        end_index=start + len(text),
        file_citation={"file_id": found.file_id, "quote": quote(output[found.start : found.end], claim)},
    )


def _link(text: str, start: int, file_id: str) -> FilePath:
    end = start + len(text)
    return FilePath(type="file_path", text=text, start_index=start, end_index=end, file_path={"file_id": file_id})


def _made(turns: Sequence[Turn]) -> dict[str, str]:
    """The ids of the files that code has made, by their paths; of one path, the latest file."""
    found: dict[str, str] = {}
    for turn in turns:
        for call in turn.calls:
            if call.ran is not None:
                found |= call.ran.files
    return found


def _path(link: str, made: dict[str, str]) -> str:
    path = link.removeprefix(_LINK)
    return path if path in made else next(each for each in made if encoded(each) == path)


@lru_cache(maxsize=16)
def _targets(paths: frozenset[str]) -> tuple[str, ...]:
    """The targets of links to these files, the longest first."""
    return tuple(sorted({_LINK + each for path in paths for each in (path, encoded(path))}, key=len, reverse=True))


@lru_cache(maxsize=16)
def _links(paths: frozenset[str]) -> re.Pattern[str]:
    """A pattern of a link to one of these files; the file's name does not continue behind the link."""
    return re.compile(f"(?:{'|'.join(map(re.escape, _targets(paths)))})(?![\\w-]|\\.\\w)")


def _settled_link(text: str, made: dict[str, str]) -> int:
    """The length of the text without a link at its end whose end is not known."""
    if not made:
        return len(text)
    targets = _targets(frozenset(made))
    last = text.rfind(_LINK[0], max(len(text) - len(targets[0]) - 1, 0))
    first = len(text)
    while last >= 0:
        rest = text[last:]
        if any(f"{target}.".startswith(rest) for target in targets):
            first = last
        last = text.rfind(_LINK[0], max(len(text) - len(targets[0]) - 1, 0), last)
    return first


def _result(turns: Sequence[Turn], number: int, place: int) -> tuple[ToolCall, Found] | None:
    for turn in turns:
        for call in turn.calls:
            if call.number == number and call.found is not None and place < len(call.found):
                return call, call.found[place]
    return None


def _claim(before: str) -> str:
    """The sentence that contains the mark or precedes it."""
    said = _MARK.sub("", before).rstrip(f"{_ENDS} \n")
    return _SENTENCE_END.split(said)[-1]


@lru_cache(maxsize=16)
def _passages(text: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """The passages with their letters by threes; cached, as a text that is cited once is mostly cited again."""
    found = (part[0] for sentence in _SENTENCE_END.split(text) for part in _PASSAGE.finditer(sentence))
    return tuple((passage, _threes(passage)) for passage in found)


def _threes(text: str) -> frozenset[str]:
    folded = " ".join(text.casefold().split())
    return frozenset(folded[at : at + 3] for at in range(len(folded) - 2))
