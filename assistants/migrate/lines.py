"""The objects in texts of several formats: NDJSON, arrays, lists of the API's answers, single objects."""

import codecs
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from pydantic_core import from_json, to_json

MAX_LINE = 64 * 1024 * 1024
"""The most bytes of a line."""

MAX_DOCUMENT = 512 * 1024 * 1024
"""The most bytes of a text that is one JSON value of many lines, which is parsed at once."""

CONTENTS = "contents"
"""The folder of an export with the contents of files, each named by its id."""

PART = ".part"
"""The suffix of an incomplete content."""

END = "export"
"""The kind of the line that ends the export of a thread: with it, the thread is complete."""

OF_THREAD = ("thread", "thread.message", "thread.run", "thread.run.step")
"""The kinds of objects that this line counts."""

_ARCHIVES = frozenset({".zip", ".gz", ".tgz", ".tar", ".7z", ".xz", ".bz2"})
_NOT_READ = {
    (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf"): "It is an archive: unpack it first.",
    (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE): "It is in UTF-16: save it as UTF-8.",
}
"""The beginnings of texts that are not read, and the reasons."""

_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})


class Line(NamedTuple):
    """An object in a text, or the reason why there is none."""

    at: str
    """The position, such as `threads.ndjson:12`."""
    raw: Any
    error: str | None = None
    note: str = ""
    """The part of the object that was changed."""


