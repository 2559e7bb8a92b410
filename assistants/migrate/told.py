"""The report of an import."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple

Result = Literal["imported", "there", "overwritten", "invalid", "noted"]
"""`noted`: it is imported, except for the part that `why` names."""


class Told(NamedTuple):
    """The result of one object, and the position of its line."""

    result: Result
    object: str
    id: str
    at: str = ""
    why: str = ""


class Report:
    """Reports each result, and counts them by kind of object."""

    def __init__(self, tell: Callable[[Told], Awaitable[None]]) -> None:
        self._tell = tell
        self.counts: Counter[tuple[str, Result]] = Counter()

    async def add(self, result: Result, kind: str, identifier: str, at: str = "", why: str = "") -> None:
        self.counts[kind, result] += 1
        await self._tell(Told(result, kind, identifier, at, why))

    def summary(self) -> dict[str, dict[str, int]]:
        """The number of objects by kind and result."""
        kinds = sorted({kind for kind, _ in self.counts})
        return {
            kind: {result: number for (each, result), number in self.counts.items() if each == kind} for kind in kinds
        }
