"""The objects in texts of several formats: NDJSON, arrays, lists of the API's answers, single objects."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from pydantic_core import from_json

MAX_LINE = 64 * 1024 * 1024
"""The most bytes of a line."""

MAX_DOCUMENT = 512 * 1024 * 1024
"""The most bytes of a text that is one JSON value of many lines, which is parsed at once."""

CONTENTS = "contents"
"""The folder of an export with the contents of files, each named by its id."""

PART = ".part"
"""The suffix of a content that is not whole."""

END = "export"
"""The kind of the line that ends the export of a thread: with it, the thread is whole."""

OF_THREAD = ("thread", "thread.message", "thread.run", "thread.run.step")
"""The kinds of what it counts."""

SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})


class Line(NamedTuple):
    """An object in a text, or the reason why there is none."""

    at: str
    """The position, such as `threads.ndjson:12`."""
    raw: Any
    error: str | None = None


def raw_line(raw: Mapping[str, object]) -> bytes:
    """An object as another server answered it, as a line."""
    return json.dumps(raw, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace") + b"\n"


def end_of_thread(thread_id: str, counts: Iterable[int]) -> dict[str, Any]:
    """The end line of a thread with so many objects of each kind."""
    counted = dict(zip(OF_THREAD, counts, strict=True))
    return {"object": END, "status": "completed", "thread_id": thread_id, "counts": counted}


def read(source: Path) -> Iterator[Line]:
    """The objects of a file, or of the JSON files of a folder in the order of their names; lists with the oldest first.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    if source.is_dir():
        for path in sorted(path for path in source.rglob("*") if _has_objects(path.relative_to(source))):
            yield from _read_file(path, path.relative_to(source).as_posix())
    else:
        yield from _read_file(source, source.name)


def _has_objects(path: Path) -> bool:
    return path.suffix in SUFFIXES and path.parts[0] != CONTENTS


def _read_file(path: Path, name: str) -> Iterator[Line]:
    with path.open("rb") as file:
        yield from read_text(file, name)


def read_text(file: IO[bytes], name: str) -> Iterator[Line]:
    """The objects of a text, which is read line by line unless its first line is no JSON value."""
    begun = False
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        first, begun = not begun, True
        at = f"{name}:{number}"
        if len(line) > MAX_LINE:
            yield Line(at, None, f"The line has more than {MAX_LINE} bytes.")
            continue
        try:
            yield from _expanded(at, from_json(line, allow_inf_nan=False))
        except ValueError as error:
            if first and line.strip()[:1] in (b"{", b"["):
                file.seek(0)
                yield from _read_document(file, name)
                return
            yield Line(at, None, f"Not JSON: {error}")


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(MAX_LINE + 1):
        yield line
        while len(line) > MAX_LINE and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE + 1)  # skips the rest of a line that is too long


def _read_document(file: IO[bytes], name: str) -> Iterator[Line]:
    text = file.read(MAX_DOCUMENT + 1)
    if len(text) > MAX_DOCUMENT:
        yield Line(name, None, f"The text has more than {MAX_DOCUMENT} bytes, and is not NDJSON.")
        return
    try:
        yield from _expanded(name, from_json(text, allow_inf_nan=False))
    except ValueError as error:
        yield Line(name, None, f"Not JSON: {error}")


def _expanded(at: str, value: Any) -> Iterable[Line]:
    match value:
        case {"object": "list", "data": list()}:
            found = cast("list[Any]", value["data"])
            numbered = list(enumerate(found, 1))
            return [Line(f"{at}[{number}]", each) for number, each in (numbered[::-1] if _falls(found) else numbered)]
        case list():
            return [Line(f"{at}[{number}]", each) for number, each in enumerate(cast("list[Any]", value), 1)]
        case dict():
            return [Line(at, value)]
        case _:
            return [Line(at, None, "Not a JSON object.")]


def _falls(found: list[Any]) -> bool:
    """Whether a page has the newest first, which is the default order."""
    times = [cast("dict[str, Any]", each).get("created_at") for each in found if isinstance(each, dict)]
    numbers = [each for each in times if isinstance(each, int | float)]
    return bool(numbers) and numbers[0] >= numbers[-1]
