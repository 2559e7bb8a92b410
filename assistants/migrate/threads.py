"""Imports threads: messages, runs and steps first, and last the thread's document, which makes them visible."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from assistants.migrate.lines import END, OF_THREAD
from assistants.migrate.mapping import KINDS
from assistants.migrate.records import ended, run_record, thread_record
from assistants.migrate.spool import Spooled
from assistants.migrate.target import Target
from assistants.migrate.writing import put, reserve
from assistants.schema.errors import ApiError
from assistants.schema.messages import Message
from assistants.schema.runs import Run
from assistants.schema.steps import RunStep
from assistants.schema.threads import Thread
from assistants.state.messages import put_record, update_record
from assistants.state.runs import ACTIVE, RunRecord
from assistants.state.threads import ThreadGone, ThreadRecord
from assistants.storage.concurrency import for_each
from assistants.storage.errors import Conflict
from assistants.storage.ids import blob_name
from assistants.storage.slices import Pace

R = TypeVar("R", Message, Run, RunStep)


@dataclass
class _Gathered:
    """The objects of a thread, each once, the oldest first."""

    at: str = ""
    thread: Thread | None = None
    messages: dict[str, tuple[Message, bytes]] = field(default_factory=dict[str, tuple[Message, bytes]])
    runs: dict[str, Run] = field(default_factory=dict[str, Run])
    steps: dict[str, RunStep] = field(default_factory=dict[str, RunStep])
    came: dict[str, set[str]] = field(default_factory=lambda: {kind: set[str]() for kind in OF_THREAD})
    """The ids of all lines by their kind, valid or not."""


async def import_thread(
    target: Target, thread_id: str, number: int, lines: Iterable[Spooled], ends: Iterable[Spooled] = ()
) -> None:
    """Import a thread with all of its objects; no client sees a part of it. Its end lines have their numbers.

    A repetition after a crash appends the same messages again, in the same order, and the log keeps the first record of
    each.
    """
    found = await _gathered(target, lines)
    for end in ends:
        await _check_end(target, thread_id, end, found)
    thread = found.thread or _made(thread_id, found)
    if thread is None:
        if found.messages or found.runs:
            await target.report.add("invalid", "thread", thread_id, found.at, "Its id is none.")
        return
    if found.thread is None:
        why = "The thread itself is not in the import: it is made for its messages and runs."
        await target.report.add("noted", "thread", thread_id, found.at, why)
    record = thread_record(thread, asked=any(message.role == "user" for message, _ in found.messages.values()))
    store, name = target.store, blob_name(target.project, thread_id)
    if target.dry_run:
        known = await store.threads.read(name)
        there = known is not None
        if not there or target.overwrite:
            await _report_missing(target, record, found)
    else:
        at, known = await reserve(store.threads, name, "thread_", target.time(thread.created_at, number), noted=True)
        there = known is not None or not await _written(target, at, record, found)
        if there and target.overwrite:
            await _refresh(target, at, record, found)
    if known is not None and not target.overwrite:
        await _report_lacking(target, known.value, found)
    result = "imported" if not there else "overwritten" if target.overwrite else "there"
    await target.report.add(result, "thread", thread_id, found.at)
    for kind, objects in (
        ("thread.message", found.messages),
        ("thread.run", found.runs),
        ("thread.run.step", found.steps),
    ):
        target.report.counts[kind, result] += len(objects)


async def _written(target: Target, at: str, record: ThreadRecord, found: _Gathered) -> bool:
    """Write a thread, its document last; return whether it did not exist."""
    records = [content for _, content in found.messages.values()]
    await target.store.messages.create_log(target.project, record.id, records)
    await _write_runs(target, record.id, found)
    await _report_missing(target, record, found)
    try:
        await target.store.threads.create(at, record)
    except Conflict:  # another import was first
        return False
    return True


async def _report_lacking(target: Target, thread: ThreadRecord, found: _Gathered) -> None:
    """Report the number of messages that an existing thread lacks: they may be the rest of an import in parts."""
    try:
        known = await target.store.messages.read(target.project, thread.id, thread.segments)
    except ThreadGone:
        return
    if lacking := sum(message_id not in known for message_id in found.messages):
        why = f"It is there, without {lacking} of these messages: an import that overwrites appends them."
        await target.report.add("noted", "thread", thread.id, found.at, why)


async def _gathered(target: Target, lines: Iterable[Spooled]) -> _Gathered:
    found, pace = _Gathered(), Pace(target.store.slices)
    messages, runs, steps = list[tuple[Message, str]](), list[tuple[Run, str]](), list[tuple[RunStep, str]]()
    for line in lines:
        kind = str(line.raw["object"])
        found.came[kind].add(str(line.raw.get("id")))
        shown = await target.mapped(kind, line)
        found.at = found.at or line.at
        match shown:
            case Thread():
                found.thread, found.at = found.thread or shown, line.at
            case Message():
                messages.append((shown, line.at))
            case Run():
                runs.append((shown, line.at))
            case RunStep():
                steps.append((shown, line.at))
            case _:
                pass
        await pace.done()
    for message, at in _oldest_first(messages):
        try:
            kept, _ = found.messages.setdefault(message.id, (message, put_record(message)))
            await _tell_other(target, message, kept, at)
        except ApiError as error:
            await target.report.add("invalid", message.object, message.id, at, error.message)
        await pace.done()
    for run, at in _oldest_first(runs):
        if run.status in ACTIVE:
            why = f"It was {run.status.value}, and cannot go on: it has expired."
            await target.report.add("noted", run.object, run.id, at, why)
        over = ended(run)
        await _tell_other(target, over, found.runs.setdefault(run.id, over), at)
    for step, at in _oldest_first(steps):
        if step.run_id in found.runs:
            await _tell_other(target, step, found.steps.setdefault(step.id, step), at)
        else:
            await target.report.add(
                "invalid", step.object, step.id, at, f"Its run '{step.run_id}' is not in the import."
            )
    return found


async def _tell_other(target: Target, shown: Message | Run | RunStep, kept: Message | Run | RunStep, at: str) -> None:
    if shown is not kept and shown != kept:
        await target.report.add("noted", shown.object, shown.id, at, "It came before, and differs: the first is kept.")


async def _check_end(target: Target, thread_id: str, end: Spooled, found: _Gathered) -> None:
    """Report if lines of the thread were lost."""
    counts = end.raw.get("counts")
    named = cast("dict[str, Any]", counts) if isinstance(counts, dict) else {}
    lost = [
        f"{number - len(found.came[kind])} of {number} {kind}"
        for kind in OF_THREAD
        if isinstance(number := named.get(kind), int) and number > len(found.came[kind])
    ]
    if lost or end.raw.get("status") != "completed" or named.keys() != set(OF_THREAD):
        why = f"The thread is not whole: {', '.join(lost)} are lost." if lost else "It is no end line."
        await target.report.add("invalid", END, thread_id, end.at, why)


def _oldest_first(found: Sequence[tuple[R, str]]) -> Sequence[tuple[R, str]]:
    """The objects in their order of arrival, unless that is newest first, or in pages, whose order is unknown."""
    if any(at.endswith("]") for _, at in found):
        return sorted(found, key=lambda each: each[0].created_at)
    if not found or found[0][0].created_at <= found[-1][0].created_at:
        return found
    turned = list(found)[::-1]
    turned.sort(key=lambda each: each[0].created_at)
    return turned


def _made(thread_id: str, found: _Gathered) -> Thread | None:
    """A thread for messages and runs whose thread is not in the import."""
    times = [message.created_at for message, _ in found.messages.values()]
    times += [run.created_at for run in found.runs.values()]
    try:
        KINDS["thread"].id.validate_python(thread_id)
    except ValueError:
        return None
    return Thread(id=thread_id, created_at=min(times)) if times else None


async def _write_runs(target: Target, thread_id: str, found: _Gathered) -> None:
    async def write(numbered: tuple[int, Run]) -> None:
        number, run = numbered
        record = run_record(run, [step for step in found.steps.values() if step.run_id == run.id])

        def refreshed(known: RunRecord) -> RunRecord | None:
            return record if known.imported and known.imported != record.imported else None

        name, created = blob_name(target.project, thread_id, run.id), target.time(run.created_at, number)
        await put(target.store.runs, name, record, "run_", created, refreshed if target.overwrite else None)

    await for_each(write, enumerate(found.runs.values()))


async def _report_missing(target: Target, record: ThreadRecord, found: _Gathered) -> None:
    """Report missing objects that the thread names; record on its files that it names them."""
    await target.name_files("thread", record, found.at)
    for assistant_id in sorted({run.assistant_id for run in found.runs.values()}):
        there = ("assistant", assistant_id) in target.foreseen
        if not there and await target.store.assistants.read(blob_name(target.project, assistant_id)) is None:
            why = f"The assistant '{assistant_id}' of its runs is not there."
            await target.report.add("noted", "thread", record.id, found.at, why)


async def _refresh(target: Target, at: str, record: ThreadRecord, found: _Gathered) -> None:
    """Add missing objects to an existing thread, and set the metadata of the import."""
    store = target.store
    document = await store.threads.read(at)
    if document is None:
        return
    known = await store.messages.read(target.project, record.id, document.value.segments)
    before = {message.id: message.metadata async for message, _ in known.newest_first()}
    records = [
        update_record(message.id, message.metadata) if message.id in known else content
        for message, content in found.messages.values()
        if before.get(message.id) != message.metadata
    ]
    await store.messages.append(target.project, record.id, document.value.segments, records)
    await _write_runs(target, record.id, found)
    await _report_missing(target, record, found)

    def refreshed(thread: ThreadRecord) -> ThreadRecord | None:
        kept = {"metadata": record.metadata, "tool_resources": record.tool_resources}
        changed = thread.model_copy(update={**kept, "asked": thread.asked or record.asked})
        return changed if changed != thread else None

    await store.threads.change(at, refreshed)
