"""The identity of this process at Azure."""

from azure.core.credentials_async import AsyncTokenCredential


def identity(client_id: str | None, only_managed: bool = False) -> AsyncTokenCredential:
    """The credential of this process: a managed identity in Azure, the developer's own sign-in elsewhere."""
    from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

    if only_managed:
        return ManagedIdentityCredential(client_id=client_id)
    return DefaultAzureCredential(managed_identity_client_id=client_id)
