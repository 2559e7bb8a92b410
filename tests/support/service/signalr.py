"""A fake of Azure SignalR Service in serverless mode: its REST API, its negotiation, its transports but WebSockets."""

import asyncio
import json
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import jwt
from fastapi import FastAPI, HTTPException, Request, Response
from starlette.responses import StreamingResponse

KEY = "the-access-key-of-a-fake-of-azure-signalr"
HUB = "notificationhub"
IDENTITY = "token-of-the-identity"
END = "\x1e"
TRANSPORTS = {"ServerSentEvents": ["Text"], "LongPolling": ["Text", "Binary"]}

Records = asyncio.Queue[str]


class FakeSignalR:
    """`url` has to be set to the address at which `api` is served. Tokens are checked as by the service."""

    def __init__(self) -> None:
        self.url = ""
        self.sent: list[tuple[str, Any]] = []
        """The messages that were sent by the REST API, each with its user."""
        self._connections: dict[str, Records] = {}
        self._users: defaultdict[str, list[Records]] = defaultdict(list)
        self._polled: set[str] = set()
        self.api = FastAPI()
        self.api.post("/client/negotiate")(self._negotiate)
        self.api.get("/client/")(self._receive)
        self.api.post("/client/")(self._take)
        self.api.delete("/client/")(self._delete)
        self.api.post(f"/api/hubs/{HUB}/users/{{user}}/:send", status_code=202)(self._send)
        self.api.post(f"/api/hubs/{HUB}/:generateToken")(self._generate)

    def close_all(self) -> None:
        """End every connection, as the service does when it moves them to another machine."""
        for records in self._connections.values():
            records.put_nowait(json.dumps({"type": 7, "allowReconnect": True}) + END)

    async def _negotiate(self, request: Request) -> dict[str, Any]:
        user, token = self._user(request), secrets.token_hex(8)
        self._users[user].append(self._connections.setdefault(token, Records()))
        listed = [{"transport": name, "transferFormats": formats} for name, formats in TRANSPORTS.items()]
        return {"negotiateVersion": 1, "connectionId": token, "connectionToken": token, "availableTransports": listed}

    async def _receive(self, request: Request, id: str) -> Response:  # noqa: A002
        self._user(request)
        records = self._connections[id]
        if "text/event-stream" not in request.headers.get("accept", ""):
            if id not in self._polled:
                self._polled.add(id)
                return Response()
            return Response(await records.get(), media_type="text/plain")

        async def stream() -> AsyncIterator[bytes]:
            yield b":\n\n"
            while True:
                yield f"data: {await records.get()}\n\n".encode()

        return StreamingResponse(stream(), media_type="text/event-stream")

    async def _take(self, request: Request, id: str) -> Response:  # noqa: A002
        self._taken(id, (await request.body()).decode())
        return Response()

    async def _delete(self, id: str) -> Response:  # noqa: A002
        self._connections[id].put_nowait("")
        return Response(status_code=202)

    async def _send(self, request: Request, user: str) -> None:
        self._authorized(request)
        body = await request.json()
        self.sent.append((user, body))
        assert sorted(body) == ["arguments", "target"]
        for records in self._users[user]:
            records.put_nowait(json.dumps({"type": 1, **body}) + END)

    async def _generate(self, request: Request) -> dict[str, str]:
        self._authorized(request)
        claims = {"nameid": request.query_params["userId"], "aud": f"{self.url}/client/?hub={HUB}", "exp": 1 << 32}
        return {"token": jwt.encode(claims, KEY, "HS256")}

    def _taken(self, token: str, text: str) -> None:
        """Accept the records of a client: the handshake and pings only."""
        for record in filter(None, text.split(END)):
            message = json.loads(record)
            if "protocol" in message:
                assert message == {"protocol": "json", "version": message["version"]}
                self._connections[token].put_nowait("{}" + END)
            else:
                assert message["type"] in (6, 7), message

    def _authorized(self, request: Request) -> None:
        token = request.headers["authorization"].removeprefix("Bearer ")
        assert request.query_params["api-version"] == "2022-06-01"
        if token != IDENTITY:
            self._claims(token, f"{self.url}{request.scope['raw_path'].decode()}")

    def _user(self, request: Request) -> str:
        sent = request.headers.get("authorization", "").removeprefix("Bearer ")
        token = request.query_params.get("access_token") or sent
        return self._claims(token, f"{self.url}/client/?hub={HUB}")["nameid"]

    def _claims(self, token: str, audience: str) -> dict[str, Any]:
        try:
            return jwt.decode(token, KEY, ["HS256"], audience=audience, options={"require": ["exp", "aud"]})
        except jwt.InvalidTokenError as error:
            raise HTTPException(401, str(error)) from error
