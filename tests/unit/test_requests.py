"""Requests to storage as they are sent, and the results of the answers; no connection is made."""

import base64
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline.transport import AsyncHttpResponse, AsyncHttpTransport, HttpRequest
from azure.storage.blob.aio import BlobServiceClient, ExponentialRetry
from azure.storage.queue.aio import QueueServiceClient

from assistants.storage.services import IF_MISSING, BlobService, QueueService, Receipt, if_at_most, if_ends_at, if_match

KEY = base64.b64encode(b"secret").decode()
CONNECTION_STRING = f"AccountName=acct;AccountKey={KEY};EndpointSuffix=core.windows.net"
SIGNATURE = "sv=2025-01-05&ss=bq&sig=a%2Bb%2F%3D"
CHALLENGE = (
    "Bearer authorization_uri=https://login.microsoftonline.com/other-tenant/oauth2/authorize "
    "resource_id=https://storage.azure.com"
)


class Answer(AsyncHttpResponse):
    """An answer of the service."""

    def __init__(self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        super().__init__(HttpRequest("GET", ""), None)
        self.status_code, self.reason = status, "Because"
        self.headers, self.content_type = {"ETag": '"1"', **(headers or {})}, "application/xml"
        self._body = body

    def body(self) -> bytes:
        return self._body


class Sent(AsyncHttpTransport[HttpRequest, AsyncHttpResponse]):
    """Returns the answers one after the other, the last one repeatedly, and records copies of the requests."""

    def __init__(self, *answers: Answer | AzureError) -> None:
        self._answers = list(answers)
        self.requests: list[dict[str, Any]] = []
        self.pauses: list[float] = []

    async def send(self, request: HttpRequest, **kwargs: Any) -> AsyncHttpResponse:
        self.requests.append(
            {"method": request.method, "url": request.url, "headers": dict(request.headers), "body": request.body}
        )
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, AzureError):
            raise answer
        return answer

    async def sleep(self, duration: float) -> None:
        self.pauses.append(duration)

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        pass


class Credential:
    """Issues a token for each tenant."""

    def __init__(self) -> None:
        self.asked: list[tuple[Sequence[str], str | None]] = []

    async def get_token(self, *scopes: str, tenant_id: str | None = None, **_: Any) -> AccessToken:
        self.asked.append((scopes, tenant_id))
        return AccessToken(f"token of {tenant_id}", int(time.time()) + 3600)


def retry() -> ExponentialRetry:
    return ExponentialRetry(1, 3, 3, random_jitter_range=0)


def blobs(sent: Sent, connection: str = CONNECTION_STRING) -> BlobService:
    return BlobService(BlobServiceClient.from_connection_string(connection, transport=sent), sent, retry())


def queues(sent: Sent, connection: str = CONNECTION_STRING) -> QueueService:
    return QueueService(QueueServiceClient.from_connection_string(connection, transport=sent), sent, retry())


def by_identity(sent: Sent, credential: Any) -> BlobService:
    client = BlobServiceClient("https://acct.blob.core.windows.net", credential=credential, transport=sent)
    return BlobService(client, sent, retry())


async def test_a_read_asks_for_the_blob_by_its_quoted_name():
    sent = Sent(Answer(200, body=b"content"))
    assert await blobs(sent).get("runs", "p/%20~a é") == (b"content", '"1"')
    (request,) = sent.requests
    assert (request["method"], request["body"]) == ("GET", None)
    assert request["url"] == "https://acct.blob.core.windows.net/runs/p/%2520~a%20%C3%A9"
    assert "If-None-Match" not in request["headers"]


