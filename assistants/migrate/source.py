"""Another server with the API: requests with repetitions, and lists page by page."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx2

from assistants.identity import identity
from assistants.migrate.lines import PART

Json = dict[str, Any]

_TRIES = 10
_LONGEST_PAUSE = 60.0
_REPEATED = frozenset({408, 409, 429, 500, 502, 503, 504})
_MOST_ASKED = 600.0
"""The most seconds of a `Retry-After` that are respected."""

PAGE = 100


class Refused(Exception):
    """The server refuses a request: its status and its message."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"{status} {said}".strip())
        self.status = status


class Credentials:
    """The headers of authentication: a key, or an Entra token that is renewed.

    Parameters
    ----------
    scope
        The scope of the token, such as `https://ai.azure.com/.default`; None: only the key.
    """

    def __init__(self, key: str | None, scope: str | None = None) -> None:
        self._key, self._scope = key, scope
        self._credential = identity(None) if scope else None
        self._token, self._until = "", 0.0

    async def headers(self, azure: bool) -> dict[str, str]:
        if self._credential is not None and self._scope is not None:
            if time.time() > self._until - 300:
                token = await self._credential.get_token(self._scope)
                self._token, self._until = token.token, token.expires_on
            return {"authorization": f"Bearer {self._token}"}
        if not self._key:
            return {}
        return {"api-key": self._key} if azure else {"authorization": f"Bearer {self._key}"}

    async def close(self) -> None:
        if self._credential is not None:
            await self._credential.close()


class Source:
    """A server, by the URL to which `/assistants` is appended; its query, such as an `api-version`, is always sent.

    Parameters
    ----------
    project
        The value of the header `OpenAI-Project`.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        project: str | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        base = httpx2.URL(url)
        self._base, self._params = str(base.copy_with(query=None)).rstrip("/"), dict(base.params)
        self._azure = "/openai" in base.path or "api-version" in self._params
        self._credentials = credentials
        self._headers = {"openai-beta": "assistants=v2"} | ({"openai-project": project} if project else {})
        self._client = httpx2.AsyncClient(transport=transport, timeout=httpx2.Timeout(120))

    async def get(self, path: str, **params: Any) -> Json:
        """An object.

        Raises
        ------
        Refused
            The server refuses the request, or does not answer.
        """
        answer = await self._asked(path, params)
        try:
            found = answer.json()
        except ValueError:
            raise Refused(answer.status_code, "The answer is no JSON.") from None
        if not isinstance(found, dict):
            raise Refused(answer.status_code, "The answer is no object.")
        return cast("Json", found)

    async def pages(self, path: str, after: str | None = None, **params: Any) -> AsyncIterator[list[Json]]:
        """The pages of a list, the oldest object first; raises as `get`."""
        seen = after
        while True:
            cursor = {"after": seen} if seen else {}
            page = await self.get(path, order="asc", limit=PAGE, **cursor, **params)
            listed = cast("list[Json]", page.get("data") or [])
            data = [each for each in listed if each.get("id")]
            if data:
                yield data
            last = str(data[-1]["id"]) if data else None
            if not page.get("has_more") or last in (None, seen):
                return
            seen = last

    async def download(self, path: str, place: Path) -> None:
        """Write a content to a file, which exists only once it is complete; raises as `get`."""
        part = place.with_name(place.name + PART)
        for attempt in range(_TRIES):
            try:
                async with self._client.stream("GET", **await self._request(path, {})) as answer:
                    if answer.status_code == 200:
                        with part.open("wb") as file:
                            async for piece in answer.aiter_bytes():
                                file.write(piece)
                        part.replace(place)
                        return
                    await answer.aread()
            except httpx2.TransportError as error:
                await self._pause(attempt, None, Refused(0, str(error) or type(error).__name__))
                continue
            await self._pause(attempt, answer, _refused(answer))

    async def close(self) -> None:
        await self._client.aclose()
        await self._credentials.close()

    async def _asked(self, path: str, params: Json) -> httpx2.Response:
        for attempt in range(_TRIES):
            try:
                answer = await self._client.get(**await self._request(path, params))
            except httpx2.TransportError as error:
                await self._pause(attempt, None, Refused(0, str(error) or type(error).__name__))
                continue
            if answer.status_code == 200:
                return answer
            await self._pause(attempt, answer, _refused(answer))
        raise AssertionError("the last pause raises")

    async def _request(self, path: str, params: Json) -> dict[str, Any]:
        headers = {**self._headers, **await self._credentials.headers(self._azure)}
        return {"url": self._base + path, "params": {**self._params, **params}, "headers": headers}

    async def _pause(self, attempt: int, answer: httpx2.Response | None, refused: Refused) -> None:
        """Wait before a repetition, as long as the server asks.

        Raises
        ------
        Refused
            The request may not be repeated, or was repeated often enough.
        """
        if attempt == _TRIES - 1 or (answer is not None and answer.status_code not in _REPEATED):
            raise refused
        pause = min(_LONGEST_PAUSE, 0.5 * 2**attempt) * random.uniform(0.5, 1)
        await asyncio.sleep(max(pause, _asked_for(answer)))


def _asked_for(answer: httpx2.Response | None) -> float:
    if answer is None:
        return 0
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            return min(float(answer.headers[name]) / unit, _MOST_ASKED)
        except (KeyError, ValueError):
            continue
    return 0


def _refused(answer: httpx2.Response) -> Refused:
    try:
        body = answer.json()
        said = str(body["error"]["message"] if isinstance(body.get("error"), dict) else body.get("error") or "")
    except (ValueError, KeyError, AttributeError, TypeError):
        said = answer.text
    return Refused(answer.status_code, " ".join(said.split())[:300])
