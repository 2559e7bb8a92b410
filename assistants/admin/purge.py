"""`purge`: deletes threads that were not used for some days; without --yes it only lists them.

A thread with an active run stays, and so does one that is used during the command. A repetition is harmless.
"""

import argparse
from collections.abc import AsyncIterator

from assistants.admin.command import Commands, asked_for, days, opened, when
from assistants.admin.screen import Row, Screen
from assistants.engine.retention import retire_thread, unused
from assistants.state.retention import DAY, old
from assistants.state.store import Store
from assistants.storage.concurrency import for_each
from assistants.storage.services import Entry


def add(commands: Commands) -> None:
    """Add the sub-command."""
    parser = commands.add_parser("purge", help="delete threads that were not used", description=__doc__)
    parser.add_argument("--older-than", type=days, required=True, metavar="DAYS", help="days without use")
    parser.add_argument("--project", help="of this project only; default: of all")
    parser.add_argument("--yes", action="store_true", help="delete them; without it, this is a dry run")
    parser.set_defaults(act=_act)


async def _act(asked: argparse.Namespace, screen: Screen) -> int:
    async with opened() as store:
        before, rows = store.clock.now() - asked.older_than * DAY, list[Row]()
        with screen.progress("threads") as done:
            for project in await asked_for(asked.project, store.threads):
                async for entries in _portions(store, project, before):
                    rows += await _purge(store, project, entries, before, asked.yes)
                    done(len(entries))
        screen.table(rows, "No thread is unused for so long.")
        if rows:
            done_or_not = "deleted" if asked.yes else "would be deleted: repeat this with --yes"
            screen.note(f"{len(rows):,} threads {done_or_not}")
    return 0


async def _portions(store: Store, project: str, before: float) -> AsyncIterator[list[Entry]]:
    start: str | None = ""
    while start is not None:
        entries, start = await old(store.threads, project, "thread_", before, start)
        yield entries


async def _purge(store: Store, project: str, entries: list[Entry], before: float, delete: bool) -> list[Row]:
    async def one(entry: Entry) -> Row | None:
        thread = next((each.value.id for each in await store.threads.listed([entry])), "")
        if delete:
            gone = await retire_thread(store, project, entry, before)
        else:
            gone = await unused(store, project, entry, before) is not None
        return {"project": project, "thread": thread, "changed": when(entry.modified_at)} if gone else None

    return [row for row in await for_each(one, entries) if row is not None]
