"""Access tokens of Entra ID, checked with the keys that an issuer publishes by HTTP."""

import asyncio
import base64
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest

from assistants.api import signingkeys
from assistants.api.keys import token_in
from assistants.api.tokens import Tokens
from assistants.schema.errors import ApiError
from assistants.settings import Settings
from tests.support.service.issuer import APP, AUDIENCE, OID, TENANT, Issuer, SigningKey

OTHER_TENANT = "22222222-2222-4333-8444-555555555555"
HOUR = 3600


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    with Issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def stranger() -> SigningKey:
    return SigningKey("key-1")


@pytest.fixture
def issuer(running: Issuer) -> Iterator[Issuer]:
    keys = list(running.keys)
    running.asked = 0
    yield running
    running.keys, running.fails = keys, False


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(issuer: Issuer, clock: Clock) -> Tokens:
    return Tokens(configured(issuer), clock)


def configured(issuer: Issuer, **changed: str) -> Settings:
    return Settings.model_validate(issuer.settings | {"ENTRA_PROJECTS": f"oid={OID.upper()}=alice"} | changed)


async def refused(tokens: Tokens, token: str) -> tuple[int, str]:
    with pytest.raises(ApiError) as caught:
        await tokens.project(token)
    assert token not in caught.value.message
    return caught.value.status, caught.value.message


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def test_tokens_of_both_versions_are_accepted(tokens: Tokens, issuer: Issuer):
    assert await tokens.project(issuer.token()) == "alice"
    assert await tokens.project(issuer.token(issuer.first_version())) == "alice"
    assert issuer.asked == 1


@pytest.mark.parametrize(
    ("configured_as", "sent"),
    [
        ("https://ai.azure.com", "https://ai.azure.com/"),
        ("https://ai.azure.com/", "https://ai.azure.com"),
        (f"api://{APP}", APP),
        (f"api://{APP}", f"api://{APP}/"),
        (APP.upper(), f"api://{APP}"),
        (f"api://b, {APP}", APP),
    ],
)
async def test_an_application_is_known_by_its_id_or_address(issuer: Issuer, configured_as: str, sent: str):
    tokens = Tokens(configured(issuer, ENTRA_AUDIENCE=configured_as))
    for claims in (issuer.claims(aud=sent), issuer.first_version(aud=sent)):
        assert await tokens.project(issuer.token(claims)) == "alice"
    for other in (f"{sent.rstrip('/')}x", f"{sent}//", f"/{sent}", ""):
        assert (await refused(tokens, issuer.token(issuer.claims(aud=other))))[0] == 401


async def test_tokens_of_users_and_of_applications_are_accepted(tokens: Tokens, issuer: Issuer):
    assert await tokens.project(issuer.token(issuer.claims(scp="user_impersonation", name="Alice"))) == "alice"
    assert await tokens.project(issuer.token(issuer.claims(idtyp="app", azpacr="1"))) == "alice"


async def test_clocks_may_differ_by_a_minute(tokens: Tokens, issuer: Issuer):
    now = int(time.time())
    assert await tokens.project(issuer.token(issuer.claims(exp=now - 50))) == "alice"
    assert await tokens.project(issuer.token(issuer.claims(nbf=now + 50, iat=now + 50))) == "alice"


