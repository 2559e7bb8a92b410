"""The gain of searching by keywords and embeddings together, with the questions of benchmarks/search."""

from assistants.state.vector_stores import AUTO
from benchmarks.search.corpus import documents
from benchmarks.search.library import Library, Ranking
from benchmarks.search.measures import measure
from benchmarks.search.questions import questions


async def test_the_fusion_finds_the_answers_that_keywords_or_embeddings_find() -> None:
    library = await Library.of(documents(), AUTO)
    asked = library.answerable(questions())
    keywords, embeddings, fusion = [await measure(library, asked, ranking) for ranking in Ranking]
    assert fusion.recall_20 >= max(keywords.recall_20, embeddings.recall_20)
    assert fusion.mrr >= max(keywords.mrr, embeddings.mrr) - 0.01
