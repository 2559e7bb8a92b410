"""`python -m benchmarks.search`: the quality of search, measured by 300 questions (see `questions`).

Documentation (see `corpus`) is cut into chunks as a vector store's files are, and searched by keywords alone, by
embeddings alone (see `lsa`), and by both, as `file_search` does.
"""

import argparse
import asyncio

from assistants.schema.tools import StaticChunks
from assistants.state.vector_stores import AUTO
from benchmarks.search.corpus import documents
from benchmarks.search.library import Library, Ranking
from benchmarks.search.measures import measure
from benchmarks.search.questions import questions


async def run(chunking: StaticChunks) -> None:
    """Measure, and print the table."""
    texts = documents()
    library = await Library.of(texts, chunking)
    asked = library.answerable(questions())
    size = sum(len(text.encode()) for text in texts.values())
    print(f"{len(texts)} documents of {size / 1e6:.2f} MB in {len(library)} chunks, {len(asked)} questions", end="")
    print(f" ({len(questions()) - len(asked)} more have no answer in these documents)")
    print("              recall@5   recall@20         MRR")
    for ranking in Ranking:
        figures = await measure(library, asked, ranking)
        print(f"{ranking.value:<10}" + "".join(f"{figure:>12.3f}" for figure in figures), flush=True)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--chunk-tokens", type=int, default=AUTO["max_chunk_size_tokens"])
    parser.add_argument("--overlap-tokens", type=int, default=AUTO["chunk_overlap_tokens"])
    chosen = parser.parse_args()
    asyncio.run(run({"max_chunk_size_tokens": chosen.chunk_tokens, "chunk_overlap_tokens": chosen.overlap_tokens}))


if __name__ == "__main__":
    main()
