"""The target of an import: a project of this service, and the import's options."""

from dataclasses import dataclass, field

from assistants.migrate.mapping import Refused, mapped
from assistants.migrate.spool import Spooled
from assistants.migrate.told import Report
from assistants.schema.base import Resource
from assistants.state.files import used_by
from assistants.state.resources import Equipped, code_files, store_ids
from assistants.state.store import Store
from assistants.storage.concurrency import for_each
from assistants.storage.ids import blob_name


@dataclass(frozen=True)
class Target:
    """A project of this service, into which objects are imported."""

    store: Store
    project: str
    report: Report
    overwrite: bool = False
    """Existing objects are refreshed."""
    dry_run: bool = False
    """No object is written."""
    foreseen: dict[tuple[str, str], bool] = field(default_factory=dict[tuple[str, str], bool], init=False)
    """The objects that a dry run would have written, by kind and id; for a file, whether with its content."""

    def time(self, created_at: int, number: int) -> float:
        """The time that orders an object: objects of the same second keep their order in the import."""
        return created_at + (number % 1_000_000) / 1_000_000

    async def mapped(self, kind: str, line: Spooled) -> Resource | None:
        """The object of a line; None if it is invalid. Data that is lost is reported."""
        identifier = str(line.raw.get("id", ""))
        try:
            found = mapped(kind, line.raw)
        except Refused as error:
            await self.report.add("invalid", kind, identifier, line.at, str(error))
            return None
        for note in found.notes:
            await self.report.add("noted", kind, identifier, line.at, note)
        return found.model

    async def foretold(self, kind: str, identifier: str, at: str, there: bool) -> None:
        """Report the result that an object would have."""
        existing = "overwritten" if self.overwrite else "there"
        self.foreseen[kind, identifier] = True
        await self.report.add(existing if there else "imported", kind, identifier, at)

    async def name_files(self, kind: str, record: Equipped, at: str) -> None:
        """Record on files that an assistant or a thread names them; report missing files and stores."""
        now = self.store.clock.now()

        async def use(file_id: str) -> None:
            name = blob_name(self.project, file_id)
            if self.dry_run:
                there = ("file", file_id) in self.foreseen or await self.has_file(file_id)
            else:
                document = await self.store.files.change(name, lambda file: used_by(file, record.id, now))
                there = document is not None and not document.value.gone(now)
            if not there:
                await self.report.add("noted", kind, record.id, at, f"Its file '{file_id}' is not there.")

        await for_each(use, code_files(record.tool_resources))
        for store_id in store_ids(record.tool_resources):
            there = ("vector_store", store_id) in self.foreseen
            if not there and await self.store.vector_stores.read(blob_name(self.project, store_id)) is None:
                await self.report.add("noted", kind, record.id, at, f"Its vector store '{store_id}' is not there.")

    async def has_file(self, file_id: str, with_content: bool = False) -> bool:
        """Whether a file exists, or would exist after this dry run."""
        if self.foreseen.get(("file", file_id), False):
            return True
        document = await self.store.files.read(blob_name(self.project, file_id))
        if document is None or document.value.gone(self.store.clock.now()):
            return False
        return not (with_content and document.value.without_content)
