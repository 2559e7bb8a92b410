"""The blob that holds the chunks of one version of a file in a vector store."""

import json
from collections.abc import Sequence


def encode(chunks: Sequence[str]) -> bytes:
    """The chunks as they are stored."""
    return json.dumps({"chunks": list(chunks)}, ensure_ascii=False).encode()


def decode(content: bytes) -> list[str]:
    """The chunks that were stored."""
    return json.loads(content)["chunks"]
