"""`python -m assistants.migrate`: imports a folder into this service, and exports from it or from another server."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import httpx2
from azure.core.exceptions import AzureError

from assistants.migrate import lines, sending
from assistants.migrate.folder import KINDS, Folder
from assistants.migrate.importing import import_lines
from assistants.migrate.remote import Export
from assistants.migrate.showing import Screen
from assistants.migrate.source import Credentials, Refused, Source
from assistants.migrate.stored import export_project
from assistants.migrate.target import Target
from assistants.migrate.times import seconds
from assistants.migrate.told import Report, Told
from assistants.schema.errors import ApiError
from assistants.settings import settings
from assistants.state.store import Store
from assistants.storage.errors import NotConfigured

KEY = "MIGRATE_KEY"
"""The environment variable with the key of the other server: other users can see a command line."""


ENTRA = "https://ai.azure.com/.default"
"""The scope of Azure AI agents."""


async def import_(arguments: argparse.Namespace) -> int:
    """Import; returns 1 if any object is invalid."""
    source, screen, number, invalid = Path(arguments.folder), Screen(), 0, 0

    async def tell(told: Told) -> None:
        nonlocal number, invalid
        number, invalid = number + 1, invalid + (told.result == "invalid")
        screen.show(f"{number:,} results")
        if told.why or arguments.dry_run:
            screen.say(f"{told.at} {told.object} {told.id}: {told.result}. {told.why}".strip())

    if arguments.to:
        how = {"overwrite": arguments.overwrite, "dry_run": arguments.dry_run}
        summary: Mapping[str, Any] = {}
        async for told in sending.send(source, arguments.to, os.environ.get(KEY), **how):
            if isinstance(told, Told):
                await tell(told)
            else:
                summary = told
        if summary.get("status") != "completed":
            raise Refused(0, str(summary.get("error", {}).get("message", "the answer has no end")))
        counts = summary["counts"]
    else:
        store = Store.open(settings())
        try:
            target = Target(store, arguments.project, Report(tell), arguments.overwrite, arguments.dry_run)
            counts = (await import_lines(target, lines.read(source), source)).summary()
        finally:
            await store.close()
    screen.end()
    print(json.dumps(counts, indent=1))
    if not number:
        print(f"{source} has no objects: they are in files named *.ndjson, *.jsonl or *.json.")
    return int(invalid > 0 or not number)


async def export(arguments: argparse.Namespace) -> int:
    """Export; returns 1 if any object could not be exported."""
    screen, since = Screen(), _since(arguments.since)
    project = arguments.project
    origin = f"{arguments.source or 'storage'} project {project or 'default'} since {since}"
    folder = Folder(Path(arguments.folder), origin)
    if folder.complete and arguments.threads is None:
        print(f"{arguments.folder} has this export already, complete: for what is newer, name another folder.")
    if arguments.source:
        source = Source(arguments.source, Credentials(os.environ.get(KEY), arguments.entra), project)
        try:
            await Export(source, folder, screen.progress, since, ids_in(arguments.threads)).run()
        finally:
            await source.close()
    else:
        store = Store.open(settings())
        try:
            await export_project(store, project or "default", folder, screen.progress, since)
        finally:
            await store.close()
    screen.end()
    for kind in KINDS:
        done = folder.done(kind)
        print(f"{kind}.ndjson: {done.objects:,} objects{'' if done.complete else ', not complete'}")
    for missing in folder.missing:
        print(f"missing: {missing}")
    return int(bool(folder.missing))


def _since(text: str | None) -> int:
    if text is None:
        return 0
    found = seconds(text)
    if found is None:
        raise ValueError(f"{text} is no date in ISO 8601, and no time in Unix seconds")
    return found


def ids_in(path: str | None) -> Sequence[str] | None:
    """The ids in a file: one per line, or JSON with ids or with objects that have them."""
    if path is None:
        return None
    found = [line.strip() for line in Path(path).read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if found and found[0][0] in "{[":
        raw = [each.raw for each in lines.read(Path(path)) if each.error is None]
        found = [str(cast("dict[str, Any]", each).get("id", "") if isinstance(each, dict) else each) for each in raw]
    return list(dict.fromkeys(each for each in (each.strip(' \t",;') for each in found) if each))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m assistants.migrate", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("import", help="import a folder, or a file, of objects")
    command.add_argument("folder")
    command.add_argument("--project", default="default", help="project of this service's storage")
    command.add_argument("--to", help=f"URL of a running service, with /v1, instead; its key in {KEY}")
    command.add_argument("--overwrite", action="store_true", help="refresh objects that exist already")
    command.add_argument("--dry-run", action="store_true", help="report the results, but write no object")
    command.set_defaults(act=import_)
    command = commands.add_parser("export", help="export into a folder; to repeat it goes on")
    command.add_argument("folder")
    command.add_argument("--from", dest="source", help=f"URL that /assistants is appended to; its key in {KEY}")
    command.add_argument("--entra", metavar="SCOPE", nargs="?", const=ENTRA, help="send Entra tokens instead of a key")
    command.add_argument("--project", help="project of this service's storage, or OpenAI-Project")
    command.add_argument("--since", metavar="DATE", help="only objects created since; ISO 8601, or Unix seconds")
    command.add_argument("--threads", metavar="FILE", help="ids of threads, where the server does not list them")
    command.set_defaults(act=export)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code: 2 if it stopped and has to be repeated."""
    parsed = _parser().parse_args(arguments)
    try:
        return asyncio.run(parsed.act(parsed))
    except (Refused, ApiError, NotConfigured, ValueError, AzureError, OSError, httpx2.HTTPError) as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
