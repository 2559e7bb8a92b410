"""The numbers of requests to storage per flow. The tests of operations check them, and benchmarks.scale uses them."""

from typing import NamedTuple, Self


class Cost(NamedTuple):
    """The most requests to the blobs and to the queues of an account."""

    blobs: int
    queues: int = 0

    @property
    def total(self) -> int:
        return self.blobs + self.queues

    def plus(self, *others: Self) -> "Cost":
        """The sum of these costs."""
        every = (self, *others)
        return Cost(sum(each.blobs for each in every), sum(each.queues for each in every))


MESSAGE = Cost(blobs=2)
"""Adding a message to a thread that has had a run."""

POLL = Cost(blobs=1)
"""Retrieving a run, active or ended."""

MESSAGES = Cost(blobs=2)
"""Listing the newest messages."""

QUEUED = Cost(blobs=10, queues=5)
"""A run of one turn driven by a queue function, from the request to the end; each item is received alone."""

STREAMED = Cost(blobs=8, queues=2)
"""A run of one turn that its creator drives."""

SERVER_TOOL = Cost(blobs=6, queues=6)
"""From a call of a server tool to the next turn of a queued run; three of the requests go to the tool's queue."""
