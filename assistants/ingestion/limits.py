"""What reading a file may take, and what is refused before it is read."""

from assistants.ingestion.readers.registry import suffix_of, supported
from assistants.schema.vector_stores import FileError

MAX_TOKENS = 5_000_000
"""Tokens that a file may have (contract, 6.1)."""

MAX_INDEX = 256 * 1024 * 1024
"""Bytes of chunks that are taken from a child: more than `MAX_TOKENS` tokens have in the smallest chunks."""

MAX_SECONDS = 240
"""Within which a file is read, also where the machine has little time for it: the host's `functionTimeout` is near."""

MAX_ATTENDANCE = 540
"""Seconds that an item of files may take, embeddings included; after that it is delivered again."""

_MB = 1024 * 1024
_MAX_BYTES = 40 * _MB
"""Of formats that are text: `MAX_TOKENS` tokens have 20 MB of UTF-8 at most, and 40 MB of UTF-16."""

_MAX_PACKED_BYTES = 256 * _MB
"""Of formats that also hold pictures, fonts and films. They are held in memory, here and in the child."""

_PACKED = frozenset((".pdf", ".docx", ".pptx", ".odt", ".epub", ".rtf", ".eml"))
_SECONDS, _SECONDS_PER_MB, _MOST_SECONDS = 20, 8, 110


def processor_seconds(size: int) -> int:
    """Seconds of processor time for a file of so many bytes. Small ones get less, so that others wait less for them."""
    return min(_SECONDS + _SECONDS_PER_MB * size // _MB, _MOST_SECONDS)


def refused(name: str, size: int) -> FileError | None:
    """Why a file of this name and so many bytes is not even fetched, if so."""
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
