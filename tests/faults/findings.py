"""The rules that hold at the end of a flow, after any fault."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from assistants.ingestion.membership import chunks_name
from assistants.local.reply import Reply
from assistants.storage.ids import blob_name
from tests.faults.play import Play, Run
from tests.faults.served import NET

Json = dict[str, Any]

BELONGINGS = {
    "threads": ("messages", "runs", "code"),
    "files": ("file-contents",),
    "vector-stores": ("vector-store-chunks",),
}
"""By container: the containers with blobs of its objects; their names begin with that of the object's blob."""


async def settled(play: Play) -> None:
    """Every run has ended, every confirmed change has happened, and the threads take new runs.

    Raises
    ------
    AssertionError
        One of these does not hold.
    """
    play.served.injector.armed = False
    await _all_ends(play)
    for path in play.deleted:
        assert (await play.ask("GET", path)).status == 404, path
    kept = [(store, files) for store, files in play.stores.items() if f"vector_stores/{store}" not in play.deleted]
    for store, files in kept:
        await _contains(play, store, files)
        await play.delete(f"vector_stores/{store}")
    if kept:
        await _all_ends(play)
    await play.served.pump.stop(0)
    executed = Counter(play.executed)
    assert set(executed.values()) <= {1}, executed
    for thread in play.threads:
        if f"threads/{thread}" not in play.deleted:
            await _tells(play, thread)
            await play.add(thread)
            await play.create(thread)


async def _all_ends(play: Play) -> None:
    """Check that no run is active, and that no blob of deleted objects is left."""
    end = time.monotonic() + NET
    used = {kind.split()[1] for kind in play.served.injector.kinds}
    pairs = [(owner, each) for owner, belongings in BELONGINGS.items() for each in belongings]
    orphans = [partial(_orphans, play, *pair) for pair in pairs if used.intersection(pair)]
    if "vector-store-chunks" in used:
        orphans.append(partial(_outdated, play))
    # Each part is awaited in turn, and all are checked again until no wait was necessary.
    while any([await _waited(left, end) for left in (play.active, partial(_remains, play), *orphans)]):
        pass


async def _waited(find: Callable[[], Awaitable[list[str]]], end: float) -> bool:
    """Wait until `find` returns an empty list, up to a time; return whether it was not empty at first."""
    waited = False
    while left := await find():
        assert time.monotonic() < end, left
        waited = True
        await asyncio.sleep(0.4)
    return waited


async def _remains(play: Play) -> list[str]:
    """The documents of deleted objects."""
    deleted = [path.split("/") for path in play.deleted if path.count("/") == 1]
    named = [(kind.replace("_", "-"), blob_name(play.project, each)) for kind, each in deleted]
    return [name for container, name in named if name in await play.names(container)]


async def _orphans(play: Play, owner: str, belongings: str) -> list[str]:
    """The names of blobs of a thread, a file or a vector store that does not exist."""
    # An imported object has a pointer, and its document at another place.
    owners = [name.replace("/~", "/") for name in await play.names(owner)]
    names = await play.names(belongings)
    return [f"{belongings}: {name}" for name in names if "/".join(name.split("/")[:2]) not in owners]


async def _outdated(play: Play) -> list[str]:
    """The names of chunks of files that are not in their vector store, or in another version."""
    chunks = await play.names("vector-store-chunks")
    used: set[str] = set()
    for name in await play.names("vector-stores") if chunks else ():
        document = await play.served.beside.vector_stores.read(name)
        members = document.value.members.items() if document else ()
        store = name.split("/")[1]
        used |= {chunks_name(play.project, store, file, each.version) for file, each in members}
    return [name for name in chunks if name not in used]


async def _tells(play: Play, thread: str) -> None:
    """Check that the thread lists each of its runs, and each message once."""
    messages = (await play.get_done("GET", f"threads/{thread}/messages?order=asc&limit=100"))["data"]
    ids = Counter(message["id"] for message in messages)
    assert set(ids.values()) <= {1}, messages
    assert [each for where, each in play.said if where == thread and each not in ids] == []
    runs = {run["id"]: run for run in (await play.get_done("GET", f"threads/{thread}/runs"))["data"]}
    assert [run.id for run in play.runs.values() if run.thread == thread and run.id not in runs] == []
    for run_id, run in runs.items():
        known = play.runs.get(run_id) or Run(run_id, thread)
        assert run["status"] in play.may_end(known), run
        steps = (await play.get_done("GET", f"{known.path}/steps?order=asc&limit=100"))["data"]
        said = [message for message in messages if message["run_id"] == run_id]
        _fits(play.served.script.replies, run["status"], steps, said)
        _answered(known, run["status"], steps)
        _cites(said)


def _fits(replies: Sequence[Reply], status: str, steps: list[Json], said: list[Json]) -> None:
    """Check that the run follows its script up to its end: each turn has one message and one step of its calls."""
    texts = [message["content"][0]["text"]["value"] for message in said]
    kinds = [step["type"] for step in steps]
    meant = [reply.text for reply in replies if reply.text is not None]
    expected = [kind for reply in replies for kind in _steps(reply)]
    if status == "completed":
        assert (texts, kinds) == (meant, expected), steps
    assert kinds == expected[: len(kinds)], steps
    assert all(whole.startswith(text) for text, whole in zip(texts, meant, strict=False)), texts
    created = [step["step_details"]["message_creation"] for step in steps if step["type"] == "message_creation"]
    assert [each["message_id"] for each in created] == [message["id"] for message in said]


def _steps(reply: Reply) -> list[str]:
    return ["message_creation"] * (reply.text is not None) + ["tool_calls"] * bool(reply.tool_calls)


def _answered(run: Run, status: str, steps: list[Json]) -> None:
    """Check that no output is lost."""
    calls = {call["id"]: call for step in steps for call in step["step_details"].get("tool_calls", ())}
    for call, output in run.outputs.items():
        assert calls[call]["function"]["output"] == output, calls
    if status == "completed":
        assert all(call[call["type"]].get("output", "") is not None for call in calls.values()), calls
        assert all(call["file_search"]["results"] for call in calls.values() if call["type"] == "file_search"), calls


def _cites(said: list[Json]) -> None:
    """Check that each mark is a citation, with its passage."""
    for text in (message["content"][0]["text"] for message in said):
        cited = [text["value"][each["start_index"] : each["end_index"]] for each in text["annotations"]]
        assert cited == re.findall("【.*?】", text["value"]), text
        assert all("sunny in Oslo" in each["file_citation"]["quote"] for each in text["annotations"]), text


async def _contains(play: Play, store: str, files: Sequence[str]) -> None:
    """Check that the store counts these files, and has the text of each."""
    path = f"vector_stores/{store}"
    counts = (await play.get_done("GET", path))["file_counts"]
    assert (counts["completed"], counts["total"]) == (len(files), len(files)), counts
    for file in files:
        content = (await play.get_done("GET", f"{path}/files/{file}/content"))["data"]
        assert "sunny in Oslo" in content[0]["text"], content
