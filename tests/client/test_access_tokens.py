"""Access tokens of Entra ID besides keys, in every flavour."""

import json
from typing import Any

import httpx2
import pytest
from azure.ai.agents import AgentsClient
from azure.core.credentials import AccessToken
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from openai import AzureOpenAI, OpenAI

from tests.client.conftest import ALICE
from tests.support.sdk.client import connect
from tests.support.service.issuer import APP, Issuer
from tests.support.service.processes import Service

pytestmark = pytest.mark.direct("a proxy passes on its callers' tokens")

GUEST = "cccccccc-bbbb-4ccc-8ddd-eeeeeeeeeeee"


class Credential:
    """A client's credential, in the form of azure-identity; the client requests a token for the scope of Azure AI."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.scopes: tuple[str, ...] = ()

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes = scopes
        return AccessToken(self._token, 4_102_444_800)


class PlainHttp(BearerTokenCredentialPolicy):
    """The client's own policy, which also sends tokens without TLS."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.context.options["enforce_https"] = False
        super().on_request(request)


def test_the_client_of_azure_ai_agents_signs_in(configured: Service, alice: OpenAI, issuer: Issuer):
    credential = Credential(issuer.token(issuer.first_version()))
    policy = PlainHttp(credential, "https://ai.azure.com/.default")
    endpoint = f"{configured.url.removesuffix('/v1')}/api/projects/any"
    with AgentsClient(endpoint, credential, authentication_policy=policy, retry_total=0) as client:
        thread = client.threads.create()
    assert alice.beta.threads.retrieve(thread.id).id == thread.id
    assert credential.scopes == ("https://ai.azure.com/.default",)


def test_the_clients_of_openai_send_tokens_as_keys(configured: Service, alice: OpenAI, issuer: Issuer):
    with connect(configured.url, issuer.token()) as client:
        thread = client.beta.threads.create()
    assert alice.beta.threads.retrieve(thread.id).id == thread.id
    endpoint = configured.url.removesuffix("/v1")
    with AzureOpenAI(
        azure_endpoint=endpoint, azure_ad_token_provider=issuer.token, api_version="2024-05-01-preview"
    ) as client:
        assert client.beta.threads.retrieve(thread.id).id == thread.id


def test_a_claim_chooses_the_project(configured: Service, bob: OpenAI, issuer: Issuer):
    token = issuer.token(issuer.claims(oid=GUEST, azp=APP, roles=["Agents.User"]))
    with connect(configured.url, token) as client:
        thread = client.beta.threads.create()
    assert bob.beta.threads.retrieve(thread.id).id == thread.id


def answered(configured: Service, path: str, token: str, **headers: str) -> tuple[int, Any]:
    url = configured.url.removesuffix("/v1") + path
    answer = httpx2.get(url, headers={"Authorization": f"Bearer {token}", **headers})
    return answer.status_code, json.loads(answer.content)["error"]


AZURES = ["/openai/assistants?api-version=2024-05-01-preview", "/api/projects/any/assistants?api-version=v1"]


def test_a_refused_token_has_an_error_of_its_own(configured: Service, issuer: Issuer):
    expired = issuer.token(issuer.claims(exp=1_700_000_000))
    message = "The access token is not accepted: it has expired."
    assert answered(configured, "/v1/assistants", expired) == (
        401,
        {"message": message, "type": "invalid_request_error", "param": None, "code": "invalid_token"},
    )
    for path in AZURES:
        assert answered(configured, path, expired) == (401, {"code": "401", "message": message})


@pytest.mark.parametrize("path", ["/v1/assistants", *AZURES])
def test_a_token_without_a_project_is_refused(configured: Service, issuer: Issuer, path: str):
    status, error = answered(configured, path, issuer.token(issuer.claims(oid=GUEST)))
    assert status == 403
    assert "ENTRA_PROJECTS" in error["message"]


def test_a_refused_token_is_not_helped_by_a_key_elsewhere(configured: Service, issuer: Issuer):
    assert answered(configured, "/v1/assistants", issuer.token(kid="other"), **{"api-key": ALICE})[0] == 401


def test_no_token_is_logged(configured: Service, issuer: Issuer):
    token = issuer.token(issuer.claims(aud="https://graph.microsoft.com"))
    assert answered(configured, "/v1/assistants", token)[0] == 401
    assert token not in "".join(configured.lines)
