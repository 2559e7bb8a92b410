"""A fake of a pool of Azure Container Apps dynamic sessions: its REST API, over containers that are confined processes.

It follows the service's documentation and users' reports: paths below the pool's own, API versions, errors, cut
streams, refused names, pages of files. Code is really executed in the containers.
"""

import asyncio
import base64
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from starlette.responses import JSONResponse

from assistants.local.server import serving
from assistants.settings import Settings
from assistants.tools.code_interpreter.install import environment
from assistants.tools.code_interpreter.local.process import FILES, Confined, Ended
from assistants.tools.code_interpreter.sessions import pool
from assistants.tools.code_interpreter.sessions.host import Sessions
from tests.support.interpreter.talk import file as input_file

PATH = "/subscriptions/0a1b/resourceGroups/rg/sessionPools/pool"
TOKEN = "token-of-the-identity"
VERSION = "2025-10-02-preview"
MAX_FILE = 128 * 1024 * 1024

_STREAMS = 4096
_PAGE = 2
_IDENTIFIER = re.compile(r"[A-Za-z0-9-]{4,128}")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass
class Container:
    """The container of a session."""

    process: Confined
    etag: str = field(default_factory=lambda: secrets.token_hex(8))
    created: float = field(default_factory=time.time)
    executing: asyncio.Task[Any] | None = None
    """An execution that continues although its time is over."""
    executions: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])


@dataclass(frozen=True)
class Fault:
    """The fault of the next request of a method to a path with this beginning."""

    method: str
    path: str
    status: int = 0
    """The status of the answer; 0: the answer is lost."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    executes: bool = False
    """Whether the request is executed nevertheless."""


class Refused(Exception):
    """An error of the service."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.answer = JSONResponse(
            {"error": {"code": code, "message": message or code, "traceId": "0"}}, status, {"x-ms-error-code": code}
        )


