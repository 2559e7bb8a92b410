"""`python -m benchmarks.searching`: the speed of ingestion, of search, and of the start of a process.

All parts run in this process except the demo model, whose embeddings are used, and processes that are started anew.
"""

import argparse
import asyncio
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from assistants.ingestion.cutting import Cutter
from assistants.ingestion.reading import Reading
from assistants.model.embedder import Vectors
from assistants.model.embedding import EndpointEmbedder
from assistants.model.endpoint import Endpoint
from assistants.search.chunking import Span
from assistants.search.chunks import decode, encode
from assistants.search.index import Index
from assistants.search.ranking import rank
from assistants.search.segment import segment
from assistants.settings import Settings
from assistants.state.vector_stores import AUTO
from tests.support.pdf import pdf
from tests.support.service.processes import Model

ROOT = Path(__file__).parents[1]
DIMENSIONS = 256
WORDS = 60
"""Words of a chunk that is searched; the time depends on the number of chunks with a word."""


class Writer:
    """Generates texts with the word frequencies of a language."""

    def __init__(self) -> None:
        self._random = random.Random(1)
        letters = "abcdefghijklmnopqrstuvwxyz"
        lengths = (self._random.randint(2, 10) for _ in range(30_000))
        self._vocabulary = ["".join(self._random.choices(letters, k=length)) for length in lengths]
        self._weights = [1 / rank for rank in range(1, len(self._vocabulary) + 1)]

    def words(self, count: int) -> list[str]:
        return self._random.choices(self._vocabulary, self._weights, k=count)

    def text(self, size: int) -> str:
        """Sentences and paragraphs of about `size` characters."""
        words = self.words(size // 6)
        sentences = [" ".join(words[at : at + 12]) + "." for at in range(0, len(words), 12)]
        return "\n\n".join(" ".join(sentences[at : at + 5]) for at in range(0, len(sentences), 5))[:size]


def stored(writer: Writer, chunks: int) -> list[bytes]:
    """`chunks` chunks in files of a hundred, with random vectors, in their stored form."""
    numbers = np.random.default_rng(1)

    def file() -> bytes:
        texts = [" ".join(writer.words(WORDS)) for _ in range(100)]
        spans, start = list[Span](), 0
        for text in texts:
            spans.append(Span(start, start + len(text)))
            start += len(text) + 1
        matrix = numbers.standard_normal((len(texts), DIMENSIONS), dtype=np.float32)
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
        return encode(segment("a.txt", "\n".join(texts), spans, Vectors("demo", matrix)))

    return [file() for _ in range(chunks // 100)]


def opened(blobs: Sequence[bytes]) -> Index:
    """Print the time of a process's first search besides reading from storage."""
    versions, started, before = {f"file-{at}": "1" for at in range(len(blobs))}, time.perf_counter(), memory("VmRSS")
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets the peak
    found = Index().grown([decode(blob, at, "1") for at, blob in zip(versions, blobs, strict=True)], versions)
    taken = time.perf_counter() - started
    print(f"first search: {taken:.2f} s, {memory('VmHWM') - before:.0f} MB more at most, ", end="")
    print(f"besides the {sum(map(len, blobs)) / 1e6:.0f} MB that were read")
    return found


def memory(name: str) -> float:
    """A figure of this process's memory in MB; Linux only."""
    return int(Path("/proc/self/status").read_text(encoding="ascii").split(f"{name}:")[1].split()[0]) / 1000


def search(writer: Writer, chunks: int, rounds: int) -> None:
    """Print the time of a warm search, in alternation with that of its matrix product alone."""
    (found,) = opened(stored(writer, chunks)).segments
    numbers = np.random.default_rng(2)
    queries = [" ".join(writer.words(8)) for _ in range(rounds)]
    rows = numbers.standard_normal((rounds, 1, DIMENSIONS), dtype=np.float32)
    vectors = [Vectors("demo", row / np.linalg.norm(row)) for row in rows]
    whole, floor = list[float](), list[float]()
    for query, vector in zip(queries, vectors, strict=True):
        floor.append(timed(lambda vector=vector: found.groups[0].matrix @ vector.matrix[0]))
        whole.append(timed(lambda query=query, vector=vector: rank([found], [None], [query], vector)))
    print(f"search over {chunks:,} chunks of {DIMENSIONS} dimensions, {found.nbytes / 1e6:.0f} MB in memory: ", end="")
    print(f"{shown(whole)}; the matrix product alone {shown(floor)}")


async def ingest(writer: Writer, megabytes: int, pages: int) -> None:
    """Print the speed at which the text of files is cut, embedded and packed."""
    with Model() as model:
        settings = Settings.model_validate({"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "unused"})
        endpoint = Endpoint(settings)
        cutter = Cutter(EndpointEmbedder(settings, endpoint), Reading(settings))
        texts = [writer.text(1_000_000).encode() for _ in range(megabytes)]
        await cutter.cut("first.txt", texts[0][:10_000], AUTO)
        started = time.perf_counter()
        for text in texts:
            await cutter.cut("a.txt", text, AUTO)
        print(f"ingestion of text: {megabytes / (time.perf_counter() - started):.2f} MB/s")

        lines = [" ".join(writer.words(14)) for _ in range(50)]
        document = pdf([lines] * pages)
        started = time.perf_counter()
        await cutter.cut("a.pdf", document, AUTO)
        print(f"ingestion of PDF, 50 lines a page: {pages / (time.perf_counter() - started):.0f} pages/s")
        await cutter.close()
        await endpoint.close()


def start(rounds: int) -> None:
    """Print the time until a process is ready for HTTP, and with the imports that only searches need."""
    heavy = "import numpy, assistants.search.ranking"
    times: dict[str, list[float]] = {"": [], f"; {heavy}": []}
    for _ in range(rounds):
        for more, taken in times.items():
            command = [sys.executable, "-c", f"import function_app{more}"]
            taken.append(timed(lambda command=command: subprocess.run(command, cwd=ROOT, check=True)))
    plain, all_of_it = times.values()
    print(f"start of a process: {shown(plain)}; with all that files and searches need: {shown(all_of_it)}")


def timed(act: Callable[[], Any]) -> float:
    """Milliseconds of a call."""
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def shown(times: Sequence[float]) -> str:
    """Milliseconds as text."""
    return f"p50 {statistics.median(times):.1f} ms (p95 {statistics.quantiles(times, n=20)[-1]:.1f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.searching", description="Search and ingestion.")
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--megabytes", type=int, default=10)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--starts", type=int, default=7)
    given = parser.parse_args()
    writer = Writer()
    start(given.starts)
    asyncio.run(ingest(writer, given.megabytes, given.pages))
    search(writer, given.chunks, given.rounds)


if __name__ == "__main__":
    main()
