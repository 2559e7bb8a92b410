"""Tools, their resources, and the options of the model's answer (contract, 1, 1.1, 1.2 and 4)."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, BeforeValidator, Field, Tag
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from assistants.schema.base import (
    FileId,
    Items,
    JsonObject,
    Metadata,
    Name,
    OptionalNulls,
    VectorStoreId,
    by_json_type,
)


class CodeInterpreterTool(TypedDict):
    """Lets the model run Python."""

    type: Literal["code_interpreter"]


class FunctionDefinition(TypedDict):
    """A function of the client; without `parameters` it has none."""

    name: Name
    description: NotRequired[str]
    parameters: NotRequired[JsonObject]
    strict: NotRequired[bool | None]


class FunctionTool(TypedDict):
    """Lets the model call a client's function."""

    type: Literal["function"]
    function: OptionalNulls[FunctionDefinition]


class RetrievalTool(TypedDict):
    """v1's tool, kept in v2 as this service's own (contract, 13 and 14)."""

    type: Literal["retrieval"]


class RankingOptions(TypedDict):
    """The ranker of results, and the score that results need."""

    ranker: NotRequired[Literal["auto", "default_2024_08_21"]]
    score_threshold: Annotated[float, Field(ge=0, le=1)]


class FileSearchOptions(TypedDict):
    """Options of file search."""

    max_num_results: NotRequired[Annotated[int, Field(ge=1, le=50)]]
    ranking_options: NotRequired[OptionalNulls[RankingOptions]]


class FileSearchTool(TypedDict):
    """Lets the model search files."""

    type: Literal["file_search"]
    file_search: NotRequired[OptionalNulls[FileSearchOptions]]


AssistantTool = Annotated[
    CodeInterpreterTool | FunctionTool | RetrievalTool | OptionalNulls[FileSearchTool], Field(discriminator="type")
]


class PlainFileSearchTool(TypedDict):
    """File search without its options, as in an attachment."""

    type: Literal["file_search"]


AttachmentTool = Annotated[CodeInterpreterTool | PlainFileSearchTool, Field(discriminator="type")]


class AutoChunking(TypedDict):
    """Chunks of 800 tokens that overlap by 400."""

    type: Literal["auto"]


class StaticChunks(TypedDict):
    """Sizes in tokens; chunks overlap by at most half their size."""

    max_chunk_size_tokens: Annotated[int, Field(ge=100, le=4096)]
    chunk_overlap_tokens: Annotated[int, Field(ge=0)]


def _half(chunks: StaticChunks) -> StaticChunks:
    if chunks["chunk_overlap_tokens"] * 2 > chunks["max_chunk_size_tokens"]:
        raise PydanticCustomError("chunk_overlap", "chunk_overlap_tokens must be at most half max_chunk_size_tokens")
    return chunks


class StaticChunking(TypedDict):
    """Chunks of the client's choice."""

    type: Literal["static"]
    static: Annotated[StaticChunks, AfterValidator(_half)]


ChunkingStrategy = Annotated[AutoChunking | StaticChunking, Field(discriminator="type")]


class NewVectorStore(TypedDict):
    """A vector store to be created and attached."""

    file_ids: NotRequired[Annotated[Items[FileId], Field(max_length=100_000_000)]]
    chunking_strategy: NotRequired[ChunkingStrategy]
    metadata: NotRequired[Metadata | None]


def _with_files(store: NewVectorStore) -> NewVectorStore:
    if not store.get("file_ids"):
        raise PydanticCustomError("helper_without_files", "file_ids must be non-empty")
    return store


MAX_CODE_FILES = 20
"""Files that the code interpreter of an assistant or a thread may have (contract, 1.2)."""


class CodeInterpreterResources(TypedDict):
    """Files for the code interpreter."""

    file_ids: NotRequired[Annotated[Items[FileId], Field(max_length=MAX_CODE_FILES)]]


class FileSearchResources(TypedDict):
    """The vector store for file search."""

    vector_store_ids: NotRequired[Annotated[Items[VectorStoreId], Field(max_length=1)]]


class NewFileSearchResources(FileSearchResources):
    """File search resources of a new object: the ids of vector stores or new vector stores, exactly one of the two."""

    vector_stores: NotRequired[
        Annotated[Items[Annotated[NewVectorStore, AfterValidator(_with_files)]], Field(max_length=1)]
    ]


_EITHER = ("vector_store_ids", "vector_stores")


def _exactly_one(resources: NewFileSearchResources) -> NewFileSearchResources:
    if not resources:
        raise PydanticCustomError("missing_key", "Expected '{key}'.", {"key": _EITHER[0]})
    if len(resources) == 2:
        raise PydanticCustomError("exclusive_keys", "Expected only one.", {"first": _EITHER[0], "second": _EITHER[1]})
    return resources


class ToolResources(TypedDict):
    """The resources of tools."""

    code_interpreter: NotRequired[OptionalNulls[CodeInterpreterResources]]
    file_search: NotRequired[OptionalNulls[FileSearchResources]]


class NewToolResources(TypedDict):
    """The resources of a new assistant or thread, which may include new vector stores (contract, 1.2)."""

    code_interpreter: NotRequired[OptionalNulls[CodeInterpreterResources]]
    file_search: NotRequired[
        Annotated[
            NewFileSearchResources,
            AfterValidator(_exactly_one),
            Field(json_schema_extra={"oneOf": [{"required": [key]} for key in _EITHER]}),
        ]
    ]


class TextFormat(TypedDict):
    """The model answers in text."""

    type: Literal["text"]


class JsonObjectFormat(TypedDict):
    """The model answers with a JSON object."""

    type: Literal["json_object"]


class JsonSchema(TypedDict):
    """A JSON Schema, and whether the answer must follow it exactly."""

    name: Name
    description: NotRequired[str]
    schema: NotRequired[JsonObject]
    strict: NotRequired[bool | None]


class JsonSchemaFormat(TypedDict):
    """The model answers with JSON that follows a schema."""

    type: Literal["json_schema"]
    json_schema: OptionalNulls[JsonSchema]


ResponseFormat = Annotated[
    Annotated[Literal["auto"], Tag("<string>")]
    | Annotated[
        Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")], Tag("<object>")
    ],
    by_json_type("a string or object"),
]


class FunctionName(TypedDict):
    """A function, by its name."""

    name: str


class FunctionChoice(TypedDict):
    """The function that the model must call."""

    type: Literal["function"]
    function: FunctionName


def without_function(choice: Any) -> Any:
    """The choice of a server tool without its null function, sent by clients that have one class for all choices."""
    match choice:
        case {"type": "code_interpreter" | "file_search" | "retrieval", "function": None}:
            return {name: value for name, value in choice.items() if name != "function"}
        case _:
            return choice


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("<string>")]
    | Annotated[
        Annotated[FunctionChoice | CodeInterpreterTool | PlainFileSearchTool, Field(discriminator="type")],
        BeforeValidator(without_function),
        Tag("<object>"),
    ],
    by_json_type("a string or object"),
]


class TruncationStrategy(TypedDict):
    """How a long thread is truncated for the model: `last_messages` keeps this number of the latest."""

    type: Literal["auto", "last_messages"]
    last_messages: NotRequired[Annotated[int, Field(ge=1)] | None]


ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(ge=0, le=1)]
Model = Annotated[str, Field(min_length=1)]
Instructions = Annotated[str, Field(max_length=256_000)]
AssistantTools = Annotated[Items[AssistantTool], Field(max_length=128)]
RunTools = Annotated[Items[AssistantTool], Field(max_length=20)]
