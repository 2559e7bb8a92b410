"""The SDK's client of the model's endpoint, imported at the first use, as its import takes long."""

import httpcore2  # noqa: F401 # type: ignore[reportUnusedImport] # the client imports it when it is made
from azure.identity.aio import get_bearer_token_provider
from openai import APIConnectionError, APIStatusError, APITimeoutError, AsyncAzureOpenAI, AsyncOpenAI

from assistants.identity import identity
from assistants.model.connection import Connection
from assistants.settings import Settings

__all__ = ["APIConnectionError", "APIStatusError", "APITimeoutError", "AsyncOpenAI", "client"]

_SCOPE = "https://cognitiveservices.azure.com/.default"


def client(settings: Settings, http: Connection) -> AsyncOpenAI:
    """A client that does not retry."""
    uncompressed = {"Accept-Encoding": "identity"}
    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
    if settings.azure_openai_endpoint:
        azure_key = settings.azure_openai_api_key.get_secret_value() if settings.azure_openai_api_key else key
        provider = None
        if azure_key is None:
            provider = get_bearer_token_provider(identity(settings.azure_client_id), _SCOPE)
        return AsyncAzureOpenAI(
            azure_endpoint=settings.azure_openai_endpoint,
            api_version=settings.azure_openai_api_version,
            api_key=azure_key,
            azure_ad_token_provider=provider,
            timeout=settings.model_timeout,
            max_retries=0,
            http_client=http,
            default_headers=uncompressed,
        )
    return AsyncOpenAI(
        api_key=key or "none",
        base_url=settings.openai_base_url,
        timeout=settings.model_timeout,
        max_retries=0,
        http_client=http,
        default_headers=uncompressed,
    )
