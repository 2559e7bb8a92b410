"""`python -m benchmarks.scale`: the turns per second that one storage account and one queue allow.

Computed from Azure's published limits and the requests of a turn, which the tests of operations check. No measurement.
"""

import argparse
from collections.abc import Mapping

from tests.support.costs import MESSAGE, MESSAGES, POLL, QUEUED, SERVER_TOOL, STREAMED, Cost

ACCOUNT = 20_000
"""Requests per second of a standard account, blobs and queues together; 40,000 in some regions, and more on request."""

QUEUE = 2_000
"""Messages per second of one queue. Each request counts: a message that is sent, received and deleted is three."""


def flows(polls: int) -> Mapping[str, Cost]:
    """The requests of a client with each turn; a client that does not stream polls `polls` times."""
    return {
        "streamed": MESSAGE.plus(STREAMED),
        "queued": MESSAGE.plus(QUEUED, *[POLL] * polls, MESSAGES),
        "queued, a call of a server tool": MESSAGE.plus(QUEUED, SERVER_TOOL, *[POLL] * polls, MESSAGES),
    }


ON_WORK = {"queued, a call of a server tool": QUEUED.queues + SERVER_TOOL.queues - 3}
"""The requests to the queue `work`, for flows that also use another one."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--polls", type=int, default=3, help="of a run that is not streamed")
    parser.add_argument("--pause", type=float, default=30, help="seconds between two turns of a user")
    given = parser.parse_args()
    print(
        "| a turn | requests: blobs + queues | the account, turns/s | the queue `work`, turns/s | first limit | users |"
    )
    print("|---|---|---|---|---|---|")
    for name, cost in flows(given.polls).items():
        account, queue = ACCOUNT / cost.total, QUEUE / ON_WORK.get(name, cost.queues)
        least = min(account, queue)
        first = "account" if account < queue else "queue"
        print(f"| {name} | {cost.blobs} + {cost.queues} | {account:,.0f} | {queue:,.0f} | ", end="")
        print(f"{first} | {least * given.pause:,.0f} |")
    print(f"\nUsers send a message every {given.pause:g} s; a run that is not streamed is polled {given.polls} times.")


if __name__ == "__main__":
    main()
