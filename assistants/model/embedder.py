"""The interface of embeddings. An embedder is injected: search is independent of the model's endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Vectors(NamedTuple):
    """Embeddings of texts, and their model: only vectors of one model and one length can be compared."""

    model: str
    matrix: NDArray[np.float32]
    """One row per text, each of length 1, or all zeros for a text without a vector."""


class Embedder(Protocol):
    """An endpoint that may have embeddings."""

    async def embed(self, texts: Sequence[str]) -> Vectors | None:
        """The texts' vectors; None if the endpoint has no embeddings.

        Raises
        ------
        EndpointError
            No vectors: for the present if the endpoint is busy, else until its configuration changes.
        Exception
            No vectors at present.
        """
        ...


class NoEmbedder:
    """The embedder of a service without embeddings: files are searched by keywords."""

    async def embed(self, texts: Sequence[str]) -> None:  # noqa: ARG002
        return None
