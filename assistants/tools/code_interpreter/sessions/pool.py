"""The REST API of a pool of Azure Container Apps dynamic sessions.

Every path is appended to the pool's own address, whose path names the pool. API version 2025 takes an execution at the
top level of the body; if a region still has 2024, it requires `properties`, and returns them.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

import httpx2
from azure.core.exceptions import AzureError

from assistants.identity import identity
from assistants.settings import Settings
from assistants.tools.code_interpreter.engine import EngineBusy, EngineFailed, OutcomeLost

MAX_UPLOAD = 128 * 1024 * 1024
"""The most bytes of a file that is uploaded into a session."""

MAX_SECONDS = 220
"""The most seconds of an execution."""

_SCOPE = "https://dynamicsessions.io/.default"
_VERSION = "2025-10-02-preview"
_STREAMS = 65_536
"""The requested limit in characters of stdout and of stderr; the pool's default is 4,096."""

_WAITS = (0.5, 2.0, None)
"""Seconds between the tries of a request that may be repeated."""

_MAX_WAIT = 10.0
_MARGIN = 20.0
"""Seconds that an answer may take beyond the execution itself: the pool may have to create a session."""

_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_BOUNDARY = "assistants-code-interpreter-file"
_GOES_ON = ("NotStarted", "Running")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """The pool's result of an execution that has ended."""

    stdout: str
    stderr: str
    value: Any
    """The value of the last expression: any JSON, or an image as `{"type": "image", "base64_data": ...}`."""


