"""From a file's bytes to the bytes that hold its chunks."""

from assistants.ingestion.ingestion import Unreadable
from assistants.schema.tools import StaticChunks
from assistants.schema.vector_stores import FileError
from assistants.search.chunking import chunk
from assistants.search.chunks import encode
from assistants.search.extraction import Invalid, Unsupported, extract


async def cut(name: str, content: bytes, chunking: StaticChunks) -> bytes:
    """
    Raises
    ------
    Unreadable
        The file has no text that can be searched.
    """
    try:
        text = await extract(name, content)
    except Unsupported as error:
        raise Unreadable(FileError(code="unsupported_file", message=str(error))) from error
    except Invalid as error:
        raise Unreadable(FileError(code="invalid_file", message=str(error))) from error
    return encode(chunk(text, chunking["max_chunk_size_tokens"], chunking["chunk_overlap_tokens"]))
