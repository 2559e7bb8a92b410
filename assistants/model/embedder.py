"""What turns texts into vectors. It is injected: search knows nothing of the model's endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Vectors(NamedTuple):
    """Embeddings of texts, and of which model they are: only vectors of one model and one length can be compared."""

    model: str
    matrix: NDArray[np.float32]
    """One row a text, each of length 1, or all 0: a text without a vector."""


class Embedder(Protocol):
    """An endpoint that may have embeddings."""

    async def embed(self, texts: Sequence[str]) -> Vectors | None:
        """The texts' vectors; None where the endpoint has no embeddings.

        Raises
        ------
        EndpointError
            There are none: just now if the endpoint is busy, else as long as it is as it is.
        Exception
            There are none just now.
        """
        ...


class NoEmbedder:
    """No embeddings: what is searched is found by its words."""

    async def embed(self, texts: Sequence[str]) -> None:  # noqa: ARG002
        return None
