"""/health, of the process, and /health/ready, of the parts it depends on. They need no key, so they give no reasons."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

LIVE, READY = "/health", "/health/ready"

CACHED = 5.0
"""Seconds for which a result is kept: each part is checked at most once in that time."""

PATIENCE = 5.0
"""Seconds after which a part counts as unreachable."""

Check = Callable[[], Awaitable[None]]
"""Checks one part; raises if it is unreachable."""

log = logging.getLogger("assistants.api")
router = APIRouter(include_in_schema=False)


class Readiness:
    """Whether the parts can be reached."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._lock = asyncio.Lock()
        self._found: dict[str, bool] = {}
        self._until = 0.0

    async def parts(self) -> Mapping[str, bool]:
        """The parts, and whether each was reached at its latest check."""
        async with self._lock:
            if time.monotonic() >= self._until:
                results = await asyncio.gather(*(self._reached(*each) for each in self._checks.items()))
                self._found = dict(zip(self._checks, results, strict=True))
                self._until = time.monotonic() + CACHED
            return self._found

    async def _reached(self, name: str, check: Check) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                await check()
        except Exception as error:
            log.warning("not ready: %s: %s", name, type(error).__name__)
            return False
        return True


def is_health(path: str) -> bool:
    """Whether a path is one of the two."""
    return path in (LIVE, READY)


@router.get(LIVE)
async def live() -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"}, headers=_FRESH)


@router.get(READY)
async def ready(request: Request) -> JSONResponse:
    """Whether the parts that the service depends on can be reached: 200, or 503."""
    parts = await request.app.state.readiness.parts()
    answered = all(parts.values())
    shown = {name: "ok" if reached else "unreachable" for name, reached in parts.items()}
    body = {"status": "ok" if answered else "unavailable", "checks": shown}
    return JSONResponse(body, 200 if answered else 503, headers=_FRESH)


_FRESH = {"cache-control": "no-store"}