@pytest.mark.parametrize(
    ("act", "headers"),
    [
        (lambda service: service.get("c", "a", '"7"'), {"If-None-Match": '"7"'}),
        (lambda service: service.get_range("c", "a", 5, 9), {"x-ms-range": "bytes=5-8"}),
        (lambda service: service.put("c", "a", b"", if_match('"7"')), {"If-Match": '"7"', "Content-Length": "0"}),
        (
            lambda service: service.put("c", "a", b"12", IF_MISSING),
            {"If-None-Match": "*", "Content-Length": "2", "x-ms-blob-type": "BlockBlob"},
        ),
        (lambda service: service.create_append("c", "a", IF_MISSING), {"x-ms-blob-type": "AppendBlob"}),
        (lambda service: service.append("c", "a", b"123"), {"Content-Length": "3"}),
        (lambda service: service.append("c", "a", b"1", if_ends_at(7)), {"x-ms-blob-condition-appendpos": "7"}),
        (lambda service: service.append("c", "a", b"1", if_at_most(7)), {"x-ms-blob-condition-maxsize": "7"}),
    ],
)
async def test_conditions_and_ranges_are_headers(act: Callable[[BlobService], Any], headers: Mapping[str, str]):
    sent = Sent(Answer(201, {"x-ms-blob-committed-block-count": "1", "x-ms-blob-append-offset": "0"}))
    await act(blobs(sent))
    assert headers.items() <= sent.requests[0]["headers"].items()


async def test_a_message_is_sent_as_xml_that_never_expires():
    answer = (
        b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?><QueueMessagesList><QueueMessage><MessageId>m</MessageId>'
        b"<PopReceipt>a+/=</PopReceipt></QueueMessage></QueueMessagesList>"
    )
    sent = Sent(Answer(201, body=answer))
    assert await queues(sent).send("ingest", "<&>", 5) == ("m", "a+/=")
    (request,) = sent.requests
    address = urlsplit(request["url"])
    assert (request["method"], address.path) == ("POST", "/ingest/messages")
    assert parse_qs(address.query) == {"visibilitytimeout": ["5"], "messagettl": ["-1"]}
    assert request["body"] == b"<QueueMessage><MessageText>&lt;&amp;&gt;</MessageText></QueueMessage>"


async def test_a_receipt_is_quoted():
    sent = Sent(Answer(204))
    await queues(sent).delete("ingest", Receipt("m", "a+/="))
    assert sent.requests[0]["url"] == "https://acct.queue.core.windows.net/ingest/messages/m?popreceipt=a%2B%2F%3D"


@pytest.mark.parametrize(
    "body", [b"", b"<a>", b"no xml", b"<a><b><MessageId/></b></a>", b"<a>" + b"x" * 20_000_000 + b"</a>"]
)
async def test_a_body_that_is_no_list_of_messages_is_an_error_of_storage(body: bytes):
    with pytest.raises(DecodeError, match="not a list of messages"):
        await queues(Sent(Answer(200, body=body))).receive("ingest", 1, 60)


async def test_an_account_key_signs_each_request():
    sent = Sent(Answer(200))
    await blobs(sent).get("c", "a")
    headers = sent.requests[0]["headers"]
    assert headers["Authorization"].startswith("SharedKey acct:")
    assert headers["x-ms-date"].endswith("GMT")
    assert headers["x-ms-version"]


async def test_a_shared_access_signature_is_in_the_address_and_signs_nothing():
    connection = f"BlobEndpoint=https://b.example/x;QueueEndpoint=https://q.example;SharedAccessSignature={SIGNATURE}"
    sent = Sent(Answer(201, {"x-ms-blob-committed-block-count": "1", "x-ms-blob-append-offset": "0"}))
    await blobs(sent, connection).append("c", "a", b"1")
    await queues(sent, connection).delete("ingest", Receipt("m", "r"))
    appended, deleted = sent.requests
    assert appended["url"] == f"https://b.example/x/c/a?comp=appendblock&{SIGNATURE}"
    assert deleted["url"] == f"https://q.example/ingest/messages/m?popreceipt=r&{SIGNATURE}"
    assert all("Authorization" not in request["headers"] for request in sent.requests)


async def test_an_identity_gives_a_token_that_is_used_until_it_expires():
    sent, credential = Sent(Answer(200)), Credential()
    service = by_identity(sent, credential)
    await service.get("c", "a")
    await service.get("c", "b")
    assert [request["headers"]["Authorization"] for request in sent.requests] == ["Bearer token of None"] * 2
    assert credential.asked == [(("https://storage.azure.com/.default",), None)]


async def test_a_challenge_is_answered_with_a_token_of_the_tenant_that_it_names():
    sent, credential = Sent(Answer(401, {"WWW-Authenticate": CHALLENGE}), Answer(201)), Credential()
    await by_identity(sent, credential).put("c", "a", b"1", IF_MISSING)
    assert [request["headers"]["Authorization"] for request in sent.requests] == [
        "Bearer token of None",
        "Bearer token of other-tenant",
    ]
    assert [request["body"] for request in sent.requests] == [b"1", b"1"]
    assert credential.asked[1] == (("https://storage.azure.com/.default",), "other-tenant")


