"""Requests to the storage account without the clients of the SDK, which take more CPU time.

The pipeline is azure-core's. The endpoint, the API version and the credential are those of the SDK's client;
the transport is the one that the client uses. Requests are not logged and not traced, and have no client request id.
"""

import re
from collections.abc import Mapping
from time import time
from typing import Any
from urllib.parse import quote, urlsplit
from wsgiref.handlers import format_date_time

from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.core.pipeline import AsyncPipeline, PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, SansIOHTTPPolicy
from azure.core.pipeline.transport import AsyncHttpResponse, AsyncHttpTransport, HttpRequest
from azure.storage.blob.aio import BlobServiceClient, ExponentialRetry
from azure.storage.queue.aio import QueueServiceClient

_SCOPE = "https://storage.azure.com/.default"
_TENANT = re.compile(r'authorization_uri="?https://[^/,\s"]+/([^/,\s"]+)')
_KINDS = {401: ClientAuthenticationError, 404: ResourceNotFoundError, 409: ResourceExistsError}
_KINDS_BY_CODE = {
    "ConditionNotMet": ResourceModifiedError,
    "AuthenticationFailed": ClientAuthenticationError,
    "InvalidAuthenticationInfo": ClientAuthenticationError,
}


class Requests:
    """The requests to the blob or the queue service of an account.

    Parameters
    ----------
    client
        Gives the endpoint and the credential.
    transport
        Sends the requests; it is the client's, and is closed with the client.
    retry
        A retry policy for this object alone: pipelines cannot share one.
    """

    def __init__(
        self,
        client: BlobServiceClient | QueueServiceClient,
        transport: AsyncHttpTransport[HttpRequest, AsyncHttpResponse],
        retry: ExponentialRetry,
    ) -> None:
        endpoint = urlsplit(client.url)
        self._endpoint = f"{endpoint.scheme}://{endpoint.netloc}{endpoint.path.rstrip('/')}"
        self._signature = endpoint.query
        """The shared access signature, if that is the credential."""
        self._headers = {"x-ms-version": client.api_version, "User-Agent": "assistants"}
        policies: list[Any] = [retry, _Dated(), *_authentication(client.credential)]
        self._pipeline: AsyncPipeline[HttpRequest, AsyncHttpResponse] = AsyncPipeline(transport, policies)

    async def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> AsyncHttpResponse:
        """The response, its body in memory, to a request for a path that is already quoted. A 304 is no error.

        Raises
        ------
        azure.core.exceptions.HttpResponseError
            The service refuses the request: the class that the SDK's clients raise, with `error_code`.
        azure.core.exceptions.AzureError
            No answer came to any of the tries.
        """
        request = HttpRequest(method, self._url(path, query), {**self._headers, **(headers or {})})
        if content:
            request.set_bytes_body(content)
            # If the header is missing, aiohttp adds it after the request was signed.
            request.headers.setdefault("Content-Type", "application/octet-stream")
        elif method == "PUT":
            request.headers["Content-Length"] = "0"
        response = (await self._pipeline.run(request)).http_response
        if response.status_code < 300 or response.status_code == 304:
            return response
        raise _refusal(response)

    def _url(self, path: str, query: Mapping[str, str | int] | None) -> str:
        pairs = [f"{name}={quote(str(value), safe='')}" for name, value in (query or {}).items()]
        if self._signature:
            pairs.append(self._signature)
        return f"{self._endpoint}/{path}{'?' if pairs else ''}{'&'.join(pairs)}"


class _Dated(SansIOHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Sets the date, which is signed, anew for each repetition."""

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        request.http_request.headers["x-ms-date"] = format_date_time(time())


class _Bearer(AsyncBearerTokenCredentialPolicy[HttpRequest, AsyncHttpResponse]):
    """Sends a token of the credential; of the account's tenant if the account refuses the credential's own."""

    async def on_challenge(
        self,
        request: PipelineRequest[HttpRequest],
        response: PipelineResponse[HttpRequest, AsyncHttpResponse],
    ) -> bool:
        named = _TENANT.search(response.http_response.headers.get("WWW-Authenticate", ""))
        if named is None:
            return False
        await self.authorize_request(request, _SCOPE, tenant_id=named[1])
        return True


def _authentication(credential: Any) -> list[object]:
    """The policy for the credential of an SDK client; an account key is a policy already."""
    if credential is None:
        return []
    return [credential if isinstance(credential, SansIOHTTPPolicy) else _Bearer(credential, _SCOPE)]


def _refusal(response: AsyncHttpResponse) -> HttpResponseError:
    code = response.headers.get("x-ms-error-code", "")
    kind = _KINDS.get(response.status_code) or _KINDS_BY_CODE.get(code, HttpResponseError)
    # With the response it would look for JSON in a body of XML, whose encoding has to be guessed first.
    error = kind(message=f"{response.reason} ({response.status_code} {code})")
    error.response, error.status_code, error.reason = response, response.status_code, response.reason
    error.error_code = code  # type: ignore[reportAttributeAccessIssue]
    return error
