"""From a file's bytes to the bytes that hold its chunks."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from assistants.ingestion.reading import Reading
from assistants.model.embedder import Embedder
from assistants.schema.tools import StaticChunks
from assistants.search.chunks import texts, with_vectors


class Cutter:
    """Cuts files into chunks, each with its vector if there are embeddings.

    Files are read by children, and the vectors are put to the chunks in a thread that nobody else waits for.
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
            The file has no text that can be searched, or reading it takes too much.
        Busy
            There is no time for it just now.
        Exception
            There are no embeddings just now, or no processes.
        """
        loop = asyncio.get_running_loop()
        chunks = await self._reading.read(name, content, chunking)
        vectors = await self._embedder.embed(await loop.run_in_executor(self._thread, texts, chunks))
        return await loop.run_in_executor(self._thread, with_vectors, chunks, vectors) if vectors else chunks

    async def close(self) -> None:
        """End the children."""
        await self._reading.close()
        self._thread.shutdown(wait=False, cancel_futures=True)