@pytest.mark.parametrize(
    "overage",
    [{"hasgroups": True}, {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://x"}}}],
)
async def test_groups_that_a_token_does_not_list_are_not_passed_over(issuer: Issuer, overage: dict[str, Any]):
    tokens = Tokens(configured(issuer, ENTRA_PROJECTS=f"roles=Admin=admins,groups={APP}=team,*=everyone"))
    assert await tokens.project(issuer.token(issuer.claims(groups=[APP]))) == "team"
    assert await tokens.project(issuer.token(issuer.claims(roles=["Admin"], **overage))) == "admins"
    status, message = await refused(tokens, issuer.token(issuer.claims(**overage)))
    assert (status, message.partition(",")[0]) == (403, "The access token does not list the groups of its identity")
    others = Tokens(configured(issuer, ENTRA_PROJECTS="*=everyone"))
    assert await others.project(issuer.token(issuer.claims(**overage))) == "everyone"


WRONG: dict[str, Callable[[Issuer], dict[str, Any]]] = {
    "audience": lambda issuer: issuer.claims(aud="https://graph.microsoft.com"),
    "audiences, of which one is right": lambda issuer: issuer.claims(aud=[AUDIENCE, "https://graph.microsoft.com"]),
    "longer audience": lambda issuer: issuer.claims(aud=f"{AUDIENCE}.example.com"),
    "no audience": lambda issuer: issuer.claims(aud=None),
    "issuer": lambda issuer: issuer.claims(iss=f"https://evil.example.com/{TENANT}/v2.0"),
    "issuer with a space": lambda issuer: issuer.claims(iss=f"{issuer.authority}/{TENANT}/v2.0 "),
    "issuer of version 2 with a slash": lambda issuer: issuer.claims(iss=f"{issuer.authority}/{TENANT}/v2.0/"),
    "issuer of version 1 without its slash": lambda issuer: issuer.claims(iss=f"https://sts.windows.net/{TENANT}"),
    "no issuer": lambda issuer: issuer.claims(iss=None),
    "tenant in the issuer": lambda issuer: issuer.claims(iss=f"{issuer.authority}/{OTHER_TENANT}/v2.0"),
    "tenant in the issuer of version 1": lambda issuer: issuer.first_version(
        iss=f"https://sts.windows.net/{OTHER_TENANT}/"
    ),
    "tenant": lambda issuer: issuer.claims(tid=OTHER_TENANT),
    "no tenant": lambda issuer: issuer.claims(tid=None),
    "expired": lambda issuer: issuer.claims(exp=int(time.time()) - 120),
    "no expiry": lambda issuer: issuer.claims(exp=None),
    "expiry in words": lambda issuer: issuer.claims(exp="never"),
    "not yet valid": lambda issuer: issuer.claims(nbf=int(time.time()) + 300),
    "no beginning": lambda issuer: issuer.claims(nbf=None),
    "no application, as in an ID token": lambda issuer: issuer.claims(azp=None, nonce="x", aud=AUDIENCE),
    "issued in the future": lambda issuer: issuer.claims(iat=int(time.time()) + 300),
}


@pytest.mark.parametrize("claims", WRONG.values(), ids=WRONG)
async def test_a_signed_token_with_a_wrong_claim_is_refused(
    tokens: Tokens, issuer: Issuer, claims: Callable[[Issuer], dict[str, Any]]
):
    assert (await refused(tokens, issuer.token(claims(issuer))))[0] == 401


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ("expired", "it has expired"),
        ("not yet valid", "it is not valid yet"),
        ("audience", "its audience is another service"),
        ("tenant", "its issuer is not the tenant of this service"),
    ],
)
async def test_the_error_says_why(tokens: Tokens, issuer: Issuer, claims: str, why: str):
    assert await refused(tokens, issuer.token(WRONG[claims](issuer))) == (
        401,
        f"The access token is not accepted: {why}.",
    )


