"""Latent semantic analysis: embeddings that need no model, fitted on the texts that are searched."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from assistants.model.embedder import Vectors

DIMENSIONS = 256
"""As many as the service asks of OpenAI's models."""


class LsaEmbedder:
    """An embedder for texts like those it was made with: the 256 directions in which their words differ most.

    Words count by the logarithm of how often they are in a text and by how rare they are (TF-IDF); the directions are
    found by a truncated singular value decomposition (Deerwester et al., 1990).
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._model = make_pipeline(
            TfidfVectorizer(sublinear_tf=True, stop_words="english"),
            TruncatedSVD(DIMENSIONS, random_state=0),
            Normalizer(copy=False),
        ).fit(texts)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """The texts' vectors."""
        matrix: NDArray[np.float64] = self._model.transform(texts)
        return Vectors("lsa", matrix.astype(np.float32))
