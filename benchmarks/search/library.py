"""Documents in the form that a vector store searches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

from assistants.ingestion.cutting import Cutter
from assistants.ingestion.reading import Reading
from assistants.model.embedder import Embedder, NoEmbedder
from assistants.schema.tools import StaticChunks
from assistants.search.chunks import decode, texts
from assistants.search.ranking import rank
from assistants.search.segment import Segment, merged
from assistants.settings import Settings
from benchmarks.search.lsa import LsaEmbedder
from benchmarks.search.questions import Question


class Ranking(Enum):
    """The way to rank chunks."""

    KEYWORDS = "keywords"
    EMBEDDINGS = "embeddings"
    FUSION = "fusion"


class Library:
    """Documents in chunks, each with its embedding."""

    def __init__(self, segment: Segment, embedder: LsaEmbedder) -> None:
        self._segment = segment
        self._embedder = embedder

    @classmethod
    async def of(cls, documents: Mapping[str, str], chunking: StaticChunks) -> Library:
        """The documents, cut and stored as a vector store's files are, with embeddings fitted on their chunks."""

        async def cut(embedder: Embedder) -> dict[str, bytes]:
            cutter = Cutter(embedder, reading)
            return {name: await cutter.cut(name, text.encode(), chunking) for name, text in documents.items()}

        reading = Reading(Settings.model_validate({}))
        plain = await cut(NoEmbedder())
        embedder = LsaEmbedder([text for blob in plain.values() for text in texts(blob)])
        embedded = await cut(embedder)
        await reading.close()
        return cls(merged([decode(blob, name, "") for name, blob in embedded.items()]), embedder)

    def __len__(self) -> int:
        """The number of chunks."""
        return len(self._segment)

    def answerable(self, questions: Sequence[Question]) -> list[Question]:
        """The questions whose answer is in a chunk."""
        chunks = [self._chunk(number) for number in range(len(self))]
        return [each for each in questions if any(each.answered(*chunk) for chunk in chunks)]

    async def ranked(self, questions: Sequence[str], ranking: Ranking) -> list[Iterator[tuple[str, str]]]:
        """For each question the ranked chunks, the best first: each with the name of its document."""
        vectors = await self._embedder.embed(questions)
        found: list[Iterator[tuple[str, str]]] = []
        for number, question in enumerate(questions):
            own = None if ranking is Ranking.KEYWORDS else vectors._replace(matrix=vectors.matrix[number : number + 1])
            best = rank([self._segment], [None], [question], own, fused=ranking is not Ranking.EMBEDDINGS)
            found.append(self._chunk(each.chunk) for each in best)
        return found

    def _chunk(self, number: int) -> tuple[str, str]:
        at, own = self._segment.place(number)
        text = self._segment.texts[at]
        return text.file_id, text.chunk(own)
