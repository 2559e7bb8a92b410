"""The export from another server, into a folder."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from assistants.migrate.folder import Folder, Tell, raw_line
from assistants.migrate.source import Json, Refused, Source
from assistants.storage.concurrency import for_each

_AT_ONCE = 16
"""The number of threads or files that are read before their lines are written."""

_STOPS = frozenset({0, 401, 403})
"""Statuses of no answer, or of refused credentials: the export has to be repeated."""

_TEXTS = "step_details.tool_calls[*].file_search.results[*].content"


class Export:
    """An export from a server. A repeated call continues a stopped export.

    Parameters
    ----------
    since
        Unix seconds: only objects created at that time or later.
    threads
        Ids of threads, for a server that does not list them.
    """

    def __init__(
        self, source: Source, folder: Folder, tell: Tell, since: int = 0, threads: Sequence[str] | None = None
    ) -> None:
        self._source, self._folder, self._tell = source, folder, tell
        self._since, self._threads = since, threads

    async def run(self) -> None:
        """
        Raises
        ------
        Refused
            The server does not answer, or refuses the credentials.
        """
        await self._listed("assistants", self._as_it_is)
        await self._listed("files", self._file)
        await self._listed("vector_stores", self._store)
        if self._threads is None:
            await self._listed("threads", self._thread)
        else:
            await self._named(self._threads)

    async def _listed(self, kind: str, read: Any) -> None:
        done = self._folder.done(kind)
        if done.complete:
            return
        try:
            async for page in self._source.pages(f"/{kind}", done.after):
                for start in range(0, len(page), _AT_ONCE):
                    portion = page[start : start + _AT_ONCE]
                    wanted = [each for each in portion if int(each.get("created_at") or 0) >= self._since]
                    await self._write(kind, await for_each(read, wanted), str(portion[-1]["id"]))
        except Refused as error:
            self._note(kind, "*", error)
            if kind == "threads":
                self._tell("This server does not list threads: name a file with their ids by --threads.")
            return
        self._folder.complete(kind)

    async def _named(self, ids: Sequence[str]) -> None:
        done = self._folder.done("threads")
        first = ids.index(done.after) + 1 if done.after in ids else 0
        for start in range(first, len(ids), _AT_ONCE):
            portion = ids[start : start + _AT_ONCE]
            await self._write("threads", await for_each(self._thread_of, portion), portion[-1])
        self._folder.complete("threads")

    async def _write(self, kind: str, found: Sequence[Sequence[Json]], after: str) -> None:
        self._folder.write(kind, (raw_line(each) for lines in found for each in lines), after)
        self._tell(f"{kind}: {self._folder.done(kind).objects}")

    async def _as_it_is(self, shown: Json) -> Sequence[Json]:
        return [shown]

    async def _file(self, shown: Json) -> Sequence[Json]:
        identifier = str(shown["id"])
        place = self._folder.content(identifier)
        if place is None:
            self._folder.miss("file.content", repr(identifier), "its id is no name of a file")
        elif not place.exists():
            try:
                await self._source.download(f"/files/{identifier}/content", place)
            except Refused as error:
                self._note("file.content", identifier, error)
        return [shown]

    async def _store(self, shown: Json) -> Sequence[Json]:
        identifier = str(shown["id"])
        return [shown, *await self._children("vector_store.file", identifier, f"/vector_stores/{identifier}/files")]

    async def _thread_of(self, identifier: str) -> Sequence[Json]:
        try:
            shown = await self._source.get(f"/threads/{identifier}")
        except Refused as error:
            self._note("thread", identifier, error)
            return []
        return await self._thread(shown) if int(shown.get("created_at") or 0) >= self._since else []

    async def _thread(self, shown: Json) -> Sequence[Json]:
        identifier = str(shown["id"])
        path = f"/threads/{identifier}"
        found = [shown, *await self._children("thread.message", identifier, f"{path}/messages")]
        for run in await self._children("thread.run", identifier, f"{path}/runs"):
            found += [run, *await self._steps(identifier, str(run["id"]))]
        return found

    async def _steps(self, thread: str, run: str) -> Sequence[Json]:
        path = f"/threads/{thread}/runs/{run}/steps"
        try:
            return await _all(self._source.pages(path, **{"include[]": _TEXTS}))
        except Refused:  # it may not know the parameter
            return await self._children("thread.run.step", run, path)

    async def _children(self, kind: str, parent: str, path: str) -> Sequence[Json]:
        try:
            return await _all(self._source.pages(path))
        except Refused as error:
            self._note(kind, f"of {parent}", error)
            return []

    def _note(self, kind: str, identifier: str, error: Refused) -> None:
        if error.status in _STOPS:
            raise error
        self._folder.miss(kind, identifier, str(error))


async def _all(pages: AsyncIterator[list[Json]]) -> list[Json]:
    return [each async for page in pages for each in page]
