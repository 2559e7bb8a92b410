"""One request and its answer for the operator: a log line and a span, without contents, addresses or keys."""

import logging
import time
from typing import Self

from starlette.datastructures import Headers
from starlette.types import Scope

from assistants.telemetry import lines, record
from assistants.telemetry.names import METHOD, PROJECT, ROUTE, STATUS
from assistants.telemetry.scope import scoped

log = logging.getLogger("assistants.requests")


class Exchange:
    """A context manager around the answer, up to the last byte of a stream."""

    def __init__(self, scope: Scope, request_id: str) -> None:
        self.scope = scope
        """The request as the routes receive it; the matched route is recorded there."""
        self.status: int | None = None
        self._request_id = request_id
        self._scoped = scoped(request=request_id)
        parent = Headers(scope=scope).get("traceparent") if record.is_on() else None
        with scoped(request=request_id):
            self._span = record.span(scope["method"], "server", {METHOD: scope["method"]}, parent)
        self._began = time.perf_counter()

    @property
    def milliseconds(self) -> int:
        """Milliseconds since the beginning of the request."""
        return round((time.perf_counter() - self._began) * 1000)

    def __enter__(self) -> Self:
        self._scoped.__enter__()
        self._span.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        method, project = self.scope["method"], self.scope["state"].get("project")
        route = _route(self.scope)
        lines.write(
            log,
            "request",
            {
                "method": method, "route": route, "status": self.status, "ms": self.milliseconds, "project": project,
                "request": self._request_id,
            },
        )  # fmt: skip
        self._span.rename(f"{method} {route}" if route else method)
        self._span.set({ROUTE: route, STATUS: self.status, PROJECT: project})
        if self.status is not None and self.status >= 500:
            self._span.fail(str(self.status))
        self._span.__exit__(kind, *rest)
        self._scoped.__exit__(None, None, None)


def _route(scope: Scope) -> str | None:
    """The route's path with its parameters; an included router's routes do not know their prefix."""
    path: str | None = getattr(scope.get("route"), "path", None)
    return f"/v1{path}" if path and scope["path"].startswith("/v1/") and not path.startswith("/v1/") else path