FORGED: dict[str, Callable[[Issuer, SigningKey], str]] = {
    "no algorithm": lambda issuer, _: f"{encoded({'alg': 'none', 'kid': 'key-1'})}.{encoded(issuer.claims())}.AA",
    "no algorithm, written otherwise": lambda issuer, _: (
        f"{encoded({'alg': 'nOnE', 'kid': 'key-1'})}.{encoded(issuer.claims())}.AA"
    ),
    "signed with the public key as a secret": lambda issuer, _: hmac_signed(issuer),
    "another algorithm of the right key": lambda issuer, _: jwt.encode(
        issuer.claims(), issuer.keys[0].private, "RS512", {"kid": "key-1"}
    ),
    "padded otherwise": lambda issuer, _: jwt.encode(
        issuer.claims(), issuer.keys[0].private, "PS256", {"kid": "key-1"}
    ),
    "signed with another key": lambda issuer, stranger: issuer.token(key=stranger),
    "another key of its own in jwk": lambda issuer, stranger: issuer.token(
        key=stranger, jwk=stranger.published("https://evil.example.com")
    ),
    "critical extension": lambda issuer, _: issuer.token(crit=["exp"], exp=1),
    "key of another id": lambda issuer, _: issuer.token(kid="key-2"),
    "key without an id": lambda issuer, _: jwt.encode(issuer.claims(), issuer.keys[0].private, "RS256"),
    "key whose id is a path": lambda issuer, _: issuer.token(kid="../../../dev/null"),
    "changed claims": lambda issuer, _: changed(issuer.token(), 1, encoded(issuer.claims(oid=APP))),
    "changed header": lambda issuer, _: changed(
        issuer.token(), 0, encoded({"alg": "RS256", "kid": "key-1", "typ": "at+jwt"})
    ),
    "no signature": lambda issuer, _: changed(issuer.token(), 2, "AA"),
    "signature of another token": lambda issuer, _: changed(
        issuer.token(), 2, issuer.token(issuer.claims(oid=APP)).split(".")[2]
    ),
    "a deep header": lambda issuer, _: changed(issuer.token(), 0, encoded_text("[" * 9000)),
    "a header that is no object": lambda issuer, _: changed(issuer.token(), 0, encoded(["RS256"])),
    "a header that is no JSON": lambda issuer, _: changed(issuer.token(), 0, "AAAA"),
}