class FakePool:
    """`url` has to be set to the address at which `api` is served."""

    def __init__(self) -> None:
        self.url = ""
        self.granted, self.wrapped, self.most = True, False, 600
        """Whether the role is assigned; whether bodies have `properties`; the most sessions."""
        self.unfinished = False
        """Whether a synchronous execution is answered before its end."""
        self.repeats = False
        """Whether a component in front of the pool repeats an execution."""
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        """Each request: method, path below the pool's, and the status of its answer."""
        self.containers: dict[str, Container] = {}
        self.api = FastAPI(openapi_url=None)
        self.api.add_api_route("/{path:path}", self._answer, methods=["GET", "POST", "PUT", "DELETE"])

    @property
    def endpoint(self) -> str:
        return self.url + PATH

    async def lose(self, session: str) -> None:
        """End a container, as the service does when it was idle or its machine is needed."""
        container = self.containers.pop(session)
        if container.executing:
            container.executing.cancel()
        await container.process.kill()
        container.process.folder.close()

    async def close(self) -> None:
        for session in list(self.containers):
            await self.lose(session)

    async def _answer(self, request: Request) -> Response:
        path = request.scope["path"].removeprefix(f"{PATH}/")
        fault = next(
            (each for each in self.faults if each.method == request.method and path.startswith(each.path)), None
        )
        answer = Response()
        try:
            if fault is not None:
                self.faults.remove(fault)
            if fault is None or fault.executes:
                answer = await self._handled(request, path)
        except Refused as error:
            answer = error.answer
        if fault is not None and fault.status:
            answer = JSONResponse({"error": {"code": "Fault", "message": ""}}, fault.status, fault.headers)
        elif fault is not None:  # the connection ends before the answer does
            answer = Response(headers={"content-length": "100"})
        self.asked.append(f"{request.method} {re.sub(r'[0-9a-f]{24,}', '*', path)} {answer.status_code}")
        return answer

    async def _handled(self, request: Request, path: str) -> Response:
        query = request.query_params
        if (
            not request.scope["path"].startswith(f"{PATH}/")
            or request.headers.get("authorization") != f"Bearer {TOKEN}"
        ):
            raise Refused(401, "Unauthorized")
        if not self.granted:
            raise Refused(403, "Forbidden")
        if query.get("api-version") != VERSION:
            raise Refused(400, "InvalidApiVersion")
        session = query.get("identifier", "")
        if not _IDENTIFIER.fullmatch(session):
            raise Refused(400, "SessionIdentifierInvalid")
        routes: list[tuple[str, str, Callable[..., Awaitable[Response]]]] = [
            ("POST", "executions", self._execute),
            ("GET", r"executions/([^/]+)", self._execution),
            ("GET", "files", self._list),
            ("POST", "files", self._upload),
            ("GET", r"files/([^/]+)/content", self._content),
            ("DELETE", r"files/([^/]+)", self._remove),
            ("GET", "session", self._session),
            ("DELETE", "session", self._delete),
        ]
        for method, pattern, act in routes:
            found = re.fullmatch(pattern, path)
            if method == request.method and found:
                return await act(request, session, *found.groups())
        raise Refused(404, "NotFound")

    async def _container(self, session: str) -> Container:
        if session not in self.containers:
            if len(self.containers) >= self.most:
                raise Refused(404, "SessionNotFound", "No session is available.")
            place = environment()
            assert place is not None
            limits = Settings.model_validate({"CODE_INTERPRETER_DISK": str(64 * 1024 * 1024)})
            process = await Confined.start(secrets.token_hex(8), limits, place)
            self.containers[session] = Container(process)
        return self.containers[session]

    async def _execute(self, request: Request, session: str) -> Response:
        body = await request.json()
        if self.wrapped:
            if "properties" not in body:
                raise Refused(400, "SessionPropertiesMissing")
            body = body["properties"]
        assert sorted(body) == ["code", "codeInputType", "executionType", "outputStreamsMaxLength", "timeoutInSeconds"]
        if not (body["codeInputType"] == "Inline" and body["executionType"] == "Synchronous"):
            raise Refused(400, "InvalidRequest")
        if not (isinstance(body["timeoutInSeconds"], int) and 1 <= body["timeoutInSeconds"] <= 220):
            raise Refused(400, "TimeoutInvalid")
        container = await self._container(session)
        operation = request.headers.get("operation-id") or secrets.token_hex(16)
        about = {"id": operation, "identifier": session, "executionType": "Synchronous"}
        container.executions[operation] = {**about, "status": "Running"}

        async def ended() -> dict[str, Any]:
            most = _STREAMS if self.wrapped else body["outputStreamsMaxLength"]
            for _ in range(2 if self.repeats else 1):
                told = await self._executed(session, container, body["code"], body["timeoutInSeconds"])
            result = {**told[1], "executionTimeInMilliseconds": 1}
            result |= {name: result[name][:most] for name in ("stdout", "stderr")}
            container.executions[operation] = {**about, "status": told[0], "result": result}
            return container.executions[operation]

        task = asyncio.create_task(ended())
        headers = {"operation-id": operation, "Operation-Location": f"{self.endpoint}/executions/{operation}"}
        if self.unfinished:
            return JSONResponse(container.executions[operation], 202, headers)
        return JSONResponse(self._shown(await task), 200, headers)

    async def _executed(
        self, session: str, container: Container, code: str, seconds: int
    ) -> tuple[str, dict[str, Any]]:
        if container.executing is not None:
            return "Failed", {"stdout": "", "stderr": "Execution aborted", "executionResult": None}
        task = asyncio.create_task(_run(container.process, code))
        try:
            async with asyncio.timeout(seconds):
                result = await asyncio.shield(task)
            return "Succeeded" if result.pop("error") is None else "Failed", result
        except TimeoutError:
            container.executing = task
            over = f"Request timed out waiting for code execution to complete after {seconds} seconds"
            return "Failed", {"stdout": "", "stderr": over, "executionResult": None}
        except (Ended, asyncio.CancelledError):
            if self.containers.get(session) is container:
                await self.lose(session)
            return "Failed", {"stdout": "", "stderr": "Kernel restarted", "executionResult": None}

    def _shown(self, execution: dict[str, Any]) -> dict[str, Any]:
        if not self.wrapped:
            return execution
        result = execution.get("result", {})
        properties = {
            "id": execution["id"],
            "status": execution["status"],
            **result,
            "result": result["executionResult"],
        }
        del properties["executionResult"]
        return {"properties": properties}

    async def _execution(self, _: Request, session: str, operation: str) -> Response:
        container = self.containers.get(session)
        if container is None or operation not in container.executions:
            raise Refused(404, "ExecutionNotFound")
        return JSONResponse(self._shown(container.executions[operation]))

    async def _list(self, request: Request, session: str) -> Response:
        container, query = await self._container(session), request.query_params
        folder = query.get("path", "").strip("/")
        found = []
        for path, state in container.process.folder.states(FILES).items():
            directory, _, name = path.rpartition("/")
            inside = directory == folder or (query.get("recursive") == "true" and f"{directory}/".startswith(folder))
            if inside:
                modified = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(state.modified // 10**9))
                kind = {"type": "file", "contentType": "application/octet-stream", "sizeInBytes": state.size}
                found.append({"name": name, **kind, "lastModifiedAt": modified, "directory": directory or "."})
        begin = int(query.get("skip", "0"))
        page: dict[str, Any] = {"value": found[begin : begin + _PAGE]}
        if len(found) > begin + _PAGE:
            page["nextLink"] = str(request.url.include_query_params(skip=begin + _PAGE))
        return JSONResponse(page)

    async def _upload(self, request: Request, session: str) -> Response:
        async with request.form() as form:
            sent: Any = form["file"]
            if not _NAME.fullmatch(sent.filename):
                raise Refused(400, "FileNameInvalid")
            if sent.size > MAX_FILE:
                raise Refused(413, "FileTooLarge")
            container = await self._container(session)
            await container.process.folder.put(input_file(sent.filename, sent.filename, await sent.read()))
        about = {"name": sent.filename, "type": "file", "sizeInBytes": sent.size, "directory": "."}
        return JSONResponse(
            {**about, "contentType": "application/octet-stream", "lastModifiedAt": "2026-01-01T00:00:00Z"}
        )

    async def _content(self, _: Request, session: str, name: str) -> Response:
        folder = (await self._container(session)).process.folder
        state = folder.states(FILES).get(name)
        if state is None or not _NAME.fullmatch(name):
            raise Refused(404, "FileNotFound")
        return Response(await _bytes(folder.output(name, state).content()), media_type="application/octet-stream")

    async def _remove(self, _: Request, session: str, name: str) -> Response:
        folder = (await self._container(session)).process.folder
        if name not in folder.states(FILES):
            raise Refused(404, "DeleteFileError")
        folder.forget(input_file(name, name, b""), keep_name=False)
        return Response(status_code=204)

    async def _session(self, _: Request, session: str) -> Response:
        container = self.containers.get(session)
        if container is None:
            raise Refused(404, "SessionNotFound")
        times = {"createdAt": container.created, "lastAccessedAt": time.time(), "expireAt": time.time() + 3600}
        return JSONResponse({"identifier": session, "etag": container.etag, **times})

    async def _delete(self, _: Request, session: str) -> Response:
        if session not in self.containers:
            raise Refused(404, "SessionNotFound")
        await self.lose(session)
        return Response(status_code=204)


async def _run(process: Confined, code: str) -> dict[str, Any]:
    """Have the container's own kernel execute code, once."""
    call = secrets.token_hex(8)
    await process.send("run", call, code.encode())
    stdout, value, error = bytearray(), None, None
    async for message in process.messages(call):
        match message.kind:
            case "log":
                stdout += message.body
            case "image":
                value = {"type": "image", "format": "png", "base64_data": base64.b64encode(message.body).decode()}
            case "done":
                error = message.told.get("error")
            case "snapshot":
                break
            case _:
                pass
    printed = stdout.decode(errors="replace") + process.printed()
    return {"stdout": printed, "stderr": "", "executionResult": value, "error": error}


async def _bytes(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


@asynccontextmanager
async def served_pool(**settings: str) -> AsyncIterator[tuple[FakePool, Sessions]]:
    """A pool that is served, and an engine over it with the identity of this process."""

    async def get_token(scope: str) -> Any:
        assert scope == "https://dynamicsessions.io/.default"
        return SimpleNamespace(token=TOKEN)

    async def close() -> None:
        pass

    fake = FakePool()
    credential = SimpleNamespace(get_token=get_token, close=close)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "identity", lambda _: credential)
        async with serving(fake.api) as url:
            fake.url = url.removesuffix("/v1")
            engine = Sessions(Settings.model_validate({"CODE_INTERPRETER_POOL": fake.endpoint, **settings}))
            yield fake, engine
            await engine.close()
            await fake.close()