@pytest.mark.parametrize("headers", [{}, {"WWW-Authenticate": "Bearer"}])
async def test_without_a_tenant_in_the_challenge_the_request_is_refused(headers: Mapping[str, str]):
    sent = Sent(Answer(401, headers))
    with pytest.raises(ClientAuthenticationError):
        await by_identity(sent, Credential()).get("c", "a")
    assert len(sent.requests) == 1


async def test_the_sdks_client_answers_a_challenge_in_the_same_way():
    """The copied behaviour is still the SDK's."""
    sent, credential = Sent(Answer(401, {"WWW-Authenticate": CHALLENGE}), Answer(202)), Credential()
    await by_identity(sent, credential).client.delete_container("ccc")
    assert credential.asked == [
        (("https://storage.azure.com/.default",), None),
        (("https://storage.azure.com/.default",), "other-tenant"),
    ]


FAILURES = [
    *(pytest.param(Answer(status), id=str(status)) for status in (408, 500, 502, 503, 504)),
    pytest.param(ServiceRequestError("never sent"), id="never sent"),
    pytest.param(ServiceResponseError("lost"), id="lost"),
]


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_temporary_failure_is_repeated_with_a_new_date(
    failure: Answer | AzureError, monkeypatch: pytest.MonkeyPatch
):
    times = iter(range(1_800_000_000, 1_800_000_010))
    monkeypatch.setattr("assistants.storage.requests.time", lambda: next(times))
    sent = Sent(failure, failure, Answer(201))
    assert await blobs(sent).put("c", "a", b"content", IF_MISSING) == '"1"'
    assert [request["body"] for request in sent.requests] == [b"content"] * 3
    for header in ("x-ms-date", "Authorization"):
        assert len({request["headers"][header] for request in sent.requests}) == 3
    assert len(sent.pauses) == 2


@pytest.mark.parametrize("failure", FAILURES)
async def test_after_three_repetitions_it_is_given_up(failure: Answer | AzureError):
    sent = Sent(failure)
    with pytest.raises(AzureError) as given_up:
        await blobs(sent).get("c", "a")
    assert len(sent.requests) == 4
    if isinstance(failure, Answer):
        assert isinstance(given_up.value, HttpResponseError)
        assert given_up.value.status_code == failure.status_code
    else:
        assert given_up.value is failure


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "PopReceiptMismatch", HttpResponseError),
        (401, "NoAuthenticationInformation", ClientAuthenticationError),
        (403, "AuthenticationFailed", ClientAuthenticationError),
        (403, "AuthorizationFailure", HttpResponseError),
        (404, "BlobNotFound", ResourceNotFoundError),
        (409, "BlobAlreadyExists", ResourceExistsError),
        (409, "BlockCountExceedsLimit", ResourceExistsError),
        (412, "ConditionNotMet", ResourceModifiedError),
        (416, "InvalidRange", HttpResponseError),
        (429, "TooManyRequests", HttpResponseError),
        (501, "", HttpResponseError),
    ],
)
async def test_a_refusal_is_the_exception_of_the_sdks_client_and_is_not_repeated(
    status: int, code: str, kind: type[HttpResponseError]
):
    body = f"<Error><Code>{code}</Code><Message>No.</Message></Error>" if code else ""
    sent = Sent(Answer(status, {"x-ms-error-code": code} if code else {}, body.encode()))
    service, errors = blobs(sent), list[HttpResponseError]()
    theirs = service.client.get_blob_client("ccc", "a")
    for act in (service.put("ccc", "a", b"1", IF_MISSING), theirs.append_block(b"1")):
        with pytest.raises(HttpResponseError) as error:
            await act
        errors.append(error.value)
    assert [type(error) for error in errors] == [kind, kind]
    assert [error.status_code for error in errors] == [status, status]
    assert [(getattr(error, "error_code", None) or "") for error in errors] == [code, code]
    assert len(sent.requests) == 2
    assert KEY not in str(errors[0])
