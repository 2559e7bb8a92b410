"""`doctor`: checks the settings, storage, queues, roles and the model, and proposes corrections. It writes nothing.

A role is checked by an operation that storage refuses for another reason if the role is assigned: a write under a
condition that never holds, the deletion of a message that does not exist.
"""

import argparse
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from pydantic import ValidationError

from assistants.admin.command import Commands, reasons
from assistants.admin.screen import Screen
from assistants.model.connection import Connection
from assistants.notify.items import WEBHOOKS
from assistants.service import queues
from assistants.settings import Settings, settings
from assistants.state.store import Store
from assistants.storage.errors import NotConfigured
from assistants.storage.services import Receipt, if_match

State = Literal["ok", "warning", "failed"]

_LATE = 60.0
"""Seconds after which a visible item is reported as late."""

_SKEW = 60.0
"""Seconds of difference between this machine's clock and storage's that are reported."""

_NEVER = if_match('"0x0"')
_NO_MESSAGE = Receipt("00000000-0000-0000-0000-000000000000", "none")
_BLOBS = "the role Storage Blob Data Owner for this identity, or another connection string"
_QUEUES = "the role Storage Queue Data Contributor for this identity, or another connection string"
_TRIAL = "python -m assistants.local.trial tells more"


class Check(NamedTuple):
    """A checked part, its state, the finding, and the correction."""

    check: str
    state: State
    found: str
    mend: str = ""


def add(commands: Commands) -> None:
    """Add the sub-command."""
    parser = commands.add_parser("doctor", help="find problems, and propose corrections", description=__doc__)
    parser.set_defaults(act=_act)


async def _act(_: argparse.Namespace, screen: Screen) -> int:
    with screen.progress("checks") as done:
        checks: list[Check] = []
        async for check in diagnosed():
            checks.append(check)
            done(1)
    screen.table([check._asdict() for check in checks])
    return int(any(check.state == "failed" for check in checks))


async def diagnosed() -> AsyncIterator[Check]:
    """All checks, in their order; those that depend on a failed one are left out."""
    try:
        found = settings()
    except ValidationError as error:
        for each in reasons(error):
            yield Check("settings", "failed", each, "see docs/settings.md")
        return
    yield Check("settings", "ok", "each is in its range")
    yield _keys(found)
    if found.backend == "proxy":
        yield Check("storage", "ok", "BACKEND is proxy: neither storage nor a model is used")
        return
    try:
        store = Store.open(found)
    except NotConfigured as error:
        yield Check("storage", "failed", str(error))
    except ValueError as error:
        yield Check("storage", "failed", f"the connection string cannot be read: {error}")
    else:
        try:
            async for check in _storage(store):
                yield check
        finally:
            await store.close()
    yield await _model(found)
    yield _retention(found)


def _keys(found: Settings) -> Check:
    tokens = f"; tokens of the tenant {found.entra_tenant}" if found.entra_tenant else ""
    if found.api_keys or tokens:
        return Check("keys", "ok", f"keys: {len(found.api_keys)}, projects: {len(found.projects)}{tokens}")
    said = "none: the local runner needs none, everywhere else every request is refused"
    return Check("keys", "warning", said, "set API_KEYS, or ENTRA_TENANT and ENTRA_PROJECTS")


async def _storage(store: Store) -> AsyncIterator[Check]:
    blobs, service = store.services

    async def listed() -> None:
        async for _ in blobs.entries("threads", "", None, 1):
            break

    read = await _probed("blobs: read", listed, _BLOBS)
    yield read
    if read.state == "failed":
        return
    yield await _probed("blobs: write", lambda: blobs.put("threads", "doctor", b"", _NEVER), _BLOBS)
    skew = store.clock.now() - store.clock.local()
    if abs(skew) > _SKEW:
        yield Check("clock", "warning", f"{skew:+.0f} s to storage's", "set this machine's clock; tokens depend on it")
    else:
        yield Check("clock", "ok", "that of storage, within a minute")
    names = queues(store.settings)
    yield await _probed("queues: write", lambda: service.delete(names[0], _NO_MESSAGE), _QUEUES)
    for queue in dict.fromkeys((*names, WEBHOOKS)):
        yield await _queue(store, queue)


async def _probed(check: str, act: Callable[[], Awaitable[object]], role: str) -> Check:
    """The check of an operation whose object need not exist."""
    try:
        with suppress(ResourceNotFoundError, ResourceModifiedError):
            await act()
    except ClientAuthenticationError as error:
        return Check(check, "failed", _said(error), f"credentials; {role}")
    except HttpResponseError as error:
        if error.status_code == 400:
            return Check(check, "ok", "allowed")
        return Check(check, "failed", _said(error), role if error.status_code == 403 else "")
    except AzureError as error:
        return Check(check, "failed", _said(error), "the address, the network, and the account's firewall")
    return Check(check, "ok", "allowed")


async def _queue(store: Store, queue: str) -> Check:
    """The number of items, and the waiting time of the first one. A queue is created with its first item."""
    try:
        number, since = await _waiting(store, queue)
        poison, _ = await _waiting(store, f"{queue}-poison")
    except AzureError as error:
        return Check(f"queue {queue}", "failed", _said(error), _QUEUES)
    found = f"about {number} items, {poison} in {queue}-poison"
    if poison:
        return Check(f"queue {queue}", "warning", found, "python -m assistants.admin poison list; is the app running?")
    late = (datetime.now(UTC) - since).total_seconds() if since else 0
    if late > _LATE:
        return Check(f"queue {queue}", "warning", f"{found}; one waits for {late:.0f} s", "is the app running?")
    return Check(f"queue {queue}", "ok", found)


async def _waiting(store: Store, queue: str) -> tuple[int, datetime | None]:
    """The approximate number of items in a queue, hidden ones included, and when the first visible one was sent."""
    client = store.services[1].client.get_queue_client(queue)
    try:
        number = (await client.get_queue_properties()).approximate_message_count or 0
        first = await client.peek_messages(1)
    except ResourceNotFoundError:
        return 0, None
    return number, first[0].inserted_on if first else None


async def _model(found: Settings) -> Check:
    """Whether the endpoint accepts the key, checked by its list of models, which costs nothing."""
    if not found.has_model:
        mend = "set OPENAI_API_KEY, OPENAI_BASE_URL or AZURE_OPENAI_ENDPOINT"
        return Check("model", "warning", "none is set: every run fails", mend)
    from assistants.model.client import APIConnectionError, APIStatusError, client

    http = Connection()
    try:
        answer = await client(found, http).models.list()
    except APIStatusError as error:
        refused = error.status_code in (401, 403)
        said = f"answers {error.status_code} to GET /models"
        return Check("model", "failed" if refused else "warning", said, "the key or the role" if refused else _TRIAL)
    except APIConnectionError as error:
        cause = type(error.__cause__ or error).__name__
        return Check("model", "failed", f"cannot be reached: {cause}", "the base URL and the network")
    except Exception as error:
        return Check("model", "warning", f"its list of models cannot be read: {type(error).__name__}", _TRIAL)
    finally:
        await http.aclose()
    return Check("model", "ok", f"answers, with {len(answer.data)} models", _TRIAL)


def _retention(found: Settings) -> Check:
    def told(days: float | None) -> str:
        return "never" if days is None else f"after {days:g} days without use"

    said = f"threads are deleted {told(found.thread_ttl_days)}, files {told(found.file_ttl_days)}"
    return Check("retention", "ok", said)


def _said(error: BaseException) -> str:
    code = getattr(error, "error_code", None)
    return str(code or (str(error) or type(error).__name__).splitlines()[0])
