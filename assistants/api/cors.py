"""Requests from other origins. The middleware is around the gate: preflights have no key, errors get headers."""

import re
from collections.abc import Sequence
from typing import Any

EXPOSED = (
    "x-request-id", "openai-version", "openai-organization", "openai-processing-ms", "retry-after",
    "content-disposition",
)  # fmt: skip
"""Headers of an answer that a page may read, besides those that the standard always allows."""


def cors(origins: Sequence[str]) -> dict[str, Any]:
    """The options of `CORSMiddleware` for these origins; `*` means all origins, and a port `*` any port."""
    named = "|".join(re.escape(origin).replace(r":\*", r"(:\d+)?") for origin in origins)
    return {
        **({"allow_origins": ["*"]} if "*" in origins else {"allow_origin_regex": named}),
        "allow_methods": ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"],
        "allow_headers": ["*"],
        "expose_headers": EXPOSED,
    }
