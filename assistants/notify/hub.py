"""The listeners of runs' states, and their way: Azure SignalR Service, or the hub of this service."""

import hashlib
import json
import time
from typing import NamedTuple

from assistants.notify.feed import Feed
from assistants.notify.polling import Connections
from assistants.notify.signalr import AzureSignalR
from assistants.notify.states import States
from assistants.settings import Settings
from assistants.state.store import Store

LIFETIME = 600
"""Seconds for which a token of this service's hub is valid; only connecting requires it."""

_AUDIENCE = "notificationhub"


class Listener(NamedTuple):
    """The project that a client listens to, and the thread, if it names one."""

    project: str
    thread: str | None


class Hub:
    """The way of notifications that the settings choose. At most one of `azure` and `feed` is set."""

    def __init__(self, store: Store) -> None:
        settings = store.settings
        self.azure = AzureSignalR(settings, settings.signalr_connection) if settings.signalr_connection else None
        self.feed = Feed(store) if settings.notifications and self.azure is None else None
        self.polling = Connections()
        carrier = self.azure or self.feed
        self._states = States(carrier) if carrier else None
        if self._states is not None:
            store.changes.subscribe(self._states.changed)

    async def close(self) -> None:
        if self._states is not None:
            await self._states.close()


def token_for(settings: Settings, listener: Listener) -> str:
    """A token for the connections to this service's hub, so that their addresses contain no key."""
    import jwt

    claims = {"aud": _AUDIENCE, "exp": int(time.time()) + LIFETIME, "sub": listener.project, "thread": listener.thread}
    return jwt.encode(claims, _secret(settings), "HS256")


def listener_of(settings: Settings, token: str, late: bool = False) -> Listener | None:
    """The listener of a token; None: the token is invalid, or has expired and may not be `late`."""
    import jwt

    try:
        options = {"verify_exp": not late, "require": ["exp", "sub"]}
        claims = jwt.decode(token, _secret(settings), ["HS256"], audience=_AUDIENCE, options=options)  # type: ignore[reportArgumentType]
    except jwt.InvalidTokenError:
        return None
    return Listener(claims["sub"], claims.get("thread"))


def _secret(settings: Settings) -> bytes:
    """A secret that all processes of the service can derive from the settings, and no caller."""
    storage = settings.storage.get_secret_value() if settings.storage else settings.storage_account
    known = json.dumps([_AUDIENCE, storage, sorted(settings.api_keys.items()), sorted(settings.secrets)])
    return hashlib.sha256(known.encode()).digest()
