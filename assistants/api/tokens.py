"""Access tokens of Entra ID: their validation, and the project of each."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

from assistants.api.signingkeys import SigningKeys
from assistants.schema.errors import groups_not_listed, invalid_token, token_without_project
from assistants.settings import Settings

ALGORITHM = "RS256"
"""The one algorithm that Entra ID signs access tokens with."""

LEEWAY = 60
"""Seconds by which the clocks of the issuer and of this process may differ."""

_CHINA = "https://login.partner.microsoftonline.cn"
_ID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_REQUIRED = ("exp", "nbf", "iat", "aud", "iss", "tid")


def issuers(tenant: str, authority: str) -> tuple[str, str]:
    """The issuers of a tenant's tokens of version 1 and of version 2."""
    first = "https://sts.chinacloudapi.cn" if authority == _CHINA else "https://sts.windows.net"
    return f"{first}/{tenant}/", f"{authority}/{tenant}/v2.0"


def project_of(claims: Mapping[str, Any], projects: Mapping[str, str]) -> str | None:
    """The project of the first entry of `ENTRA_PROJECTS` whose claim the token has.

    Raises
    ------
    ApiError
        An entry before it names a group, and the token does not list its groups (403).
    """
    held = set(_held(claims))
    for claim, project in projects.items():
        if claim == "*" or _plain(claim) in held:
            return project
        if claim.startswith("groups=") and _has_too_many_groups(claims):
            raise groups_not_listed()
    return None


def same_audiences(audiences: Iterable[str]) -> Iterator[str]:
    """How tokens name these applications.

    An address comes with or without a slash at its end, as the client asked for it. An application that is known as
    `api://ID` is the plain id in tokens of version 2.
    """
    for audience in audiences:
        plain = audience.rstrip("/")
        identifier = plain.removeprefix("api://")
        yield from (plain, f"{plain}/")
        if _ID.fullmatch(identifier):
            yield from (identifier.lower(), f"api://{identifier.lower()}")


class Tokens:
    """The tokens of one tenant.

    Parameters
    ----------
    clock
        Seconds, never decreasing, that determine the age of keys.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        tenant = str(settings.entra_tenant).lower()
        self._tenant, self._audiences = tenant, list(same_audiences(settings.audiences))
        self._projects = settings.entra_projects
        self._issuers = issuers(tenant, settings.entra_authority)
        self._keys = SigningKeys(f"{settings.entra_authority}/{tenant}/discovery/v2.0/keys", self._issuers[1], clock)

    async def project(self, token: str) -> str:
        """The project of a token.

        Raises
        ------
        ApiError
            The token is not accepted (401), or has no project or does not list its groups (403), or no keys are
            available to check it (503).
        """
        found = project_of(await self.claims(token), self._projects)
        if found is None:
            raise token_without_project()
        return found

    async def claims(self, token: str) -> dict[str, Any]:
        """The claims of an accepted token. A key or an address that the token itself names is never used.

        Raises
        ------
        ApiError
            As `project` does.
        """
        import jwt

        key = await self._keys.key(_kid(token))
        if key is None:
            raise invalid_token("the tenant has no such signing key")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audiences,
                issuer=self._issuers,
                leeway=LEEWAY,
                options={"require": list(_REQUIRED)},
            )
        except jwt.ExpiredSignatureError:
            raise invalid_token("it has expired") from None
        except jwt.ImmatureSignatureError:
            raise invalid_token("it is not valid yet") from None
        except jwt.InvalidAudienceError:
            raise invalid_token("its audience is another service") from None
        except jwt.InvalidIssuerError:
            raise invalid_token("its issuer is not the tenant of this service") from None
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise invalid_token("it is malformed, or its signature is wrong") from None
        if claims["tid"] != self._tenant or not isinstance(claims["aud"], str):
            raise invalid_token("its issuer is not the tenant of this service")
        if not isinstance(claims.get("azp", claims.get("appid")), str):  # an ID token says how a user signed in
            raise invalid_token("it is no access token")
        return claims


def _kid(token: str) -> str:
    """The id of the signing key in a token's header, which is not verified yet."""
    import jwt

    try:
        header: dict[str, Any] = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise invalid_token("it is malformed, or its signature is wrong") from None
    if header.get("alg") != ALGORITHM or not isinstance(header.get("kid"), str) or "crit" in header:
        raise invalid_token("it is not signed as Entra ID signs tokens")
    return header["kid"]


def _held(claims: Mapping[str, Any]) -> Iterator[str]:
    """A token's claims as `ENTRA_PROJECTS` names them; an application is `appid` in version 1, `azp` in version 2."""
    for name, claim in (("oid", "oid"), ("appid", "appid"), ("appid", "azp")):
        if isinstance(claims.get(claim), str):
            yield _plain(f"{name}={claims[claim]}")
    for name in ("roles", "groups"):
        values = claims.get(name)
        if isinstance(values, list):
            yield from (_plain(f"{name}={each}") for each in cast("list[object]", values))


def _has_too_many_groups(claims: Mapping[str, Any]) -> bool:
    """Whether the token has in place of its groups where to ask for them (more than 200, or 6 in the implicit flow)."""
    names = claims.get("_claim_names")
    return bool(claims.get("hasgroups")) or (isinstance(names, dict) and "groups" in names)


def _plain(claim: str) -> str:
    """The claim for comparison: ids ignore case, names of roles do not."""
    return claim if claim.startswith("roles=") else claim.lower()
