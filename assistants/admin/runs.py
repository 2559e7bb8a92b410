"""`runs`: lists active or stuck runs, shows the history of one, has one attended to again, or ends one."""

import argparse
from collections import Counter
from collections.abc import Callable

from assistants.admin.command import Commands, Failed, Misused, days, opened, when
from assistants.admin.finding import Found, run_named, runs_since
from assistants.admin.history import driver, history, stuck
from assistants.admin.screen import Row, Screen
from assistants.engine import machine
from assistants.engine.ending import end_unclaimed
from assistants.engine.items import look_again_item
from assistants.engine.machine import Ending, Event
from assistants.schema.runs import LastError
from assistants.state import post
from assistants.state.retention import DAY
from assistants.state.runs import RunRecord, usage, view
from assistants.state.store import RunKey, Store

_NONE_STUCK = "No run is stuck, of those that were written within --days {:g}."
_REASON = "The run was ended by the operator."


def add(commands: Commands) -> None:
    """Add the sub-command."""
    parser = commands.add_parser("runs", help="active and stuck runs; show, retry or fail one", description=__doc__)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, act, text in (
        ("active", _active, "list the runs that have not ended"),
        ("stuck", _stuck, "list the active runs that a process should have attended to, and why; 1 if there are any"),
        ("projects", _projects, "count the active and the stuck runs of each project"),
    ):
        listed = actions.add_parser(name, help=text, description=text)
        _add_window(listed)
        listed.set_defaults(act=act)
    for name, act, text in (
        ("show", _show, "show a run with its history"),
        ("retry", _retry, "have an active run attended to now"),
        ("fail", _fail, "end a run that no process drives"),
    ):
        one = actions.add_parser(name, help=text, description=text)
        one.add_argument("run", nargs="?" if name == "retry" else None, help="its id")
        one.add_argument("--thread", help="its thread, which with --project spares the listing of all runs")
        one.set_defaults(act=act)
        if name == "retry":
            one.add_argument("--stuck", action="store_true", help="all runs that are stuck")
            _add_window(one)
        else:
            one.add_argument("--project", help="its project")
        if name == "fail":
            one.add_argument("--reason", default=_REASON, help=f"`last_error.message`; default: {_REASON}")


def _add_window(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--project", help="of this project only")
    parser.add_argument("--days", type=days, default=1.0, help="written within so many days; default: 1")


async def _active(asked: argparse.Namespace, screen: Screen) -> int:
    async with opened() as store:
        found = await _wanted(store, asked, screen, lambda run: run.active)
        now = store.clock.now()
        rows = [_row(key, run.value, now, driver(run.value, now)) for key, run in found]
        screen.table(rows, f"No run is active, of those that were written within --days {asked.days:g}.")
    return 0


async def _stuck(asked: argparse.Namespace, screen: Screen) -> int:
    async with opened() as store:
        rows = [
            _row(key, run.value, store.clock.now(), _why(store, run.value) or "")
            for key, run in await _stuck_runs(store, asked, screen)
        ]
        screen.table(rows, _NONE_STUCK.format(asked.days))
    return 1 if rows else 0


async def _projects(asked: argparse.Namespace, screen: Screen) -> int:
    async with opened() as store:
        found = await _wanted(store, asked, screen, lambda run: run.active)
        active = Counter((key.project, run.value.status.value) for key, run in found)
        held = Counter((key.project, run.value.status.value) for key, run in found if _why(store, run.value))
        rows = [
            {"project": project, "status": status, "runs": number, "stuck": held[project, status]}
            for (project, status), number in sorted(active.items())
        ]
        screen.table(rows, "No run is active.")
    return 0


async def _show(asked: argparse.Namespace, screen: Screen) -> int:
    async with opened() as store:
        key, document = await run_named(store, asked.run, asked.project, asked.thread, screen)
        run, now = document.value, store.clock.now()
        events = [{"at": when(each.at), "event": each.event, "detail": each.detail} for each in history(run)]
        if screen.as_json:
            shown = view(run).model_dump(mode="json")
            more = {"stuck": _why(store, run), "trace": _trace(run), "history": events}
            screen.value({"project": key.project, "run": shown, **more})
            return 0
        about = {
            **_row(key, run, now, driver(run, now)),
            "expires_at": when(run.expires_at),
            "committed": run.committed,
            "tokens": usage(run).total_tokens,
            "stuck": _why(store, run),
            "trace": _trace(run),
        }
        screen.table([{"field": name, "value": value} for name, value in about.items()])
        screen.table(events)
    return 0


async def _retry(asked: argparse.Namespace, screen: Screen) -> int:
    if bool(asked.run) == asked.stuck:
        raise Misused("Name a run, or --stuck.")
    async with opened() as store:
        if asked.stuck:
            found = await _stuck_runs(store, asked, screen)
        else:
            found = [await run_named(store, asked.run, asked.project, asked.thread, screen)]
        with screen.progress("items") as done:
            for key, document in found:
                if not document.value.active:
                    said = f"{key.run} has ended: {document.value.status.value}. A client has to create another."
                    raise Failed(said)
                # A second look-again item is harmless: it attends to the run as the run requires then.
                await post.send(store, look_again_item(key, document.value))
                done(1)
        rows = [_row(key, run.value, store.clock.now(), "queued again") for key, run in found]
        screen.table(rows, _NONE_STUCK.format(asked.days))
    return 0


async def _fail(asked: argparse.Namespace, screen: Screen) -> int:
    async with opened() as store:
        key, document = await run_named(store, asked.run, asked.project, asked.thread, screen)
        if not document.value.active:
            raise Failed(f"{key.run} has ended: {document.value.status.value}.")
        ending = Ending(Event.FAIL, error=LastError(code="server_error", message=asked.reason))
        ended = await end_unclaimed(store, key, document, ending, asked.reason, document.value.look)
        if ended is None:
            raise Failed(f"{key.run} was deleted.")
        if ended.value.active:
            raise Failed(f"{key.run} is {driver(ended.value, store.clock.now())}: cancel it by the API.")
        screen.table([_row(key, ended.value, store.clock.now(), "ended")])
    return 0


async def _stuck_runs(store: Store, asked: argparse.Namespace, screen: Screen) -> list[Found]:
    return await _wanted(store, asked, screen, lambda run: _why(store, run) is not None)


async def _wanted(
    store: Store, asked: argparse.Namespace, screen: Screen, wanted: Callable[[RunRecord], bool]
) -> list[Found]:
    since = store.clock.now() - asked.days * DAY
    return [found async for found in runs_since(store, asked.project, since, screen) if wanted(found[1].value)]


def _why(store: Store, run: RunRecord) -> str | None:
    return stuck(run, store.clock.now(), store.settings.look_again)


def _trace(run: RunRecord) -> str | None:
    """The id of the run's trace (W3C Trace Context), where it was recorded."""
    return run.trace.split("-")[1] if run.trace else None


def _row(key: RunKey, run: RunRecord, now: float, note: str) -> Row:
    return {
        "project": key.project,
        "thread": key.thread,
        "run": key.run,
        "status": run.status.value,
        "created": when(run.created_at),
        "seconds": round(now - run.entered_at),
        "note": "its creation was given up" if machine.is_discarded(run) else note,
    }
