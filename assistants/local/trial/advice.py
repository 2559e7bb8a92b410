"""Proposed settings for features that fail: pure functions."""

from typing import NamedTuple

from assistants.model.errors import CutOff, Refused, TooMuch, Unreachable, Unreadable

MORE_CONTEXT = "give the model more context where it is served (Ollama: OLLAMA_CONTEXT_LENGTH=32768)."

EMBEDDING_MODEL = "Set EMBEDDING_MODEL to a model of embeddings that the endpoint has, or to none: words alone."


class Names(NamedTuple):
    """The models' names in the settings."""

    asked: str
    """The model, as an assistant names it."""
    model: str
    """The endpoint's name of it."""
    embedding: str
    """The endpoint's name of the model of the embeddings."""
    azure: bool
    """Whether the endpoint is Azure OpenAI."""


def after(trouble: Exception, names: Names) -> str:
    """The setting to change after an error."""
    if isinstance(trouble, TimeoutError):
        return "Give it longer with --seconds. A run waits for its next word for MODEL_TIMEOUT seconds."
    if isinstance(trouble, Unreachable):
        return f"Start the endpoint, or set {_address(names)}."
    if isinstance(trouble, Unreadable):
        return f"Set {_address(names)}."
    if isinstance(trouble, CutOff | TooMuch):
        return "Nothing can be set: the endpoint, or a proxy before it, does not end its answers as it should."
    if not isinstance(trouble, Refused):
        return f"Set {_key(names)}." if names.azure else ""
    status = trouble.status or 0
    if 300 <= status < 400:
        return f"Set {_address(names)}."
    if status in (401, 403):
        return f"Set {_key(names)}."
    if status == 404:
        return f"{another_model(names, 'the endpoint has')} Or set {_address(names)}."
    if trouble.transient or status == 429:
        return "Try again later, or look at the limits of the account. A run tries again MODEL_RETRIES times."
    return another_model(names, "takes this")


def after_embeddings(trouble: Exception, names: Names) -> str:
    """The setting to change after an error of embeddings."""
    if not isinstance(trouble, Refused) or trouble.status in (401, 403, 429):
        return after(trouble, names)
    return after(trouble, names) if trouble.transient and trouble.status != 501 else EMBEDDING_MODEL


def another_model(names: Names, does: str, runs_with: str = "") -> str:
    """The setting that names another model, for all runs or for those with a certain tool."""
    kind = "the deployment of a model" if names.azure else "a model"
    begin = f"For runs with {runs_with}, name" if runs_with else "Name"
    return f"{begin} {kind} that {does}: MODEL_MAP='{names.asked}=NAME'."


def _address(names: Names) -> str:
    if names.azure:
        return "AZURE_OPENAI_ENDPOINT to the address of the resource, as https://NAME.openai.azure.com"
    return "OPENAI_BASE_URL to the address of its API, which mostly ends with /v1"


def _key(names: Names) -> str:
    if names.azure:
        return (
            "AZURE_OPENAI_API_KEY to a key of the resource, or give the identity of the process the role "
            "Cognitive Services OpenAI User and leave it out"
        )
    return "OPENAI_API_KEY to a key that the endpoint takes"