class Pool:
    """A client of the pool, by the identity of this process."""

    def __init__(self, settings: Settings) -> None:
        assert settings.code_interpreter_pool is not None
        self._endpoint = settings.code_interpreter_pool.rstrip("/")
        self._credential = identity(settings.azure_client_id)
        self._http = httpx2.AsyncClient(timeout=httpx2.Timeout(60, connect=10), follow_redirects=False)
        self._wrapped = False

    async def close(self) -> None:
        await self._http.aclose()
        await self._credential.close()

    async def execute(self, session: str, operation: str, code: str, seconds: int) -> Result:
        """Have a session execute code, once; `operation` is the execution's id, of hexadecimal digits.

        Raises
        ------
        EngineFailed, EngineBusy
            The code was not executed.
        OutcomeLost
            The code may have been executed.
        """
        until = time.monotonic() + seconds + _MARGIN
        try:
            answer = await self._execute(session, operation, code, seconds)
            if answer.status_code == 400 and _code(answer) == "SessionPropertiesMissing" and not self._wrapped:
                self._wrapped = True
                answer = await self._execute(session, operation, code, seconds)
        except _NEVER_SENT as error:
            raise EngineBusy(f"The session pool cannot be reached ({type(error).__name__}).") from None
        except httpx2.TransportError as error:
            return await self._awaited(session, operation, until, f"the connection broke ({type(error).__name__})")
        if answer.status_code >= 500:
            return await self._awaited(session, operation, until, f"the session pool answered {answer.status_code}")
        if answer.status_code >= 400:
            raise self._refused(answer)
        told = _told(answer)
        if told is None:
            return await self._awaited(session, operation, until, "the answer of the session pool is no execution")
        if told.get("status") in _GOES_ON:
            found = told.get("id") or answer.headers.get("operation-id") or operation
            return await self._awaited(session, str(found), until, "the execution does not end")
        return _result(told)

    async def upload(self, session: str, name: str, size: int, content: Callable[[], AsyncIterator[bytes]]) -> None:
        """Upload a file of `size` bytes into a session; its name has letters, digits and hyphens only.

        Raises
        ------
        EngineFailed, EngineBusy
        """
        head = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        tail = f"\r\n--{_BOUNDARY}--\r\n".encode()

        async def body() -> AsyncIterator[bytes]:
            yield head
            async for piece in content():
                yield piece
            yield tail

        headers = {
            "content-type": f"multipart/form-data; boundary={_BOUNDARY}",
            "content-length": str(len(head) + size + len(tail)),
        }
        await self._asked("POST", "files", session, headers=headers, body=body)

    async def download(self, session: str, name: str, most: int) -> AsyncIterator[bytes]:
        """The content of a file of a session, at most `most` bytes.

        Raises
        ------
        EngineFailed, EngineBusy
        """
        path = f"files/{name}/content"
        answer = await self._asked("GET", path, session, stream=True)
        try:
            async with aclosing(answer.aiter_bytes()) as pieces:
                async for piece in pieces:
                    yield piece[:most]
                    most -= len(piece)
                    if most <= 0:
                        break
        except httpx2.TransportError as error:
            raise EngineBusy(f"A file of the session cannot be read ({type(error).__name__}).") from None
        finally:
            await answer.aclose()

    async def delete(self, session: str) -> None:
        """End a session, if it exists.

        Raises
        ------
        EngineFailed, EngineBusy
        """
        await self._asked("DELETE", "session", session, missing=True)

    async def _execute(self, session: str, operation: str, code: str, seconds: int) -> httpx2.Response:
        wanted = {
            "codeInputType": "Inline",
            "executionType": "Synchronous",
            "code": code,
            "timeoutInSeconds": seconds,
            "outputStreamsMaxLength": _STREAMS,
        }
        return await self._send(
            "POST",
            "executions",
            session,
            again=False,
            json={"properties": wanted} if self._wrapped else wanted,
            headers={"operation-id": operation},
            timeout=httpx2.Timeout(seconds + _MARGIN, connect=10),
        )

    async def _awaited(self, session: str, execution: str, until: float, why: str) -> Result:
        """The result of an execution whose answer did not arrive, or arrived before its end."""
        lost = OutcomeLost(f"The outcome of the code is not known: {why}.")
        try:
            while time.monotonic() < until:
                answer = await self._send("GET", f"executions/{execution}", session, again=True)
                told = _told(answer) if answer.is_success else None
                if told is None:
                    raise lost
                if told.get("status") not in _GOES_ON:
                    return _result(told)
                await asyncio.sleep(0.5)
        except (httpx2.TransportError, EngineFailed, EngineBusy):
            pass
        raise lost

    async def _asked(
        self,
        method: str,
        path: str,
        session: str,
        *,
        missing: bool = False,
        body: Callable[[], AsyncIterator[bytes]] | None = None,
        **options: Any,
    ) -> httpx2.Response:
        try:
            answer = await self._send(method, path, session, again=True, body=body, **options)
        except httpx2.TransportError as error:
            raise EngineBusy(f"The session pool cannot be reached ({type(error).__name__}).") from None
        if answer.is_success or (missing and answer.status_code == 404):
            return answer
        await answer.aread()
        raise self._refused(answer)

    async def _send(
        self,
        method: str,
        path: str,
        session: str,
        *,
        again: bool,
        body: Callable[[], AsyncIterator[bytes]] | None = None,
        stream: bool = False,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> httpx2.Response:
        """Send a request, and repeat it after a 429; if it may be repeated (`again`), also after a 5xx or no answer."""
        for wait in _WAITS:
            request = self._http.build_request(
                method,
                f"{self._endpoint}/{path}",
                params={"api-version": _VERSION, "identifier": session},
                headers={"authorization": f"Bearer {await self._token()}", **(headers or {})},
                content=body() if body else None,
                **options,
            )
            try:
                answer = await self._http.send(request, stream=stream)
            except httpx2.TransportError as error:
                if wait is None or not (again or isinstance(error, _NEVER_SENT)):
                    raise
            else:
                repeated = answer.status_code == 429 or (again and answer.status_code >= 500)
                if wait is None or not repeated:
                    return answer
                await answer.aclose()
                wait = _retry_after(answer, wait)
            await asyncio.sleep(wait)
        raise AssertionError

    async def _token(self) -> str:
        try:
            return (await self._credential.get_token(_SCOPE)).token
        except AzureError as error:
            _log.warning("There is no token for the session pool: %s", type(error).__name__)
            raise EngineFailed("This app has no identity that the session pool could know.") from None

    def _refused(self, answer: httpx2.Response) -> EngineFailed | EngineBusy:
        status, code = answer.status_code, _code(answer)
        _log.warning("The session pool answered %d %s", status, code)
        said = f"The session pool answered {status}{f' ({code})' if code else ''}"
        match status:
            case 401 | 403:
                return EngineFailed(
                    f"{said}: the app's identity needs the role Azure ContainerApps Session Executor on the pool, "
                    "and CODE_INTERPRETER_POOL the pool's whole address."
                )
            case 404:
                return EngineBusy(
                    f"{said}: as many sessions are there as it may have, or CODE_INTERPRETER_POOL is not its address."
                )
            case 413:
                return EngineFailed(f"{said}: a file is too large for it.")
            case _:
                return (EngineBusy if status == 429 or status >= 500 else EngineFailed)(f"{said}.")


def _retry_after(answer: httpx2.Response, usual: float) -> float:
    try:
        return min(max(float(answer.headers["retry-after"]), 0), _MAX_WAIT)
    except (LookupError, ValueError):
        return usual


def _object(answer: httpx2.Response) -> dict[str, Any] | None:
    try:
        told: Any = answer.json()
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", told) if isinstance(told, dict) else None


def _code(answer: httpx2.Response) -> str:
    """The code of the error in the body, if it has one."""
    error: Any = (_object(answer) or {}).get("error")
    code: Any = cast("dict[str, Any]", error).get("code") if isinstance(error, dict) else None
    return code[:100] if isinstance(code, str) and code.isalnum() else ""


def _told(answer: httpx2.Response) -> dict[str, Any] | None:
    """An execution in the format of 2025, from an answer in either format."""
    told = _object(answer)
    inner: Any = (told or {}).get("properties")
    if isinstance(inner, dict):
        old = cast("dict[str, Any]", inner)
        result = {"stdout": old.get("stdout"), "stderr": old.get("stderr"), "executionResult": old.get("result")}
        told = {"id": old.get("id"), "status": old.get("status"), "result": result}
    return told if told is not None and isinstance(told.get("status"), str) else None


def _result(told: dict[str, Any]) -> Result:
    found: Any = told.get("result")
    result = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    stdout, stderr = (str(result.get(name) or "") for name in ("stdout", "stderr"))
    if not stderr and told.get("error"):
        stderr = str(told["error"])[:1000]
    return Result(stdout, stderr, result.get("executionResult"))
