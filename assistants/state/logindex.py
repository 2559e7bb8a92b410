"""The index of a segment: an append blob with the entries of its outline, so that no reader parses the segment again.

A reader writes it if much of a segment is in no index. Its name begins with the segment's, so that a purge finds it;
if it is lost, a reader writes a new one.
"""

import logging

from assistants.state.outline import SIZE
from assistants.storage.errors import TRANSIENT, LogFull, NoLog, Outrun
from assistants.storage.logs import MAX_RECORD, Logs
from assistants.storage.services import if_ends_at

log = logging.getLogger("assistants.state")

SUFFIX = ".index1"
"""Ends with the version of the entries' format: indexes of another version are not read."""

_BLOCK = MAX_RECORD // SIZE * SIZE


class LogIndex:
    """The indexes of all segments.

    Parameters
    ----------
    logs
        The container of the segments.
    """

    def __init__(self, logs: Logs) -> None:
        self._logs = logs

    async def read(self, segment: str, first: int) -> bytes:
        """The entries of a segment from number `first` on; none if it has no index."""
        try:
            return await self._logs.read(segment + SUFFIX, first * SIZE)
        except NoLog:
            return b""

    async def write(self, segment: str, first: int, entries: bytes) -> bool:
        """Append the entries from number `first` on; return whether the index ended there and has them now.

        All writers write the same entries for the same bytes. A failure is only logged.

        Raises
        ------
        NoLog
            The segment has been deleted, and the index with it.
        """
        try:
            for start in range(0, len(entries), _BLOCK):
                await self._append(segment, first * SIZE + start, entries[start : start + _BLOCK])
        except (Outrun, LogFull):
            return False
        except TRANSIENT as error:
            log.warning("the index of %s could not be written: %s", segment, error)
            return False
        return True

    async def _append(self, segment: str, position: int, entries: bytes) -> None:
        name = segment + SUFFIX
        try:
            await self._logs.append(name, entries, if_ends_at(position))
        except NoLog:
            await self._logs.create(name)
            await self._logs.append(name, entries, if_ends_at(position))
            try:
                await self._logs.part(segment, 0, 1)
            except NoLog:  # it was purged meanwhile, perhaps by the last repetition
                await self._logs.delete(name)
                raise
