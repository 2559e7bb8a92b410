"""The caller's project, by the headers of a request and the configured keys: pure functions."""

import hashlib
import hmac
import re
from collections.abc import Mapping

from assistants.schema.errors import incorrect_key, keys_not_configured, missing_key
from assistants.settings import MAY_IMPORT

DEFAULT_PROJECT = "default"
"""The project of a service without keys."""

MAX_TOKEN = 16 * 1024
"""Characters of the longest access token."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def project(headers: Mapping[str, str], keys: Mapping[str, str], local: bool, tokens: bool = False) -> str:
    """The project that a request belongs to.

    Parameters
    ----------
    headers
        By lower-case name.
    keys
        Accepted keys, plain or as `sha256:HEX`, and the project of each.
    local
        The service listens to this machine only, so that it needs no keys.
    tokens
        The service accepts access tokens as well, so it is not open without keys.

    Raises
    ------
    ApiError
        No key was sent, or a wrong one, or the service needs keys and has none (401).
    """
    if not keys and not tokens:
        if local:
            return DEFAULT_PROJECT
        raise keys_not_configured()
    sent = _sent(headers)
    if not sent:
        raise missing_key()
    digest = hashlib.sha256(sent.encode()).hexdigest()
    found: str | None = None
    for key, owner in keys.items():
        known = key.removeprefix("sha256:") if key.startswith("sha256:") else hashlib.sha256(key.encode()).hexdigest()
        if hmac.compare_digest(known, digest):
            found = owner.removesuffix(MAY_IMPORT)
    if found is None:
        raise incorrect_key(sent)
    return found


def token_in(headers: Mapping[str, str]) -> str | None:
    """The bearer token of a request, if it has the form of a signed token (RFC 7515, 3.1), without any white space."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    token = credentials.strip(" ")
    if scheme.lower() != "bearer" or len(token) > MAX_TOKEN or not _TOKEN.fullmatch(token):
        return None
    return token


def _sent(headers: Mapping[str, str]) -> str:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    bearer = credentials.strip() if scheme.lower() == "bearer" else ""
    return bearer or headers.get("api-key", "").strip()
