"""Vector stores, the files in them, and search (contract, 6.3)."""

import math
from typing import Annotated, Literal, NotRequired, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, Tag, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError, PydanticKnownError
from typing_extensions import TypedDict

from assistants.schema.base import (
    FileId,
    Items,
    Metadata,
    NotNull,
    Object,
    ObjectMetadata,
    Pairs,
    Request,
    Resource,
    Timestamp,
    bounded,
    by_json_type,
)
from assistants.schema.tools import ChunkingStrategy, StaticChunking

MAX_FILES = 10_000
"""Files that one vector store may hold (contract, 6.3)."""

VectorStoreStatus = Literal["expired", "in_progress", "completed"]
FileStatus = Literal["in_progress", "completed", "failed", "cancelled"]


def _finite(value: float) -> float:
    try:
        if math.isfinite(float(value)):
            return value
    except OverflowError:
        pass
    raise PydanticKnownError("finite_number")


Number = Annotated[float, PlainValidator(_finite), WithJsonSchema({"type": "number"})]
"""A number of the client, kept unchanged: an integer stays one."""

Attribute = Annotated[
    Annotated[Annotated[str, Field(max_length=512)], Tag("<string>")]
    | Annotated[Number, Tag("<number>")]
    | Annotated[bool, Tag("<boolean>")],
    by_json_type("a string, decimal, or boolean"),
]
Attributes = Pairs[Attribute]
AttributeValue = str | int | float | bool
ObjectAttributes = Annotated[dict[str, AttributeValue], BeforeValidator(lambda value: {} if value is None else value)]
"""Attributes in an object: `{}` if there are none."""


class ExpiresAfter(TypedDict):
    """The store expires when it has not been used for `days` days."""

    anchor: Literal["last_active_at"]
    days: Annotated[int, Field(ge=1, le=365)]


class CreateVectorStore(Request):
    """A request to create a vector store, with its first files if there are any."""

    file_ids: NotNull[Annotated[Items[FileId], Field(max_length=500)]] = None
    name: str | None = None
    description: str | None = None
    expires_after: ExpiresAfter | None = None
    chunking_strategy: NotNull[ChunkingStrategy] = None
    metadata: Metadata | None = None


class ModifyVectorStore(Request):
    """A request to modify a vector store. Only the fields in `model_fields_set` change; a null clears one."""

    name: str | None = None
    expires_after: ExpiresAfter | None = None
    metadata: Metadata | None = None


class CreateVectorStoreFile(Request):
    """A request to add a file to a vector store."""

    file_id: FileId
    attributes: Attributes | None = None
    chunking_strategy: NotNull[ChunkingStrategy] = None


class ModifyVectorStoreFile(Request):
    """A request to replace all of a file's attributes."""

    attributes: Attributes | None


class CreateVectorStoreFileBatch(Request):
    """A request to add files to a vector store: all alike, or each with attributes and chunks of its own."""

    file_ids: NotNull[Annotated[Items[FileId], Field(min_length=1, max_length=2000)]] = None
    files: NotNull[Annotated[Items[CreateVectorStoreFile], Field(min_length=1, max_length=2000)]] = None
    attributes: Attributes | None = None
    chunking_strategy: NotNull[ChunkingStrategy] = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if self.file_ids is None and self.files is None:
            raise PydanticCustomError("missing_key", "Expected '{key}'.", {"key": "file_ids"})
        if self.file_ids is not None and self.files is not None:
            raise PydanticCustomError("exclusive_keys", "Expected only one.", {"first": "file_ids", "second": "files"})
        return self


class FileCounts(Object):
    """The number of files in each state."""

    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    total: int = 0


class VectorStore(Resource):
    """A vector store: files that can be searched."""

    object: Literal["vector_store"] = "vector_store"
    created_at: Timestamp
    name: str | None = None
    description: str | None = None
    usage_bytes: int = 0
    file_counts: FileCounts
    status: VectorStoreStatus
    expires_after: ExpiresAfter | None = None
    expires_at: Timestamp | None = None
    last_active_at: Timestamp | None = None
    metadata: ObjectMetadata = Field(default_factory=dict[str, str])


