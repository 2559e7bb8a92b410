"""Documents as a vector store searches them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum

from assistants.ingestion.cutting import Cutter
from assistants.schema.tools import StaticChunks
from assistants.search.chunks import decode, texts
from assistants.search.embedder import NoEmbedder
from assistants.search.ranking import rank
from assistants.search.segment import Segment, merged
from benchmarks.search.lsa import LsaEmbedder


class Ranking(Enum):
    """What the order of the chunks is by."""

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

        async def cut(cutter: Cutter) -> dict[str, bytes]:
            return {
                name: await cutter.cut(name, text.encode(), chunking)
                for name, text in documents.items()
                if text.strip()
            }

        embedder = LsaEmbedder([text for blob in (await cut(Cutter(NoEmbedder()))).values() for text in texts(blob)])
        blobs = await cut(Cutter(embedder))
        return cls(merged([decode(blob, name, "") for name, blob in blobs.items()]), embedder)

    def __len__(self) -> int:
        """How many chunks there are."""
        return len(self._segment)

    def chunks(self) -> Iterator[tuple[str, str]]:
        """The name of the document of each chunk, and its text."""
        return (self._chunk(number) for number in range(len(self)))

    async def ranked(self, question: str, ranking: Ranking) -> Iterator[tuple[str, str]]:
        """The chunks that were found for a question, the best first."""
        vectors = None if ranking is Ranking.KEYWORDS else await self._embedder.embed([question])
        found = rank([self._segment], [None], [question], vectors, fused=ranking is not Ranking.EMBEDDINGS)
        return (self._chunk(each.chunk) for each in found)

    def _chunk(self, number: int) -> tuple[str, str]:
        at, own = self._segment.place(number)
        text = self._segment.texts[at]
        return text.file_id, text.chunk(own)
