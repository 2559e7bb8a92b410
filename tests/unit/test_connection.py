"""The account and the credential of the storage clients; no request is sent."""

from collections.abc import Mapping
from typing import Any

import pytest
from azure.core.credentials_async import AsyncTokenCredential
from azure.identity import aio as identity

from assistants.storage.connection import blob_service, queue_service
from assistants.storage.errors import NotConfigured
from tests.unit.conftest import ReadSettings

STORAGE = "AzureWebJobsStorage"
CONNECTION_STRING = "AccountName=given;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net"
DEFAULT, MANAGED = "DefaultAzureCredential", "ManagedIdentityCredential"


class Credential(AsyncTokenCredential):
    """A credential that sends no request."""

    async def get_token(self, *scopes: str, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        pass

    async def __aexit__(self, *exception: object) -> None:
        pass


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Mapping[str, Any]]]:
    """The credentials that are created, each by its class and arguments."""
    found: list[tuple[str, Mapping[str, Any]]] = []

    def making(name: str) -> Any:
        def make(**arguments: Any) -> Credential:
            found.append((name, arguments))
            return Credential()

        return make

    for name in (DEFAULT, MANAGED):
        monkeypatch.setattr(identity, name, making(name))
    return found


@pytest.mark.parametrize(
    ("environment", "blobs", "queues"),
    [
        (
            {STORAGE: CONNECTION_STRING},
            "https://given.blob.core.windows.net/",
            "https://given.queue.core.windows.net/",
        ),
        (
            {"BlobConnectionString": CONNECTION_STRING, f"{STORAGE}__accountName": "other"},
            "https://given.blob.core.windows.net/",
            "https://given.queue.core.windows.net/",
        ),
        (
            {STORAGE: "UseDevelopmentStorage=true"},
            "http://127.0.0.1:10000/devstoreaccount1/",
            "http://127.0.0.1:10001/devstoreaccount1/",
        ),
        (
            {f"{STORAGE}__accountName": "acct"},
            "https://acct.blob.core.windows.net/",
            "https://acct.queue.core.windows.net/",
        ),
        (
            {f"{STORAGE}__blobServiceUri": "https://b.example", f"{STORAGE}__queueServiceUri": "https://q.example"},
            "https://b.example/",
            "https://q.example/",
        ),
        (
            {f"{STORAGE}__serviceUri": "https://b.example", f"{STORAGE}__queueServiceUri": "https://q.example"},
            "https://b.example/",
            "https://q.example/",
        ),
        (
            {
                f"{STORAGE}__accountName": "acct",
                f"{STORAGE}__blobServiceUri": "https://acct.blob.core.usgovcloudapi.net",
            },
            "https://acct.blob.core.usgovcloudapi.net/",
            "https://acct.queue.core.windows.net/",
        ),
    ],
)
@pytest.mark.usefixtures("made")
def test_where_the_clients_connect(
    read_settings: ReadSettings, environment: Mapping[str, str], blobs: str, queues: str
):
    settings = read_settings(environment)
    assert (blob_service(settings).client.url, queue_service(settings).client.url) == (blobs, queues)


@pytest.mark.parametrize(
    ("environment", "credential"),
    [
        ({}, (DEFAULT, {"managed_identity_client_id": None})),
        ({"clientId": "1234"}, (DEFAULT, {"managed_identity_client_id": "1234"})),
        ({"credential": "managedidentity"}, (MANAGED, {"client_id": None})),
        ({"credential": "ManagedIdentity", "clientId": "1234"}, (MANAGED, {"client_id": "1234"})),
    ],
)
def test_as_whom_the_clients_connect(
    read_settings: ReadSettings,
    made: list[tuple[str, Mapping[str, Any]]],
    environment: Mapping[str, str],
    credential: tuple[str, Mapping[str, Any]],
):
    named = {"accountName": "acct", **environment}
    settings = read_settings({f"{STORAGE}__{name}": value for name, value in named.items()})
    assert isinstance(blob_service(settings).client.credential, Credential)
    assert isinstance(queue_service(settings).client.credential, Credential)
    assert made == [credential, credential]


def test_a_connection_string_needs_no_identity(read_settings: ReadSettings, made: list[tuple[str, Mapping[str, Any]]]):
    settings = read_settings({STORAGE: CONNECTION_STRING, f"{STORAGE}__credential": "managedidentity"})
    blob_service(settings)
    queue_service(settings)
    assert made == []


@pytest.mark.parametrize("service", [blob_service, queue_service])
@pytest.mark.parametrize("environment", [{}, {STORAGE: ""}, {f"{STORAGE}__credential": "managedidentity"}])
def test_without_an_account_the_error_names_the_settings(
    read_settings: ReadSettings, service: Any, environment: Mapping[str, str]
):
    with pytest.raises(NotConfigured, match="set AzureWebJobsStorage or AzureWebJobsStorage__accountName"):
        service(read_settings(environment))


@pytest.mark.parametrize(("name", "service"), [("blobServiceUri", queue_service), ("queueServiceUri", blob_service)])
@pytest.mark.usefixtures("made")
def test_the_endpoint_of_one_service_does_not_name_that_of_the_other(
    read_settings: ReadSettings, name: str, service: Any
):
    with pytest.raises(NotConfigured):
        service(read_settings({f"{STORAGE}__{name}": "https://x.example"}))
