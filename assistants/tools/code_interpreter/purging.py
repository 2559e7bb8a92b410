"""Purges the code interpreter's session of a deleted thread."""

from assistants.ingestion.removal import delete_file
from assistants.schema.errors import ApiError
from assistants.state.runs import ImageOutput
from assistants.state.sessions import Outcome
from assistants.state.store import Store
from assistants.storage.concurrency import for_each
from assistants.storage.ids import blob_name


async def purge_session(store: Store, project: str, thread: str) -> bool:
    """End the session, and delete its records and the files made by its code; return whether any existed."""
    prefix = f"{blob_name(project, thread)}/"
    names = [name async for name in store.snapshots.names(prefix)]
    if not names:
        return False
    await store.hosting.end(project, thread)

    async def delete(name: str) -> None:
        if name.startswith(f"{prefix}outcome/") and (document := await store.outcomes.read(name)):
            await for_each(lambda file: _delete_file(store, project, file), made(document.value))
        await store.snapshots.delete(name)

    await for_each(delete, names)
    return True


def made(outcome: Outcome) -> list[str]:
    """The ids of the files that an execution has stored."""
    images = (output.file_id for output in outcome.ran.outputs if isinstance(output, ImageOutput))
    return [*images, *outcome.files.values()]


async def _delete_file(store: Store, project: str, file: str) -> None:
    try:
        await delete_file(store, project, file)
    except ApiError as error:
        if error.status != 404:  # 404: it is deleted already
            raise
