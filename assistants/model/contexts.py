"""The allowed length of a prompt: by `MODEL_CONTEXT`, a table of known models, and the endpoint's refusals."""

from collections.abc import Mapping

from assistants.model.learnt import ModelLearnt
from assistants.settings import Settings

CONTEXTS: Mapping[str, int] = {
    "gpt-3.5-turbo": 16_385, "gpt-35-turbo": 16_385, "gpt-4": 8_192, "gpt-4-32k": 32_768, "gpt-4-turbo": 128_000,
    "gpt-4-1106": 128_000, "gpt-4-0125": 128_000, "gpt-4o": 128_000, "gpt-4.1": 1_047_576, "gpt-4.5": 128_000,
    "gpt-5": 400_000, "o1": 200_000, "o1-mini": 128_000, "o1-preview": 128_000, "o3": 200_000, "o4-mini": 200_000,
}  # fmt: skip
"""Tokens of prompt and answer together, by the beginnings of models' names (from OpenAI's documentation of models)."""

DEFAULT = 128_000
"""Tokens of an unknown model."""

_FOR_THE_ANSWER = 8
"""The part of the context that is reserved for the answer: an eighth."""


def longest_prompt(settings: Settings, model: str, learnt: ModelLearnt) -> int:
    """The most tokens that a prompt should have, for the model that an assistant names."""
    whole = context(settings, model)
    known = learnt.longest()
    most = max(whole - whole // _FOR_THE_ANSWER, 1)
    return most if known is None else min(most, known)


def context(settings: Settings, model: str) -> int:
    """The tokens of a model's context, by the name that an assistant or the endpoint has for it."""
    names, told = (settings.endpoint_model(model), model), settings.model_context
    for name in (*names, "*"):
        if name in told:
            return told[name]
    return next((size for name in names if (size := _known(name))), DEFAULT)


def _known(name: str) -> int | None:
    """The context of the longest beginning of the name, up to a hyphen, that is in the table."""
    while name not in CONTEXTS:
        name, hyphen, _ = name.rpartition("-")
        if not hyphen:
            return None
    return CONTEXTS[name]
