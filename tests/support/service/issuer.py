"""An issuer of access tokens: it publishes its keys by HTTP as Entra ID does, and signs valid and invalid tokens."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

TENANT = "11111111-2222-4333-8444-555555555555"
AUDIENCE = "https://ai.azure.com"
OID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
APP = "99999999-8888-4777-8666-555555555555"

Json = dict[str, Any]


class SigningKey:
    """A pair of keys with an id."""

    def __init__(self, kid: str) -> None:
        self.kid = kid
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def pem(self) -> bytes:
        """The public key, in PEM."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def published(self, issuer: str) -> Json:
        numbers = self.private.public_key().public_numbers()
        return {
            "kty": "RSA", "use": "sig", "kid": self.kid, "x5t": self.kid, "issuer": issuer,
            "n": _base64(numbers.n), "e": _base64(numbers.e), "x5c": ["not looked at"],
        }  # fmt: skip


class Issuer:
    """A context manager; `authority` is its address, and `asked` the number of requests for keys so far."""

    def __init__(self) -> None:
        self.keys = [SigningKey("key-1")]
        self.asked = 0
        self.fails = False
        handler = type("Handler", (_Handler,), {"issuer": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.authority = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a service that accepts its tokens, except for projects."""
        return {"ENTRA_TENANT": TENANT, "ENTRA_AUTHORITY": self.authority}

    def claims(self, **changed: Any) -> Json:
        """The claims of a token of version 2; a claim that is None is left out."""
        now = int(time.time())
        claims: Json = {
            "aud": AUDIENCE, "iss": f"{self.authority}/{TENANT}/v2.0", "tid": TENANT, "ver": "2.0", "oid": OID,
            "azp": APP, "iat": now, "nbf": now, "exp": now + 3600,
        }  # fmt: skip
        return {name: value for name, value in (claims | changed).items() if value is not None}

    def first_version(self, **changed: Any) -> Json:
        """The claims of a token of version 1."""
        return self.claims(
            **{"iss": f"https://sts.windows.net/{TENANT}/", "ver": "1.0", "azp": None, "appid": APP} | changed
        )

    def token(self, claims: Json | None = None, key: SigningKey | None = None, **headers: Any) -> str:
        key = key or self.keys[0]
        return jwt.encode(claims or self.claims(), key.private, "RS256", {"kid": key.kid, **headers})


class _Handler(BaseHTTPRequestHandler):
    issuer: Issuer

    def do_GET(self) -> None:
        issuer = self.issuer
        issuer.asked += 1
        found = self.path == f"/{TENANT}/discovery/v2.0/keys" and not issuer.fails
        name = f"{issuer.authority}/{{tenantid}}/v2.0"
        content = json.dumps({"keys": [key.published(name) for key in issuer.keys]}).encode() if found else b""
        self.send_response(200 if found else 503)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:  # type: ignore[override]
        pass


def _base64(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8)).rstrip(b"=").decode()
