"""The public keys that an issuer publishes: fetched when needed, kept, and fetched again."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import httpx2

from assistants.schema.errors import unavailable

if TYPE_CHECKING:
    from jwt import PyJWK

log = logging.getLogger("assistants.api")

AGAIN = 60.0
"""The least number of seconds between two requests to the issuer, regardless of the tokens received."""

FRESH = 3600.0
"""Seconds after which keys are fetched again; the present ones are used meanwhile."""

AGAIN_WITHOUT_KEYS = 5.0
"""As `AGAIN`, while there are no keys at all."""

STALE = 24 * 3600.0
"""Seconds after which keys that could not be fetched again are no longer used."""

_TIMEOUT = 5.0
_MAX_BYTES = 1024 * 1024


class SigningKeys:
    """The keys at one address.

    Parameters
    ----------
    url
        The address of a JSON Web Key Set (RFC 7517).
    issuer
        The issuer of the tokens; a key that names another issuer is left out.
    clock
        Seconds, never decreasing.
    """

    def __init__(self, url: str, issuer: str, clock: Callable[[], float]) -> None:
        self._url, self._issuer, self._clock = url, issuer, clock
        self._keys: dict[str, PyJWK] = {}
        self._fetched = self._asked = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, kid: str) -> "PyJWK | None":
        """The key of this id. An unknown id causes a request for the keys, once in `AGAIN` for all callers together.

        Raises
        ------
        ApiError
            There are no keys, and the issuer does not answer (503).
        """
        age = self._clock() - self._fetched
        known = kid in self._keys and age < STALE
        if (not known or age >= FRESH) and self._clock() - self._asked >= self._pause:
            self._asked = self._clock()
            self._fetching = asyncio.create_task(self._fetch())
        if not known and self._fetching is not None:
            await asyncio.shield(self._fetching)
        if self._clock() - self._fetched >= STALE:
            raise unavailable(int(self._pause))
        return self._keys.get(kid)

    @property
    def _pause(self) -> float:
        return AGAIN if self._keys else AGAIN_WITHOUT_KEYS

    async def _fetch(self) -> None:
        try:
            content = await _download(self._url)
            keys = dict(_usable(json.loads(content), self._issuer))
        except (httpx2.HTTPError, ValueError, RecursionError) as error:
            log.warning("the signing keys of %s cannot be fetched: %s", self._url, type(error).__name__)
            return
        if not keys:
            log.warning("%s has no signing keys that can be used", self._url)
            return
        self._keys, self._fetched = keys, self._clock()


async def _download(url: str) -> bytes:
    """
    Raises
    ------
    httpx2.HTTPError
        The issuer does not answer, or answers with an error.
    ValueError
        The answer is too long.
    """
    content = bytearray()
    async with (
        httpx2.AsyncClient(timeout=_TIMEOUT, follow_redirects=False) as client,
        client.stream("GET", url) as answer,
    ):
        answer.raise_for_status()
        async for piece in answer.aiter_bytes():
            content.extend(piece)
            if len(content) > _MAX_BYTES:
                raise ValueError("too long")
    return bytes(content)


def _usable(published: Any, issuer: str) -> Iterator[tuple[str, "PyJWK"]]:
    """The RSA keys for signatures, by their ids."""
    from jwt import PyJWK, PyJWTError

    if not isinstance(published, dict) or not isinstance(listed := cast("dict[str, Any]", published).get("keys"), list):
        return
    tenant = issuer.rsplit("/", 2)[1]
    for each in cast("list[Any]", listed):
        match each:
            case {"kid": str(kid), "kty": "RSA", **rest} if rest.get("use", "sig") == "sig":
                if str(rest.get("issuer", issuer)).replace("{tenantid}", tenant) != issuer:
                    continue
                try:
                    yield kid, PyJWK(cast("dict[str, Any]", each), "RS256")
                except (PyJWTError, ValueError):
                    log.warning("the signing key %.40s cannot be used", kid)
            case _:
                continue
