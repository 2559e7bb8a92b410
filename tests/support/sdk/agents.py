"""The client of Azure AI Agents with a key."""

from azure.ai.agents import AgentsClient
from azure.core.credentials import AzureKeyCredential
from azure.core.pipeline.policies import AzureKeyCredentialPolicy


def agents_client(url: str, key: str) -> AgentsClient:
    """A client of the service at this base URL. Its own policy for tokens refuses to send them without TLS."""
    credential = AzureKeyCredential(key)
    return AgentsClient(
        f"{url.removesuffix('/v1')}/api/projects/any",
        credential,  # pyright: ignore[reportArgumentType]
        authentication_policy=AzureKeyCredentialPolicy(credential, "api-key"),
        retry_total=0,
    )
