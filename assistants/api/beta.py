"""The `OpenAI-Beta` header: the version of the Assistants API (contract, 0, 8 and 13)."""

import re
from typing import Literal

from assistants.schema.errors import malformed_beta, missing_beta, unknown_beta

Version = Literal["v1", "v2"]

_BETA = re.compile(r"([A-Za-z0-9_.-]+)=(v\d+)")
_VERSIONS: dict[str, Version] = {"v1": "v1", "v2": "v2"}
_GUARDED = re.compile(r"/v1/(assistants|threads)(/|$)")


def version(header: str | None, path: str, required: bool) -> Version:
    """The version that a header requests: v2, unless `assistants=v1` is in it and `assistants=v2` is not.

    Parameters
    ----------
    header
        A comma list of `beta=version`; several headers count as one list.
    path
        The header may be required for the paths of assistants and threads.

    Raises
    ------
    ApiError
        The header is missing where it is required, malformed, or names an unknown beta (400).
    """
    if not (header or "").strip(" ,"):
        if required and _GUARDED.match(path):
            raise missing_beta()
        return "v2"
    asked: set[Version] = set()
    for entry in filter(None, (entry.strip() for entry in (header or "").split(","))):
        found = _BETA.fullmatch(entry)
        if not found:
            raise malformed_beta(entry)
        if found[1] != "assistants":
            raise unknown_beta(found[1])
        if found[2] not in _VERSIONS:
            raise unknown_beta(entry)
        asked.add(_VERSIONS[found[2]])
    return "v1" if asked == {"v1"} else "v2"