class FileError(Object):
    """Why a file cannot be searched."""

    code: Literal["server_error", "unsupported_file", "invalid_file"]
    message: str


class OtherChunking(TypedDict):
    """Chunks of an unknown strategy."""

    type: Literal["other"]


class VectorStoreFile(Resource):
    """A file in a vector store; its id is the file's own."""

    object: Literal["vector_store.file"] = "vector_store.file"
    created_at: Timestamp
    usage_bytes: int = 0
    vector_store_id: str
    status: FileStatus
    last_error: FileError | None = None
    chunking_strategy: Annotated[StaticChunking | OtherChunking, Field(discriminator="type")]
    attributes: ObjectAttributes


class VectorStoreFileBatch(Resource):
    """Files that were added to a vector store by one request."""

    object: Literal["vector_store.files_batch", "vector_store.file_batch"] = "vector_store.files_batch"
    created_at: Timestamp
    vector_store_id: str
    status: FileStatus
    file_counts: FileCounts


class TextContent(Object):
    """A piece of a file's text."""

    type: Literal["text"] = "text"
    text: str


class VectorStoreFileContent(Object):
    """The text of a file, in its chunks."""

    object: Literal["vector_store.file_content.page"] = "vector_store.file_content.page"
    data: list[TextContent]
    has_more: bool = False
    next_page: str | None = None


_Values = Annotated[
    Items[
        Annotated[
            Annotated[str, Tag("<string>")] | Annotated[Number, Tag("<number>")], by_json_type("a string or decimal")
        ]
    ],
    Tag("<array>"),
]


class ComparisonFilter(TypedDict):
    """A condition on one attribute."""

    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]
    key: str
    value: Annotated[
        Annotated[str, Tag("<string>")]
        | Annotated[Number, Tag("<number>")]
        | Annotated[bool, Tag("<boolean>")]
        | _Values,
        by_json_type("a string, decimal, boolean, or array"),
    ]


class CompoundFilter(TypedDict):
    """Several filters, combined by `and` or `or`."""

    type: Literal["and", "or"]
    filters: "Items[Filter]"


_MAX_FILTER = 1_000
"""Values in a filter, which is applied to up to 10,000 files."""

_MAX_QUERIES = 100

Filter = Annotated[ComparisonFilter | CompoundFilter, Field(discriminator="type")]


def _few(chosen: Filter) -> Filter:
    return bounded(chosen, nodes=_MAX_FILTER)


class SearchRanking(TypedDict):
    """The ranker of results, and the score that results need."""

    ranker: NotRequired[Literal["none", "auto", "default-2024-11-15"]]
    score_threshold: NotRequired[Annotated[float, Field(ge=0, le=1)]]


class SearchVectorStore(Request):
    """A search: one query, or several whose results are merged."""

    query: Annotated[
        Annotated[str, Tag("<string>")]
        | Annotated[Items[str], Field(min_length=1, max_length=_MAX_QUERIES), Tag("<array>")],
        by_json_type("a string or array of strings"),
    ]
    rewrite_query: NotNull[bool] = None
    max_num_results: Annotated[int, Field(ge=1, le=50)] = 10
    filters: NotNull[Annotated[Filter, AfterValidator(_few)]] = None
    ranking_options: NotNull[SearchRanking] = None


class SearchResult(Object):
    """A file, with its best chunks for the query."""

    file_id: str
    filename: str
    score: Annotated[float, Field(ge=0, le=1)]
    attributes: ObjectAttributes
    content: list[TextContent]


class SearchResults(Object):
    """The results of a search, the best first."""

    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    search_query: list[str]
    data: list[SearchResult]
    has_more: bool = False
    next_page: str | None = None
