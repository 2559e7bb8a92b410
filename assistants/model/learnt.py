"""What was learnt about the models of an endpoint: what their requests must not have, and how long they may be."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

MAX_MODELS = 256
"""Models of which something is remembered; beyond that, the one that was asked for the longest ago is forgotten."""

MEMORY = 3600.0
"""Seconds for which the length that a model has refused is remembered: its endpoint may be given a larger one."""

SHORTEST = 128
"""Tokens that every model takes: what refuses so few refuses something else."""


@dataclass
class ModelLearnt:
    """What was learnt about one model."""

    remedies: dict[str, str | None] = field(default_factory=dict[str, str | None])
    """What its requests must not have, and what they have instead."""
    accepted: int = 0
    """Tokens of the longest prompt that was taken, as they are estimated."""
    refused: int | None = None
    """Tokens of the shortest prompt that was refused for its length."""
    refused_at: float = 0.0
    batch_texts: int | None = None
    """Texts that a request for embeddings should have at most; None: no bound is known."""
    batch_tokens: int | None = None
    """Tokens that they should have together at most."""

    def accepts(self, tokens: int) -> None:
        """Note that a prompt was not too long."""
        self.accepted = max(self.accepted, tokens)
        if self.refused is not None and self.refused <= tokens:
            self.refused = None

    def refuses(self, tokens: int, now: Callable[[], float] = time.monotonic) -> None:
        """Note that a prompt was too long."""
        if tokens < SHORTEST:
            return
        if self.accepted >= tokens:
            self.accepted = 0
        self.refused = tokens if self.longest(now) is None else min(self.refused or tokens, tokens)
        self.refused_at = now()

    def longest(self, now: Callable[[], float] = time.monotonic) -> int | None:
        """The tokens that a prompt should have at most; None: no bound is known."""
        if self.refused is None or now() - self.refused_at > MEMORY:
            return None
        return min(max(self.accepted, self.refused // 2), self.refused - 1)


class Learnt:
    """What was learnt about the models of one endpoint, by their names there."""

    def __init__(self) -> None:
        self._models: OrderedDict[str, ModelLearnt] = OrderedDict()

    def of(self, model: str) -> ModelLearnt:
        """What is known of a model, to be read and added to; any thread may ask."""
        found = self._models.setdefault(model, ModelLearnt())
        self._models.move_to_end(model)
        while len(self._models) > MAX_MODELS:
            self._models.popitem(last=False)
        return found

    @property
    def models(self) -> Mapping[str, ModelLearnt]:
        """All that is known."""
        return self._models