def raw_line(raw: Mapping[str, object]) -> bytes:
    """An object of another server's answer, unchanged, as a line."""
    return json.dumps(raw, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace") + b"\n"


def end_of_thread(thread_id: str, counts: Iterable[int]) -> dict[str, Any]:
    """The end line of a thread with these numbers of objects of each kind."""
    counted = dict(zip(OF_THREAD, counts, strict=True))
    return {"object": END, "status": "completed", "thread_id": thread_id, "counts": counted}


class _Lists:
    """The lists whose last page has not been read, each by the kind and parent of its objects."""

    def __init__(self) -> None:
        self._ends: dict[tuple[str, ...], str] = {}

    def add(self, at: str, page: Mapping[str, Any]) -> None:
        """Add a page, whose first object identifies the list."""
        data = cast("list[Any]", page["data"])
        if not data or not isinstance(data[0], dict) or not isinstance(page.get("has_more"), bool):
            return
        first = cast("dict[str, Any]", data[0])
        key = tuple(str(first.get(name)) for name in ("object", "thread_id", "run_id", "vector_store_id"))
        self._ends[key] = at if page["has_more"] and self._ends.get(key, at) else ""

    def cut(self) -> Iterator[Line]:
        for at in filter(None, self._ends.values()):
            yield Line(at, None, "The list goes on: it has_more, and its last page is not here.")


def read(source: Path) -> Iterator[Line]:
    """The objects of a file, or of the JSON files of a folder in the order of their names; lists with the oldest first.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    lists = _Lists()
    if source.is_dir():
        for path in sorted(path for path in source.rglob("*") if _has_objects(path.relative_to(source))):
            name = path.relative_to(source).as_posix()
            if path.suffix.lower() in _ARCHIVES:
                yield Line(name, None, "It is an archive: unpack it first.")
            else:
                yield from _read_file(path, name, lists)
    else:
        yield from _read_file(source, source.name, lists)
    yield from lists.cut()


def _has_objects(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES | _ARCHIVES and path.parts[0] != CONTENTS


def _read_file(path: Path, name: str, lists: _Lists) -> Iterator[Line]:
    with path.open("rb") as file:
        yield from _read_text(file, name, lists)


def read_text(file: IO[bytes], name: str) -> Iterator[Line]:
    """The objects of a text in UTF-8, read line by line unless its first line is only the beginning of a value."""
    lists = _Lists()
    yield from _read_text(file, name, lists)
    yield from lists.cut()


def _read_text(file: IO[bytes], name: str, lists: _Lists) -> Iterator[Line]:
    beginning = file.read(4)
    for beginnings, why in _NOT_READ.items():
        if beginning.startswith(beginnings):
            yield Line(name, None, why)
            return
    start = len(codecs.BOM_UTF8) if beginning.startswith(codecs.BOM_UTF8) else 0
    file.seek(start)
    if _is_document(file):
        file.seek(start)
        yield from _read_document(file, name, lists)
        return
    file.seek(start)
    for number, line in enumerate(_lines(file), 1):
        at = f"{name}:{number}"
        if len(line) > MAX_LINE:
            yield Line(at, None, f"The line has more than {MAX_LINE} bytes.")
        elif line.strip():
            yield from _values(at, line, lists)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(MAX_LINE + 1):
        yield line
        while len(line) > MAX_LINE and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE + 1)  # skips the rest of a line that is too long


def _is_document(file: IO[bytes]) -> bool:
    """Whether the first line has only the beginning of a value, and no other line is a value by itself."""
    found = (line.strip() for line in _lines(file) if line.strip())
    first = next(found, b"")
    if len(first) > MAX_LINE or not first.startswith((b"{", b"[")):
        return False
    try:
        from_json(first)
    except ValueError as error:
        if not str(error).startswith("EOF"):
            return False
    else:
        return False
    if first.endswith((b"{", b"[", b",")):
        return True
    try:
        return not isinstance(from_json(next(found, b"")), dict)
    except ValueError:
        return True


def _read_document(file: IO[bytes], name: str, lists: _Lists) -> Iterator[Line]:
    """The objects of one or several values of many lines."""
    text = file.read(MAX_DOCUMENT + 1)
    if len(text) > MAX_DOCUMENT:
        yield Line(name, None, f"The text has more than {MAX_DOCUMENT} bytes, and is not NDJSON.")
        return
    try:
        yield from _expanded(name, from_json(text, allow_inf_nan=False), lists)
        return
    except ValueError as error:
        why = f"Not JSON: {error}"
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        number = text.count(b"\n", 0, error.start) + 1
        yield Line(f"{name}:{number}", None, _not_utf8(error))
        return
    del text
    at, decoder, values = _skipped(decoded, 0), json.JSONDecoder(), 0
    while at < len(decoded):
        place = f"{name}:{decoded.count(chr(10), 0, at) + 1}"
        try:
            end = decoder.raw_decode(decoded, at)[1]
        except (ValueError, RecursionError) as error:
            yield Line(place, None, f"Not JSON: {error}") if values else Line(name, None, why)
            return
        yield from _values(place, decoded[at:end].encode(errors="surrogatepass"), lists)
        at, values = _skipped(decoded, end), values + 1


def _skipped(text: str, at: int) -> int:
    """The next position after white space and commas."""
    while at < len(text) and text[at] in " \t\r\n,":
        at += 1
    return at


def _values(at: str, text: bytes, lists: _Lists) -> Iterable[Line]:
    """The objects of a value."""
    try:
        return _expanded(at, from_json(text, allow_inf_nan=False), lists)
    except ValueError as error:
        return _doubtful(at, text, f"Not JSON: {error}", lists)


def _doubtful(at: str, text: bytes, why: str, lists: _Lists) -> Iterable[Line]:
    """The readable objects of a text that is no strict JSON: lone surrogates are replaced."""
    try:
        decoded = text.decode()
        value = json.loads(decoded, parse_constant=_no_number)
        value = from_json(to_json(_mended(value)), allow_inf_nan=False)
    except UnicodeDecodeError as error:
        return [Line(at, None, _not_utf8(error))]
    except _NoNumber as error:
        return [Line(at, None, f"{why} ({error} is no number in JSON)")]
    except (ValueError, RecursionError):
        return [Line(at, None, why)]
    return [
        each if each.error else each._replace(note="Half characters (surrogates) are replaced.")
        for each in _expanded(at, value, lists)
    ]


class _NoNumber(ValueError):
    """NaN, or Infinity."""


def _no_number(name: str) -> None:
    raise _NoNumber(name)


def _not_utf8(error: UnicodeDecodeError) -> str:
    return f"Not UTF-8 at byte {error.start + 1}: it may be Windows-1252. Save the text as UTF-8."


def _mended(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_mended(each) for each in cast("list[Any]", value)]
        case dict():
            return {_mended(name): _mended(each) for name, each in cast("dict[str, Any]", value).items()}
        case _:
            return value


def _expanded(at: str, value: Any, lists: _Lists) -> Iterable[Line]:
    match value:
        case {"data": list()} if value.get("object", "list") == "list" and "id" not in value:
            lists.add(at, cast("dict[str, Any]", value))
            found = cast("list[Any]", value["data"])
            numbered = list(enumerate(found, 1))
            return [
                Line(f"{at}[{number}]", each)
                for number, each in (numbered[::-1] if _is_newest_first(found) else numbered)
            ]
        case list():
            found = cast("list[Any]", value)
            return [
                inner
                for number, each in enumerate(found, 1)
                for inner in (
                    _expanded(f"{at}[{number}]", each, lists)
                    if isinstance(each, dict) and "data" in each
                    else [Line(f"{at}[{number}]", each)]
                )
            ]
        case dict():
            return [Line(at, value)]
        case _:
            return [Line(at, None, "Not a JSON object.")]


def _is_newest_first(found: list[Any]) -> bool:
    """Whether a page has the newest first, which is the default order."""
    times = [cast("dict[str, Any]", each).get("created_at") for each in found if isinstance(each, dict)]
    numbers = [each for each in times if isinstance(each, int | float)]
    return bool(numbers) and numbers[0] >= numbers[-1]
