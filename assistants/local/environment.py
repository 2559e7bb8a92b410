"""The configuration in the environment and in local.settings.json."""

import json
import os
from pathlib import Path

DEVELOPMENT_STORAGE = "UseDevelopmentStorage=true"

_STORAGE = {"azurewebjobsstorage", "blobconnectionstring"}
_MODEL = {"openai_api_key", "openai_base_url", "azure_openai_endpoint", "openaikey"}


def load(settings: Path) -> None:
    """Add the `Values` of a local.settings.json to the environment, which takes precedence; "" or no file adds none.

    Raises
    ------
    ValueError
        The file is not JSON, or its `Values` are no object of strings.
    """
    if not settings.exists():
        return
    try:
        values: dict[str, str] = json.loads(settings.read_text(encoding="utf-8-sig")).get("Values", {})
        for name, value in values.items():
            if value and not os.environ.get(name):
                os.environ[name] = value
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"{settings}: {error}") from error


def has_storage() -> bool:
    """Whether a storage account is configured, by connection string or by identity."""
    return any(name in _STORAGE or name.startswith("azurewebjobsstorage__") for name in _names())


def has_development_storage() -> bool:
    """Whether the storage account is the emulator on its default ports."""
    return os.environ.get("AzureWebJobsStorage", "").rstrip(";").lower() == DEVELOPMENT_STORAGE.lower()


def is_proxy() -> bool:
    """Whether the backend is another endpoint, which needs neither storage nor a model."""
    return any(name.lower() == "backend" and value == "proxy" for name, value in os.environ.items())


def has_model() -> bool:
    """Whether a model endpoint is configured."""
    return bool(_MODEL & _names())


def _names() -> set[str]:
    return {name.lower() for name, value in os.environ.items() if value}
