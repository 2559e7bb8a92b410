"""Latent semantic analysis: embeddings without a model, fitted on the texts that are searched."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from assistants.model.embedder import Vectors

DIMENSIONS = 256
"""The number of dimensions that the service requests of OpenAI's models."""


class LsaEmbedder:
    """An embedder for texts like those it was fitted on: the 256 directions in which their words differ most.

    Words are weighted by the logarithm of their frequency in a text and by their rarity (TF-IDF); the directions are
    computed by a truncated singular value decomposition (Deerwester et al., 1990).
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
