"""The export from another server, into a folder."""

from collections.abc import AsyncIterator, Sequence
from itertools import islice
from urllib.parse import quote

from assistants.migrate.folder import ALL, KINDS, Folder, Progress, Tell
from assistants.migrate.lines import END, end_of_thread, raw_line
from assistants.migrate.source import Json, Refused, Source
from assistants.migrate.spool import Spool
from assistants.migrate.times import seconds
from assistants.storage.concurrency import for_each

_AT_ONCE = 16
"""The number of threads or files that are read before their lines are written."""

_STOPS = frozenset({0, 401, 403})
"""Statuses of no answer, or of refused credentials: the export has to be repeated."""

_NO_CURSOR = frozenset({400, 404})
"""Statuses if the object of a cursor no longer exists."""

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
        for kind in KINDS:
            await self._retry_missing(kind)
            if kind == "threads" and self._threads is not None:
                await self._named(self._threads)
            elif not self._folder.done(kind).complete:
                await self._listed(kind)

    async def _retry_missing(self, kind: str) -> None:
        """Request the missing objects again."""
        missing = self._folder.missing_of(kind)
        for start in range(0, len(missing), _AT_ONCE):
            portion = missing[start : start + _AT_ONCE]
            self._folder.forget_missing(kind, portion)
            if kind == "files":
                await for_each(self._content, portion)
                found = []
            else:
                found = await for_each(lambda identifier: self._by_id(kind, identifier), portion)
            self._write(kind, found, 0, None, None)

    async def _listed(self, kind: str) -> None:
        """Read the list of the kind, and the objects that belong to its objects."""
        with Spool() as spool:
            try:
                async for page in self._pages(kind):
                    for each in page:
                        if self._wanted(each):
                            spool.add(kind, "", "", each)
                    self._tell(Progress(kind, 0, None, spool.size(kind, "")))
            except Refused as error:
                return self._not_listed(kind, error)
            read = self._folder.done(kind).read
            total, listed = read + spool.size(kind, ""), spool.read(kind, "")
            self._tell(Progress(kind, read, total, self._folder.done(kind).objects))
            while portion := [each.raw for each in islice(listed, _AT_ONCE)]:
                found = await for_each(lambda shown: self._whole(kind, shown), portion)
                self._write(kind, found, len(portion), total, str(portion[-1]["id"]))
        return self._folder.end(kind)

    def _not_listed(self, kind: str, error: Refused) -> None:
        help_ = " Name a file with the ids of threads by --threads." if kind == "threads" else ""
        self._note(kind, ALL, f"{kind} {ALL}", error, help_)
        self._write(kind, [], 0, None, None)

    async def _pages(self, kind: str) -> AsyncIterator[list[Json]]:
        """The pages of a list from the export's position on, even if the object at the position was deleted."""
        after, known = self._folder.done(kind).after, set[str]()
        while True:
            news = False
            try:
                async for page in self._source.pages(f"/{kind}", after):
                    if new := [each for each in page if str(each["id"]) not in known]:
                        known |= {str(each["id"]) for each in new}
                        news = True
                        yield new
                return
            except Refused as error:
                if error.status not in _NO_CURSOR or not (after or news):
                    raise
            known, after = known | self._folder.ids(kind), None

    async def _named(self, ids: Sequence[str]) -> None:
        had = {*self._folder.ids("threads"), *self._folder.missing_of("threads")}
        left = [each for each in ids if each not in had]
        total = self._folder.done("threads").read + len(left)
        for start in range(0, len(left), _AT_ONCE):
            portion = left[start : start + _AT_ONCE]
            found = await for_each(lambda identifier: self._by_id("threads", identifier), portion)
            self._write("threads", found, len(portion), total, portion[-1])
        self._folder.end("threads")

    def _write(
        self, kind: str, found: Sequence[Sequence[Json]], read: int, total: int | None, after: str | None
    ) -> None:
        ends, lines = 0, list[bytes]()
        for each in (each for objects in found for each in objects):
            ends += each.get("object") == END
            lines.append(raw_line(each))
        self._folder.write(kind, lines, len(lines) - ends, read, after)
        done = self._folder.done(kind)
        self._tell(Progress(kind, done.read, total, done.objects))

    async def _by_id(self, kind: str, identifier: str) -> Sequence[Json]:
        try:
            shown = await self._source.get(f"/{kind}/{quote(identifier, safe='')}")
        except Refused as error:
            self._note(kind, identifier, f"{kind[:-1]} {identifier}", error)
            return []
        shown = {"id": identifier, **shown}
        return await self._whole(kind, shown) if self._wanted(shown) else []

    async def _whole(self, kind: str, shown: Json) -> Sequence[Json]:
        """An object of a list with all objects that belong to it."""
        if kind == "threads":
            return await self._thread(shown)
        if kind == "files":
            await self._content(str(shown["id"]))
        if kind == "vector_stores":
            identifier = str(shown["id"])
            path = f"/vector_stores/{identifier}/files"
            return [shown, *(await self._children("vector_store.file", kind, identifier, path) or ())]
        return [shown]

    async def _content(self, identifier: str) -> None:
        place = self._folder.content(identifier)
        if place is None:
            self._folder.miss("files", identifier, f"file.content {identifier!r}", "its id is no name of a file")
        elif not place.exists():
            try:
                await self._source.download(f"/files/{identifier}/content", place)
            except Refused as error:
                self._note("files", identifier, f"file.content {identifier}", error)

    async def _thread(self, shown: Json) -> Sequence[Json]:
        """A thread with all of its objects; with its end line, if none is missing."""
        identifier = str(shown["id"])
        path = f"/threads/{identifier}"
        messages = await self._children("thread.message", "threads", identifier, f"{path}/messages")
        runs = await self._children("thread.run", "threads", identifier, f"{path}/runs")
        found, whole, steps = [shown, *(messages or ())], None not in (messages, runs), 0
        for run in runs or ():
            of_run = await self._steps(identifier, str(run["id"]))
            found += [run, *(of_run or ())]
            steps, whole = steps + len(of_run or ()), whole and of_run is not None
        counts = (1, len(messages or ()), len(runs or ()), steps)
        return [*found, end_of_thread(identifier, counts)] if whole else found

    async def _steps(self, thread: str, run: str) -> Sequence[Json] | None:
        path = f"/threads/{thread}/runs/{run}/steps"
        try:
            return await _all(self._source.pages(path, **{"include[]": _TEXTS}))
        except Refused:  # it may not have the parameter
            return await self._children("thread.run.step", "threads", thread, path, run)

    async def _children(self, what: str, kind: str, parent: str, path: str, of: str = "") -> Sequence[Json] | None:
        """The objects that belong to an object; None: they could not be exported."""
        try:
            return await _all(self._source.pages(path))
        except Refused as error:
            self._note(kind, parent, f"{what} of {of or parent}", error)
            return None

    def _wanted(self, shown: Json) -> bool:
        return (seconds(shown.get("created_at")) or 0) >= self._since

    def _note(self, kind: str, parent: str, what: str, error: Refused, help_: str = "") -> None:
        if error.status in _STOPS:
            raise error
        self._folder.miss(kind, parent, what, f"{error}{help_}")


async def _all(pages: AsyncIterator[list[Json]]) -> list[Json]:
    return [each async for page in pages for each in page]
