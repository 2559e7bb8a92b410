"""An import through `POST /v1/import` of another instance of this service."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import httpx2

from assistants.migrate.lines import CONTENTS, PART, raw_line, read
from assistants.migrate.mapping import CONTENT
from assistants.migrate.told import Told
from assistants.storage.contents import PIECE

_PIECE = PIECE // 4 * 3
"""Bytes of a content in one line; base64 makes them longer by a third."""


def lines(source: Path, told: list[Told]) -> Iterator[bytes]:
    """The objects of a file or a folder as lines, and then the contents of files. `told` gets unsendable lines."""
    for line in read(source):
        if line.error is not None:
            told.append(Told("invalid", "", "", line.at, line.error))
            continue
        if line.note:
            told.append(Told("noted", "", "", line.at, line.note))
        raw: object = line.raw
        if isinstance(raw, dict):
            yield raw_line(cast("dict[str, Any]", raw))
        else:
            told.append(Told("invalid", "", "", line.at, "Not a JSON object."))
    folder = source / CONTENTS
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_file() and path.suffix != PART:
            yield from _content(path)


def _content(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        piece = file.read(_PIECE)
        while True:
            yield raw_line({"object": CONTENT, "file_id": path.stem, "data": base64.b64encode(piece).decode()})
            if not (piece := file.read(_PIECE)):
                return


async def send(
    source: Path, url: str, key: str | None, transport: httpx2.AsyncBaseTransport | None = None, **params: Any
) -> AsyncIterator[Told | dict[str, Any]]:
    """Send an import; yields the service's result for each object, and finally its summary.

    Parameters
    ----------
    url
        The URL of the service, with `/v1`.

    Raises
    ------
    httpx2.HTTPError
        The service does not answer, or refuses the import.
    """

    unsent = list[Told]()

    async def body() -> AsyncIterator[bytes]:
        for line in lines(source, unsent):
            yield line

    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with httpx2.AsyncClient(transport=transport, timeout=httpx2.Timeout(120)) as client:
        asked = client.stream("POST", f"{url.rstrip('/')}/import", params=params, headers=headers, content=body())
        async with asked as answer:
            if answer.status_code != 200:
                await answer.aread()
            answer.raise_for_status()
            for told in unsent:
                yield told
            async for line in answer.aiter_lines():
                if line.strip():
                    found = json.loads(line)
                    yield Told(**found) if "result" in found else found
