"""Notifies the requests of this process that wait for a change of a document which the process writes."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Generic, TypeVar

from pydantic import BaseModel

from assistants.storage.documents import Document

D = TypeVar("D", bound=BaseModel)


class Watch(Generic[D]):
    """The writes of this process to one document, since the watch began."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._latest: Document[D] | None = None

    def tell(self, document: Document[D]) -> None:
        self._latest = document
        self._news.set()

    async def next(self, seconds: float) -> Document[D] | None:
        """The document of the latest write, as soon as there was one; None after `seconds` seconds without a write."""
        waiting = asyncio.create_task(self._news.wait())
        try:
            await asyncio.wait({waiting}, timeout=seconds)
        finally:
            waiting.cancel()
        self._news.clear()
        latest, self._latest = self._latest, None
        return latest


class Changes(Generic[D]):
    """Passes each write to the watches of its document, and to the functions that are subscribed to all documents."""

    def __init__(self) -> None:
        self._watches: dict[str, list[Watch[D]]] = {}
        self._subscribed: list[Callable[[Document[D], D | None], None]] = []

    def subscribe(self, told: Callable[[Document[D], D | None], None]) -> None:
        """Have `told` called for each write, with the value before it; None: the document was created."""
        self._subscribed.append(told)

    def tell(self, document: Document[D], before: D | None) -> None:
        """Pass on a write of this process; `before` is None if it created the document."""
        for told in self._subscribed:
            told(document, before)
        for watch in self._watches.get(document.name, ()):
            watch.tell(document)

    @contextmanager
    def watching(self, name: str) -> Generator[Watch[D]]:
        """Watch the document of that name during the `with` block."""
        watch: Watch[D] = Watch()
        self._watches.setdefault(name, []).append(watch)
        try:
            yield watch
        finally:
            self._watches[name].remove(watch)
            if not self._watches[name]:
                del self._watches[name]
