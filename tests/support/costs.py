"""What flows cost in requests to storage. The tests of operations hold them, and benchmarks.scale reckons with them."""

from typing import NamedTuple, Self


class Cost(NamedTuple):
    """Requests to the blobs and to the queues of an account, at most."""

    blobs: int
    queues: int = 0

    @property
    def total(self) -> int:
        return self.blobs + self.queues

    def plus(self, *others: Self) -> "Cost":
        """All of them together."""
        every = (self, *others)
        return Cost(sum(each.blobs for each in every), sum(each.queues for each in every))


MESSAGE = Cost(blobs=2)
"""A message is added to a thread that has had a run."""

POLL = Cost(blobs=1)
"""A run is retrieved, whether it goes on or has ended."""

MESSAGES = Cost(blobs=2)
"""The newest messages are listed."""

QUEUED = Cost(blobs=10, queues=5)
"""A run of one turn whose driver is a queue function, from the request to the end; each item is received alone."""

STREAMED = Cost(blobs=8, queues=2)
"""A run of one turn that its creator drives."""

SERVER_TOOL = Cost(blobs=6, queues=6)
"""From a call of a server tool to the next turn of a queued run; three of the requests go to the tool's queue."""
