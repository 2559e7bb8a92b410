"""What a task works for, which spans and log lines name: a request, a run, its thread and project."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class Scope(NamedTuple):
    """The ids, where they are known."""

    request: str | None = None
    project: str | None = None
    thread: str | None = None
    run: str | None = None


_scope: ContextVar[Scope] = ContextVar("scope", default=Scope())  # noqa: B039 - it is immutable


def scope() -> Scope:
    """The scope of the running task."""
    return _scope.get()


@contextmanager
def scoped(**ids: str) -> Generator[None]:
    """Name these ids too, during the block and in the tasks that are begun in it."""
    token = _scope.set(_scope.get()._replace(**ids))
    try:
        yield
    finally:
        _scope.reset(token)
