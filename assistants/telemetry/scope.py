"""The scope of a task, named by spans and log lines: its request, run, thread and project."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class Scope(NamedTuple):
    """The ids; None for an unknown one."""

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
    """Add these ids to the scope, during the block and in the tasks that are started in it."""
    token = _scope.set(_scope.get()._replace(**ids))
    try:
        yield
    finally:
        _scope.reset(token)
