"""An asynchronous client with the interface of a synchronous one, so that one test serves both kinds."""

import asyncio
import inspect
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any, Self


class Blocking:
    """Wraps an object of the SDK: awaitable results are awaited here, and so are the items of a page."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        return _blocking(getattr(self._target, name))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _blocking(self._target(*args, **kwargs))

    def __iter__(self) -> Iterator[Any]:
        return iter(_wait(_drained(self._target)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _wait(self._target.close())


def _blocking(value: Any) -> Any:
    if inspect.isawaitable(value):
        value = _wait(value)
    of_sdk = type(value).__module__.startswith("openai.resources")
    return Blocking(value) if callable(value) or of_sdk or hasattr(value, "__aiter__") else value


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """An event loop that runs until the process ends."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop


def _wait(awaitable: Any) -> Any:
    async def awaited() -> Any:
        return await awaitable

    return asyncio.run_coroutine_threadsafe(awaited(), _loop()).result()


async def _drained(page: Any) -> list[Any]:
    return [each async for each in page]
