"""Azure SignalR Service in its serverless mode: tokens for clients, and messages by its REST API of 2022-06-01.

A client is a user of the service named after its project, or its project and thread, by a signed claim: so it
joins no group, and receives no state of other projects.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import httpx2

from assistants.identity import identity
from assistants.notify.protocol import HUB, TARGET
from assistants.notify.states import State
from assistants.settings import Settings, SignalRConnection

LIFETIME = 3600
"""Seconds for which a client's token is valid; only connecting requires it."""

_SCOPE = "https://signalr.azure.com/.default"
_VERSION = "2022-06-01"
_TIMEOUT = 10.0


def listener(project: str, thread: str | None) -> str:
    """The user that listens to a project, or to one of its threads."""
    return f"{project}:{thread}" if thread else project


class AzureSignalR:
    """The service of a connection string or, by the identity of this process, of an endpoint."""

    def __init__(self, settings: Settings, connection: SignalRConnection) -> None:
        self._endpoint, self._key = connection.endpoint, connection.key
        self._credential = None if self._key else identity(settings.azure_client_id)
        self._http = httpx2.AsyncClient(timeout=_TIMEOUT, follow_redirects=False)

    async def negotiated(self, project: str, thread: str | None) -> dict[str, str]:
        """The URL that a client connects to, and its token.

        Raises
        ------
        httpx2.HTTPError, azure.core.exceptions.AzureError
            The service issues no token.
        """
        url, user = f"{self._endpoint}/client/?hub={HUB}", listener(project, thread)
        if self._key:
            return {"url": url, "accessToken": self._token(url, nameid=user)}
        minutes = {"userId": user, "minutesToExpire": str(LIFETIME // 60)}
        answer = await self._post(":generateToken", None, minutes)
        return {"url": url, "accessToken": answer.json()["token"]}

    async def send(self, states: Sequence[State]) -> None:
        """Send each state to the listeners of its project or its thread."""
        for state in states:
            message = {"target": TARGET, "arguments": [state.argument]}
            users = (listener(state.project, None), listener(state.project, state.thread))
            await asyncio.gather(*(self._post(f"users/{quote(user, safe='')}/:send", message) for user in users))

    async def close(self) -> None:
        await self._http.aclose()
        if self._credential is not None:
            await self._credential.close()

    async def _post(self, path: str, body: Any, query: dict[str, str] | None = None) -> httpx2.Response:
        url = f"{self._endpoint}/api/hubs/{HUB}/{path}"
        by_identity = await self._credential.get_token(_SCOPE) if self._credential is not None else None
        token = by_identity.token if by_identity is not None else self._token(url)
        answer = await self._http.post(
            url,
            params={"api-version": _VERSION, **(query or {})},
            json=body,
            headers={"authorization": f"Bearer {token}"},
        )
        return answer.raise_for_status()

    def _token(self, audience: str, **claims: str) -> str:
        import jwt

        assert self._key is not None
        now = int(time.time())
        return jwt.encode({"aud": audience, "iat": now, "exp": now + LIFETIME, **claims}, self._key, "HS256")
