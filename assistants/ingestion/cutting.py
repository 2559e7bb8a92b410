"""Cuts a file's bytes into chunks, and encodes these."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from assistants.ingestion.ingestion import Unreadable
from assistants.ingestion.reading import Reading
from assistants.model.embedder import Embedder
from assistants.model.errors import EndpointError
from assistants.model.retries import is_busy
from assistants.schema.tools import StaticChunks
from assistants.schema.vector_stores import FileError
from assistants.search.chunks import texts, with_vectors


class Cutter:
    """Cuts files into chunks, each with its vector if there are embeddings.

    Child processes read the files; a thread adds the vectors to the chunks, off the event loop.
    """

    def __init__(self, embedder: Embedder, reading: Reading) -> None:
        self._embedder = embedder
        self._reading = reading
        self._thread = ThreadPoolExecutor(1, "ingestion")

    async def cut(self, name: str, content: bytes, chunking: StaticChunks) -> bytes:
        """
        Raises
        ------
        Unreadable
            The file has no text that can be searched, or reading it exceeds a limit, or its embeddings are refused.
        Busy
            No child is free for it at present.
        EndpointError
            The endpoint of the embeddings is unavailable at present.
        OSError
            No child process can be started.
        """
        loop = asyncio.get_running_loop()
        chunks = await self._reading.read(name, content, chunking)
        try:
            vectors = await self._embedder.embed(await loop.run_in_executor(self._thread, texts, chunks))
        except EndpointError as error:
            if is_busy(error):
                raise
            message = f"The text of the file could not be embedded: {error}"
            raise Unreadable(FileError(code="server_error", message=message)) from error
        return await loop.run_in_executor(self._thread, with_vectors, chunks, vectors) if vectors else chunks

    async def close(self) -> None:
        """End the child processes."""
        await self._reading.close()
        self._thread.shutdown(wait=False, cancel_futures=True)
