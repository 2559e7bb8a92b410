"""Vector stores, and the search in a vector store."""

from fastapi import APIRouter

from assistants.api.parameters import Page, Project, Service, Store
from assistants.ingestion.membership import create_store
from assistants.ingestion.removal import delete_store
from assistants.schema.base import VectorStoreId
from assistants.schema.errors import not_found
from assistants.schema.lists import Deleted
from assistants.schema.lists import Page as ListPage
from assistants.schema.vector_stores import (
    CreateVectorStore,
    ModifyVectorStore,
    SearchResult,
    SearchResults,
    SearchVectorStore,
    TextContent,
    VectorStore,
)
from assistants.search.hits import Hit
from assistants.state.lookup import find_vector_store
from assistants.state.paging import page_of_documents
from assistants.state.vector_stores import modified, new_member, new_vector_store, view_store
from assistants.storage.ids import blob_name

router = APIRouter(prefix="/vector_stores", tags=["Vector stores"])


@router.get("")
async def vector_stores_list(store: Store, project: Project, page: Page) -> ListPage[VectorStore]:
    """Lists vector stores, the newest first."""
    now = store.clock.now()
    found = await page_of_documents(store.vector_stores, project, (), page, lambda record: view_store(record, now))
    return ListPage.of(*found)


@router.post("")
async def vector_stores_create(store: Store, project: Project, body: CreateVectorStore) -> VectorStore:
    """Creates a vector store with the given files."""
    await store.hear_time()
    record = new_vector_store(store.ids.new("vs_"), body, store.clock.now())
    files = [new_member(file_id, strategy=body.chunking_strategy) for file_id in body.file_ids or ()]
    return view_store(await create_store(store, project, record, files), store.clock.now())


@router.get("/{vector_store_id}")
async def vector_stores_retrieve(store: Store, project: Project, vector_store_id: VectorStoreId) -> VectorStore:
    """Retrieves a vector store."""
    return view_store((await find_vector_store(store, project, vector_store_id)).value, store.clock.now())


@router.post("/{vector_store_id}")
async def vector_stores_modify(
    store: Store, project: Project, vector_store_id: VectorStoreId, body: ModifyVectorStore
) -> VectorStore:
    """Modifies a vector store: the given fields replace the present ones."""
    document = await store.vector_stores.change(
        blob_name(project, vector_store_id), lambda record: modified(record, body)
    )
    if document is None:
        raise not_found("vector store", vector_store_id)
    return view_store(document.value, store.clock.now())


@router.delete("/{vector_store_id}")
async def vector_stores_delete(store: Store, project: Project, vector_store_id: VectorStoreId) -> Deleted:
    """Deletes a vector store; its files stay."""
    await delete_store(store, project, vector_store_id)
    return Deleted(id=vector_store_id, object="vector_store.deleted")


@router.post("/{vector_store_id}/search")
async def vector_stores_search(
    service: Service, project: Project, vector_store_id: VectorStoreId, body: SearchVectorStore
) -> SearchResults:
    """Searches a vector store: finds the chunks of its files that answer the query best."""
    queries = [body.query] if isinstance(body.query, str) else body.query
    ranking = body.ranking_options or {}
    hits = await service.searcher.search(
        project,
        [vector_store_id],
        queries,
        body.max_num_results,
        filters=body.filters,
        score_threshold=ranking.get("score_threshold", 0),
        ranker=ranking.get("ranker", "auto"),
    )
    return SearchResults(search_query=queries, data=[_result(hit) for hit in hits])


def _result(hit: Hit) -> SearchResult:
    return SearchResult(
        file_id=hit.file_id,
        filename=hit.filename,
        score=hit.score,
        attributes=dict(hit.attributes),
        content=[TextContent(text=hit.text)],
    )
