"""`python -m benchmarks.search`: how well search finds the answers to 300 questions (see `questions`).

Documentation (see `corpus`) is cut into chunks as a vector store's files are, and searched by keywords alone, by
embeddings alone (see `lsa`), and by both, as `file_search` does. Recall is the share of questions of which a chunk with
the answer is among the first 5 or 20; MRR is the mean of 1 / the place of the first such chunk.
"""

import argparse
import asyncio
import statistics
from collections.abc import Sequence

from assistants.schema.tools import StaticChunks
from benchmarks.search.corpus import documents
from benchmarks.search.library import Library, Ranking
from benchmarks.search.questions import Question, questions


async def places(library: Library, asked: Sequence[Question], ranking: Ranking) -> list[int | None]:
    """For each question, the place of the first chunk with the answer, from 1 on; None where none is found."""
    ranked = await library.ranked([each.question for each in asked], ranking)
    return [
        next((place for place, chunk in enumerate(chunks, 1) if each.answered(*chunk)), None)
        for each, chunks in zip(asked, ranked, strict=True)
    ]


def recall(found: Sequence[int | None], depth: int) -> float:
    """The share of answers among the first `depth` chunks."""
    return statistics.fmean(place is not None and place <= depth for place in found)


def mean_reciprocal_rank(found: Sequence[int | None]) -> float:
    """The mean of 1 / place; 0 counts for what is not found."""
    return statistics.fmean(1 / place if place else 0 for place in found)


async def run(chunking: StaticChunks) -> None:
    """Measure, and print the table."""
    texts = documents()
    library = await Library.of(texts, chunking)
    asked = [each for each in questions() if any(each.answered(*chunk) for chunk in library.chunks())]
    size = sum(len(text.encode()) for text in texts.values())
    print(f"{len(texts)} documents of {size / 1e6:.2f} MB in {len(library)} chunks, {len(asked)} questions", end="")
    print(f" ({len(questions()) - len(asked)} have no answer in these documents)")
    print("              recall@5   recall@20         MRR")
    for ranking in Ranking:
        found = await places(library, asked, ranking)
        figures = (recall(found, 5), recall(found, 20), mean_reciprocal_rank(found))
        print(f"{ranking.value:<10}" + "".join(f"{figure:>12.3f}" for figure in figures), flush=True)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--chunk-tokens", type=int, default=800)
    parser.add_argument("--overlap-tokens", type=int, default=400)
    chosen = parser.parse_args()
    asyncio.run(run({"max_chunk_size_tokens": chosen.chunk_tokens, "chunk_overlap_tokens": chosen.overlap_tokens}))


if __name__ == "__main__":
    main()