def encoded_text(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def changed(token: str, part: int, content: str) -> str:
    parts = token.split(".")
    parts[part] = content
    return ".".join(parts)


def hmac_signed(issuer: Issuer) -> str:
    """A token made by hand, as PyJWT refuses to make it."""
    import hashlib
    import hmac

    signed = f"{encoded({'alg': 'HS256', 'kid': 'key-1'})}.{encoded(issuer.claims())}"
    digest = hmac.new(issuer.keys[0].pem, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
async def test_a_forged_token_is_refused(
    tokens: Tokens, issuer: Issuer, stranger: SigningKey, forge: Callable[[Issuer, SigningKey], str]
):
    assert await tokens.project(issuer.token()) == "alice"
    assert (await refused(tokens, forge(issuer, stranger)))[0] == 401


@pytest.mark.parametrize("header", ["jku", "x5u"])
async def test_no_address_that_a_token_names_is_requested(
    tokens: Tokens, issuer: Issuer, stranger: SigningKey, header: str
):
    with Issuer() as evil:
        evil.keys = [stranger]
        forged = issuer.token(None, stranger, **{header: f"{evil.authority}/{TENANT}/discovery/v2.0/keys"})
        assert (await refused(tokens, forged))[0] == 401
        assert evil.asked == 0


@pytest.mark.parametrize("space", [" ", "\n", "\t", "\r\n", "\x0b", "\u00a0"])
@pytest.mark.parametrize("part", [0, 1, 2])
def test_white_space_in_a_token_makes_it_none(issuer: Issuer, space: str, part: int):
    token = issuer.token()
    parts = token.split(".")
    parts[part] = parts[part][:4] + space + parts[part][4:]
    assert token_in({"authorization": f"Bearer {token}"}) == token
    assert token_in({"authorization": f"Bearer {'.'.join(parts)}"}) is None


@pytest.mark.parametrize(
    "sent",
    [
        "Bearer a.b",
        "Bearer a.b.c.d.e",
        "Bearer ..",
        "Bearer a.b.c=",
        "Basic a.b.c",
        "Bearer",
        "",
        f"Bearer {'a' * 16384}.b.c",
    ],
)
def test_a_text_without_the_form_of_a_token_is_none(sent: str):
    assert token_in({"authorization": sent}) is None


async def test_an_identity_without_a_project_is_refused_as_such(tokens: Tokens, issuer: Issuer):
    assert (await refused(tokens, issuer.token(issuer.claims(oid=APP))))[0] == 403
    assert (await refused(tokens, issuer.token(issuer.claims(oid=None))))[0] == 403


async def test_unknown_keys_cause_one_request_in_a_minute(tokens: Tokens, issuer: Issuer, clock: Clock):
    await asyncio.gather(*(refused(tokens, issuer.token(kid=f"key-{number}x")) for number in range(20)))
    assert issuer.asked == 1
    clock.now += signingkeys.AGAIN - 1
    await refused(tokens, issuer.token(kid="another"))
    assert issuer.asked == 1
    clock.now += 1
    await refused(tokens, issuer.token(kid="another"))
    await refused(tokens, issuer.token(kid="another"))
    assert issuer.asked == 2


async def test_a_new_key_is_fetched_when_a_token_names_it(tokens: Tokens, issuer: Issuer, clock: Clock):
    assert await tokens.project(issuer.token()) == "alice"
    new = SigningKey("key-3")
    issuer.keys = [new]
    assert (await refused(tokens, issuer.token(key=new)))[0] == 401
    clock.now += signingkeys.AGAIN
    assert await tokens.project(issuer.token(key=new)) == "alice"


async def test_a_key_that_is_withdrawn_is_accepted_for_an_hour_at_most(tokens: Tokens, issuer: Issuer, clock: Clock):
    token = issuer.token()
    assert await tokens.project(token) == "alice"
    issuer.keys = [SigningKey("key-3")]
    clock.now += signingkeys.FRESH
    assert await tokens.project(token) == "alice"
    await refused(tokens, issuer.token(kid="wait for the fetch"))
    assert (await refused(tokens, token))[0] == 401


async def test_keys_outlast_an_issuer_that_does_not_answer_for_a_day(tokens: Tokens, issuer: Issuer, clock: Clock):
    token = issuer.token()
    assert await tokens.project(token) == "alice"
    issuer.fails = True
    clock.now += 23 * HOUR
    assert await tokens.project(token) == "alice"
    clock.now += 1 * HOUR
    assert (await refused(tokens, token))[0] == 503


async def test_without_any_keys_the_client_may_retry(tokens: Tokens, issuer: Issuer, clock: Clock):
    issuer.fails = True
    for _ in range(3):
        assert (await refused(tokens, issuer.token()))[0] == 503
    assert issuer.asked == 1
    issuer.fails = False
    clock.now += signingkeys.AGAIN_WITHOUT_KEYS
    assert await tokens.project(issuer.token()) == "alice"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": 1}',
        b'{"keys": [1, {}, {"kid": "key-1", "kty": "RSA", "n": "AA", "e": "!"}]}',
        b"[" * 9000,
    ],
)
async def test_an_answer_without_keys_is_as_none(
    tokens: Tokens, issuer: Issuer, monkeypatch: pytest.MonkeyPatch, answer: bytes
):
    async def download(_: str) -> bytes:
        return answer

    monkeypatch.setattr(signingkeys, "_download", download)
    assert (await refused(tokens, issuer.token()))[0] == 503


@pytest.mark.parametrize(
    "change", [{"use": "enc"}, {"kty": "oct", "k": "AAAA"}, {"issuer": "https://evil.example.com/{tenantid}/v2.0"}]
)
async def test_keys_for_other_uses_are_left_out(
    tokens: Tokens, issuer: Issuer, monkeypatch: pytest.MonkeyPatch, change: dict[str, str]
):
    good = SigningKey("key-3")
    name = f"{issuer.authority}/{TENANT}/v2.0"

    async def download(_: str) -> bytes:
        return json.dumps({"keys": [good.published(name), issuer.keys[0].published(name) | change]}).encode()

    monkeypatch.setattr(signingkeys, "_download", download)
    assert await tokens.project(issuer.token(key=good)) == "alice"
    assert (await refused(tokens, issuer.token()))[0] == 401
