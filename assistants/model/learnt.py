"""The learnt properties of an endpoint's models: parameters that they refuse, and lengths that they accept."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

MAX_MODELS = 256
"""The most models whose properties are kept; the least recently used one is dropped."""

MEMORY = 3600.0
"""Seconds for which a refused length is kept: the endpoint may get a model with a larger context."""

SHORTEST = 128
"""Tokens that every model accepts: a refusal of so few has another reason."""


@dataclass
class ModelLearnt:
    """The learnt properties of one model."""

    remedies: dict[str, str | None] = field(default_factory=dict[str, str | None])
    """By name: the parameters that it refuses, and their replacements."""
    accepted: int = 0
    """Estimated tokens of the longest prompt that was accepted."""
    refused: int | None = None
    """Estimated tokens of the shortest prompt that was refused for its length."""
    refused_at: float = 0.0
    batch_texts: int | None = None
    """The most texts of a request for embeddings; None: no limit is known."""
    batch_tokens: int | None = None
    """The most tokens of such a request."""

    def accepts(self, tokens: int) -> None:
        """Record that a prompt was accepted."""
        self.accepted = max(self.accepted, tokens)
        if self.refused is not None and self.refused <= tokens:
            self.refused = None

    def refuses(self, tokens: int, now: Callable[[], float] = time.monotonic) -> None:
        """Record that a prompt was refused for its length."""
        if tokens < SHORTEST:
            return
        if self.accepted >= tokens:
            self.accepted = 0
        self.refused = tokens if self.longest(now) is None else min(self.refused or tokens, tokens)
        self.refused_at = now()

    def longest(self, now: Callable[[], float] = time.monotonic) -> int | None:
        """The most tokens that a prompt should have; None: no limit is known."""
        if self.refused is None or now() - self.refused_at > MEMORY:
            return None
        return min(max(self.accepted, self.refused // 2), self.refused - 1)


class Learnt:
    """The learnt properties of the models of one endpoint, by their names there."""

    def __init__(self) -> None:
        self._models: OrderedDict[str, ModelLearnt] = OrderedDict()

    def of(self, model: str) -> ModelLearnt:
        """The properties of a model, which callers read and change; safe for any thread."""
        found = self._models.setdefault(model, ModelLearnt())
        self._models.move_to_end(model)
        while len(self._models) > MAX_MODELS:
            self._models.popitem(last=False)
        return found

    @property
    def models(self) -> Mapping[str, ModelLearnt]:
        """The properties of all models."""
        return self._models
