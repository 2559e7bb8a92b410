"""From a file's bytes to the bytes that hold its chunks."""

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

    Files are read by children, and the vectors are put to the chunks in a thread that no other task waits for.
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
            The file has no text that can be searched, or reading it takes too much, or there will be no embeddings.
        Busy
            There is no time for it just now.
        EndpointError
            There are no embeddings just now.
        OSError
            No child can be started.
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
        """End the children."""
        await self._reading.close()
        self._thread.shutdown(wait=False, cancel_futures=True)
