"""The limits of reading a file, and the errors of files that are refused before they are read."""

from assistants.ingestion.readers.registry import suffix_of, supported
from assistants.schema.vector_stores import FileError

MAX_TOKENS = 5_000_000
"""Tokens that a file may have (contract, 6.1)."""

MAX_INDEX = 256 * 1024 * 1024
"""The most bytes of chunks from a child: more than `MAX_TOKENS` tokens need in the smallest chunks."""

MAX_SECONDS = 240
"""Seconds to read a file, even on a busy machine: the host's `functionTimeout` is not much longer."""

MAX_ATTENDANCE = 540
"""Seconds that an item of files may take, embeddings included; after them it is delivered again."""

_MB = 1024 * 1024
_MAX_BYTES = 40 * _MB
"""The most bytes of a text format: `MAX_TOKENS` tokens have at most 20 MB of UTF-8, and 40 MB of UTF-16."""

_MAX_PACKED_BYTES = 256 * _MB
"""The most bytes of a format that also contains images, fonts and films; this process and the child keep them."""

_PACKED = frozenset((".pdf", ".docx", ".pptx", ".odt", ".epub", ".rtf", ".eml"))
_SECONDS, _SECONDS_PER_MB, _MOST_SECONDS = 20, 8, 110


def processor_seconds(size: int) -> int:
    """Seconds of processor time for a file of `size` bytes. Small files get less, so that others wait less for them."""
    return min(_SECONDS + _SECONDS_PER_MB * size // _MB, _MOST_SECONDS)


def refused(name: str, size: int) -> FileError | None:
    """The error of a file of this name and size if it is not even fetched."""
    if not supported(name):
        return FileError(code="unsupported_file", message="The file type is not supported.")
    if suffix_of(name) in _PACKED:
        if size > _MAX_PACKED_BYTES:
            return _invalid(f"The file has more than {_MAX_PACKED_BYTES // _MB} MB.")
    elif size > _MAX_BYTES:
        return _invalid(f"The file has more than {_MAX_BYTES // _MB} MB: {MAX_TOKENS:,} tokens have less.")
    return None


def _invalid(message: str) -> FileError:
    return FileError(code="invalid_file", message=message)
