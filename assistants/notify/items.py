"""The items of the queue `webhooks`, one for each event."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from assistants.state.post import Item
from assistants.state.runs import RunRecord
from assistants.state.store import RunKey
from assistants.storage.ids import Project, derived

WEBHOOKS = "webhooks"
"""The queue of the events that are sent to webhooks."""

ATTEMPTS = 10
"""How often an event is sent; with the pauses between the attempts this takes about a day."""


class Tell(Item):
    """Send an event to the project's webhook."""

    project: Project
    id: str
    type: str
    created_at: int
    sequence_number: int | None = None
    """The number of an event of a run, from 0 on."""
    data: dict[str, str]
    attempt: Annotated[int, Field(ge=0, le=ATTEMPTS)] = 0
    """The number of failed attempts so far."""

    @property
    def queue(self) -> str:
        return WEBHOOKS if self.attempt < ATTEMPTS else f"{WEBHOOKS}-poison"


def of_run(key: RunKey, run: RunRecord, numbers: Iterable[int]) -> list[Tell]:
    """The items of a run's notices with these numbers. A repetition derives the same ids."""
    found: list[Tell] = []
    for number in numbers:
        notice = (run.notices or [])[number]
        data = {"id": notice.message or key.run, "thread_id": key.thread}
        data |= {"run_id": key.run} if notice.message else {"status": notice.type.rpartition(".")[2]}
        found.append(
            Tell(
                project=key.project,
                id=derived("evt_", key.run, number),
                type=notice.type,
                created_at=int(notice.at),
                sequence_number=number,
                data=data,
            )
        )
    return found


def of_file(project: str, store_id: str, file_id: str, version: str, status: str, at: float) -> Tell:
    """The item of a file that was ingested or has failed."""
    return Tell(
        project=project,
        id=derived("evt_", store_id, file_id, version),
        type=f"vector_store.file.{status}",
        created_at=int(at),
        data={"id": file_id, "vector_store_id": store_id, "status": status},
    )
