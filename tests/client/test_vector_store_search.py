"""Search in a vector store, through the official SDK (contract, 6.3)."""

from collections.abc import Mapping
from typing import Any

import pytest
from openai import OpenAI

from tests.support.sdk.client import refused
from tests.support.service.processes import Model

SPIRES = "The spire of Strasbourg is 142 metres high."
BREAD = "Sourdough bread needs flour, water and salt."
FILTERS = "'eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'nin', 'and', and 'or'"
WINE = "Red wine from Alsace is rare; most of it is white."


def store_of(client: OpenAI, files: Mapping[str, str], **attributes: Any) -> str:
    """A store with these texts, by their filenames; each has its length as an attribute."""
    store = client.vector_stores.create()
    ids = {
        client.files.create(file=(name, text.encode()), purpose="assistants").id: text for name, text in files.items()
    }
    given: Any = [
        {"file_id": file_id, "attributes": {"length": len(text), **attributes}} for file_id, text in ids.items()
    ]
    batch = client.vector_stores.file_batches.create_and_poll(store.id, files=given, poll_interval_ms=100)
    assert batch.file_counts.completed == len(files)
    return store.id


@pytest.fixture(scope="module")
def store(client: OpenAI) -> str:
    return store_of(client, {"spires.md": SPIRES, "bread.txt": BREAD, "wine.html": f"<p>{WINE}</p>"}, kind="note")


def names(found: Any) -> list[str]:
    return [each.filename for each in found]


def test_the_best_chunk_is_the_first(client: OpenAI, store: str):
    page = client.vector_stores.search(store, query="How high is the spire of Strasbourg?")
    best = page.data[0]
    assert best.to_dict() | {"file_id": "", "score": 0} == {
        "file_id": "", "filename": "spires.md", "score": 0, "attributes": {"length": len(SPIRES), "kind": "note"},
        "content": [{"type": "text", "text": SPIRES}],
    }  # fmt: skip
    assert best.file_id in [each.id for each in client.vector_stores.files.list(store)]
    scores = [each.score for each in page.data]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_the_page_has_the_queries(client: OpenAI, store: str):
    path, shown = f"/vector_stores/{store}/search", {"object": "vector_store.search_results.page", "has_more": False}
    one: Any = client.post(path, body={"query": "spire", "rewrite_query": True}, cast_to=object)
    assert {key: value for key, value in one.items() if key != "data"} == {
        **shown, "search_query": ["spire"], "next_page": None,
    }  # fmt: skip
    two: Any = client.post(path, body={"query": ["spire", "flour"]}, cast_to=object)
    assert two["search_query"] == ["spire", "flour"]
    assert {each["filename"] for each in two["data"][:2]} == {"spires.md", "bread.txt"}


def test_results_are_limited_filtered_and_good_enough(client: OpenAI, store: str):
    def search(query: str, **options: Any) -> list[str]:
        return names(client.vector_stores.search(store, query=query, **options))

    assert len(search("is", max_num_results=1)) == 1
    short = {"type": "lt", "key": "length", "value": len(BREAD)}
    assert search("Strasbourg flour", filters=short) == ["spires.md"]
    both = {"type": "and", "filters": [short, {"type": "in", "key": "kind", "value": ["letter"]}]}
    assert search("Strasbourg flour", filters=both) == []
    assert search(SPIRES, ranking_options={"score_threshold": 0.9}) == ["spires.md"]
    assert search("Byzantium", ranking_options={"score_threshold": 0.9}) == []


@pytest.mark.parametrize("ranker", ["none", "auto", "default-2024-11-15"])
def test_every_ranker_finds_the_best(client: OpenAI, store: str, ranker: Any):
    found = client.vector_stores.search(store, query="Strasbourg spire", ranking_options={"ranker": ranker})
    assert names(found)[0] == "spires.md"


def test_changes_of_a_store_are_found_at_once(client: OpenAI):
    store = store_of(client, {"spires.md": SPIRES})
    assert names(client.vector_stores.search(store, query="bread")) != ["bread.txt"]
    added = client.vector_stores.files.upload_and_poll(vector_store_id=store, file=("bread.txt", BREAD.encode()))
    assert names(client.vector_stores.search(store, query="bread"))[0] == "bread.txt"
    client.vector_stores.files.update(added.id, vector_store_id=store, attributes={"kind": "recipe"})
    recipes: Any = {"type": "eq", "key": "kind", "value": "recipe"}
    (found,) = client.vector_stores.search(store, query="bread", filters=recipes)
    assert found.attributes == {"kind": "recipe"}
    client.vector_stores.files.delete(added.id, vector_store_id=store)
    assert "bread.txt" not in names(client.vector_stores.search(store, query="bread"))


def test_an_empty_store_and_an_empty_query_have_no_results(client: OpenAI, store: str):
    assert names(client.vector_stores.search(client.vector_stores.create().id, query="spire")) == []
    assert names(client.vector_stores.search(store, query=" ")) == []


def test_a_long_query_is_searched_by_its_beginning(client: OpenAI, store: str):
    found = client.vector_stores.search(store, query=f"{SPIRES} {'and so on ' * 20_000}")
    assert "spires.md" in names(found)


def test_files_are_embedded_as_the_settings_say(client: OpenAI, model: Model, topic: str):
    store = store_of(client, {"a.md": f"{topic} apples", "b.md": "pears"})
    (body,) = [body for body in model.requests("") if topic in str(body.get("input", ""))]
    assert (body["model"], body["dimensions"], body["input"]) == ("text-embedding-3-large", 256, [f"{topic} apples"])
    assert names(client.vector_stores.search(store, query=topic))[0] == "a.md"


def test_while_queries_cannot_be_embedded_keywords_find(client: OpenAI, model: Model, store: str, topic: str):
    model.script({"match": topic, "status": 400, "error": "scripted"})
    assert names(client.vector_stores.search(store, query=f"{topic} sourdough"))[0] == "bread.txt"


def test_a_missing_store_is_not_searched(client: OpenAI):
    with refused(404, "No vector store found with id 'vs_gone'."):
        client.vector_stores.search("vs_gone", query="spire")


@pytest.mark.parametrize(
    ("body", "message", "param", "code"),
    [
        ({}, "Missing required parameter: 'query'.", "query", "missing_required_parameter"),
        (
            {"query": "a", "max_num_results": 51},
            "Invalid 'max_num_results': integer above maximum value. Expected a value <= 50, but got 51 instead.",
            "max_num_results",
            "integer_above_max_value",
        ),
        (
            {"query": "a", "filters": {"type": "like", "key": "k", "value": "v"}},
            f"Invalid value: 'like'. Supported values are: {FILTERS}.",
            "filters.type",
            "invalid_value",
        ),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(
    client: OpenAI, store: str, body: Any, message: str, param: str, code: str
):
    with refused(400, message, param, code):
        client.post(f"/vector_stores/{store}/search", body=body, cast_to=object)
