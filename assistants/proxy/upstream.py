"""The other Assistants endpoint: OpenAI's own flavour, Azure's, or another instance of this service."""

from collections.abc import AsyncIterator

import httpx2
from starlette.datastructures import Headers

from assistants.relay.answers import CONNECT, answered, target
from assistants.settings import Settings

NAME = "The upstream of this proxy"

_PASSED_ON = ("accept", "content-type", "idempotency-key", "range", "user-agent", "x-client-request-id")
_PASSED_ON_PREFIXES = ("openai-", "x-stainless-")
_KEEP = 3.0
"""Seconds for which an idle connection is kept: less than any server keeps it."""


class Upstream:
    """Sends requests unchanged, with `PROXY_API_KEY` or the caller's own key."""

    def __init__(self, settings: Settings) -> None:
        assert settings.proxy_base_url is not None
        self._base = httpx2.URL(settings.proxy_base_url)
        self._secrets = settings.secrets
        self._key = settings.proxy_api_key.get_secret_value() if settings.proxy_api_key else None
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(settings.proxy_timeout, connect=min(CONNECT, settings.proxy_timeout)),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=_KEEP),
        )

    @property
    def address(self) -> str:
        """Its base URL, without secrets."""
        return str(self._base.copy_with(userinfo=b"", query=None))

    @property
    def is_azure(self) -> bool:
        """Whether it expects a key as `api-key`, and may answer with its gateway's errors (contract, 10)."""
        return "/openai" in self._base.path or "api-version" in self._base.params

    async def send(
        self, method: str, path: str, query: bytes, headers: Headers, content: bytes | AsyncIterator[bytes]
    ) -> httpx2.Response:
        """The answer, its body unread.

        Parameters
        ----------
        path
            The path below `/v1`, decoded.

        Raises
        ------
        ApiError
            There is no answer (502), or none in time (504), `PROXY_API_KEY` was refused (502), or the path is outside
            the API (404).
        """
        query = b"&".join(filter(None, (query, self._base.query)))
        asked = f"{self._base.path.rstrip('/')}{target(method, path)}".encode()
        url = self._base.copy_with(raw_path=asked + b"?" + query if query else asked)
        sent = self._headers(headers)
        if not isinstance(content, bytes) and "content-length" in headers:
            sent[b"content-length"] = headers["content-length"].encode("latin-1")  # else it is sent in chunks
        request = self._client.build_request(method, url, headers=sent, content=content or None)
        return await answered(self._client.send(request, stream=True), NAME, self._secrets if self._key else None)

    async def reached(self) -> None:
        """Raise unless it is reachable: any answer but a failure is accepted, as there is no caller's key."""
        answer = await self.send("GET", "/models", b"", Headers(), b"")
        await answer.aclose()
        if answer.status_code >= 500:
            raise ConnectionError(answer.status_code)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    def _headers(self, headers: Headers) -> dict[bytes, bytes]:
        found = {
            name: ",".join(headers.getlist(name))
            for name in headers
            if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
        }
        if self._key is not None:
            credentials = {"api-key": self._key} if self.is_azure else {"authorization": f"Bearer {self._key}"}
        else:
            credentials = {name: headers[name] for name in ("authorization", "api-key") if name in headers}
        sent = {**found, **credentials, "accept-encoding": "identity"}
        return {name.encode("latin-1"): value.encode("latin-1") for name, value in sent.items()}
