"""Embeddings without a model: texts with common words have vectors of similar directions."""

import base64
import math
import re
import struct
from collections import Counter
from zlib import crc32

from assistants.local.reply import Json

_DIMENSIONS = 1536
_WORD = re.compile(r"[^\W_]+")


def embeddings(body: Json) -> Json:
    """The answer to POST /embeddings, with the requested `dimensions`, in base64 or as numbers."""
    given = body.get("input", "")
    texts: list[str] = [given] if isinstance(given, str) else given
    vectors = [embedding(text, body.get("dimensions") or _DIMENSIONS) for text in texts]
    packed = body.get("encoding_format") == "base64"
    tokens = sum(map(len, texts)) // 4
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _packed(vector) if packed else vector}
            for index, vector in enumerate(vectors)
        ],
        "model": body.get("model", "demo"),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def embedding(text: str, dimensions: int) -> list[float]:
    """A vector of length 1 of hashed words, weighted by their frequency."""
    vector = [0.0] * dimensions
    for word, often in Counter(_WORD.findall(text.lower())).items():
        number = crc32(word.encode())
        vector[(number >> 1) % dimensions] += (1 if number & 1 else -1) * (1 + math.log(often)) * min(len(word), 8)
    length = math.hypot(*vector) or 1.0
    return [value / length for value in vector]


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
