"""Functions that the sub-commands share: the store, and the arguments of times and projects."""

import argparse
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from assistants.settings import settings
from assistants.state.retention import projects
from assistants.state.store import Store
from assistants.storage.documents import Documents

Commands = Any
"""argparse's sub-parsers, which have no public type."""


class Failed(Exception):
    """A command cannot be carried out; the message gives the reason."""


class Misused(Exception):
    """The arguments do not go together; the message says how they would."""


def reasons(error: ValidationError) -> list[str]:
    """The errors of the settings, without their values: each with its name, if it has one."""
    named = ((".".join(map(str, each["loc"])), each["msg"].removeprefix("Value error, ")) for each in error.errors())
    return [": ".join(filter(None, each)) for each in named]


@asynccontextmanager
async def opened() -> AsyncGenerator[Store]:
    """The store that the settings name, with the clock corrected by storage."""
    store = Store.open(settings())
    try:
        await store.hear_time()
        yield store
    finally:
        await store.close()


async def asked_for(project: str | None, documents: Documents[Any]) -> list[str]:
    """The project in the arguments, or all projects that have blobs in a container."""
    return [project] if project is not None else [each async for each in projects(documents)]


def when(time: float | None) -> str | None:
    """A time in seconds since the epoch, as ISO 8601 in UTC."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if time else None


def days(text: str) -> float:
    """A number of days, 0 or more, as an argument.

    Raises
    ------
    argparse.ArgumentTypeError
        The text is no such number.
    """
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 36_500:
        raise argparse.ArgumentTypeError(f"not a number of days: {text!r}")
    return number
