"""From a file's bytes to the bytes that hold its chunks."""

import asyncio

from assistants.ingestion.ingestion import Unreadable
from assistants.model.embedder import Embedder, Vectors
from assistants.model.errors import EndpointError
from assistants.model.retries import is_busy
from assistants.schema.tools import StaticChunks
from assistants.schema.vector_stores import FileError
from assistants.search.chunking import Span, chunk
from assistants.search.chunks import encode
from assistants.search.extraction import Invalid, Unsupported, extract
from assistants.tokens import of_text

MAX_TOKENS = 5_000_000
"""Tokens that a file may have (contract, 6.1)."""


class Cutter:
    """Cuts files into chunks, each with its vector if there are embeddings. All but those is done in threads."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def cut(self, name: str, content: bytes, chunking: StaticChunks) -> bytes:
        """
        Raises
        ------
        Unreadable
            The file has no text that can be searched, or there will be no embeddings.
        EndpointError
            There are no embeddings just now.
        """
        text, spans = await asyncio.to_thread(_chunks, name, content, chunking)
        try:
            vectors = await self._embedder.embed([text[start:end] for start, end in spans])
        except EndpointError as error:
            if is_busy(error):
                raise
            message = f"The text of the file could not be embedded: {error}"
            raise Unreadable(FileError(code="server_error", message=message)) from error
        return await asyncio.to_thread(_encoded, name, text, spans, vectors)


def _chunks(name: str, content: bytes, chunking: StaticChunks) -> tuple[str, list[Span]]:
    try:
        text = extract(name, content)
    except Unsupported as error:
        raise Unreadable(FileError(code="unsupported_file", message=str(error))) from error
    except Invalid as error:
        raise Unreadable(FileError(code="invalid_file", message=str(error))) from error
    if of_text(text) > MAX_TOKENS:
        raise Unreadable(FileError(code="invalid_file", message=f"The file has more than {MAX_TOKENS:,} tokens."))
    return text, chunk(text, chunking["max_chunk_size_tokens"], chunking["chunk_overlap_tokens"])


def _encoded(name: str, text: str, spans: list[Span], vectors: Vectors | None) -> bytes:
    from assistants.search.segment import segment

    return encode(segment(name, text, spans, vectors))
