"""Connections by long polling: their positions in the feed, in the memory of the process that negotiated them."""

import time
from dataclasses import dataclass, field

from assistants.notify.feed import POLL, Cursor, Feed
from assistants.notify.protocol import HANDSHAKE, PING, invocation

IDLE = 60.0
"""Seconds without a poll after which a connection is dropped."""

LONGEST = 20.0
"""The most seconds of a poll; clients end a connection that is silent for thirty."""

_MOST = 10_000


@dataclass
class Connection:
    """A negotiated connection. Each poll continues at the end of the preceding one."""

    project: str
    thread: str | None
    polled_at: float = field(default_factory=time.monotonic)
    cursor: Cursor | None = None
    answered: bool = False
    """Whether its handshake was answered."""

    async def poll(self, feed: Feed) -> str:
        """The next records; the first poll, which only connects, has none."""
        self.polled_at = time.monotonic()
        if self.cursor is None:
            self.cursor = await feed.end(self.project)
            return ""
        if not self.answered:
            self.answered = True
            return HANDSHAKE
        while time.monotonic() - self.polled_at < LONGEST:
            states, after = await feed.after(self.project, self.cursor)
            moved, self.cursor = after != self.cursor, after
            told = [state for state in states if self.thread in (None, state["thread_id"])]
            if told:
                return "".join(map(invocation, told))
            if not moved:
                await feed.news(POLL)
        return PING


class Connections:
    """The connections by long polling of this process."""

    def __init__(self) -> None:
        self._known: dict[str, Connection] = {}

    def add(self, token: str, connection: Connection) -> None:
        now = time.monotonic()
        self._known = {each: known for each, known in self._known.items() if now - known.polled_at < IDLE}
        while len(self._known) >= _MOST:
            del self._known[next(iter(self._known))]
        self._known[token] = connection

    def get(self, token: str) -> Connection | None:
        return self._known.get(token)

    def remove(self, token: str) -> None:
        self._known.pop(token, None)
