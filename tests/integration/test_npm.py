import base64
import datetime as dt
import hashlib
import io
import ipaddress
import json
import os
import socket
import ssl
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from assistants.local import npm

STRICT = """
import json, os, pathlib, sys
if "--use-system-ca" in os.environ.get("NODE_OPTIONS", ""):
    sys.exit("node: --use-system-ca is not allowed in NODE_OPTIONS")
if "install" in sys.argv:
    pathlib.Path(sys.argv[sys.argv.index("--prefix") + 1], "installed").write_text("yes")
"""
"""An npm on a Node.js that does not know the option."""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1, with its key, not signed by a certificate authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "The machine's own authority")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def registry(certificate: Path) -> Iterator[str]:
    """A registry with one package, `small@1.0.0`, over https with that certificate."""
    packed = io.BytesIO()
    manifest = {"name": "small", "version": "1.0.0"}
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        entry, content = tarfile.TarInfo("package/package.json"), json.dumps(manifest).encode()
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            integrity = "sha512-" + base64.b64encode(hashlib.sha512(packed.getvalue()).digest()).decode()
            version = {**manifest, "dist": {"tarball": f"{url}/small.tgz", "integrity": integrity}}
            about = {"name": "small", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
            body = packed.getvalue() if self.path.endswith(".tgz") else json.dumps(about).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *args: object) -> None:
            pass  # a client that refuses the certificate

    with Server(("127.0.0.1", 0), Handler) as server:
        url = f"https://127.0.0.1:{server.server_port}"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield url
        server.shutdown()


@pytest.fixture(autouse=True)
def nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore this machine's own certificates, proxies and configuration of npm."""
    for name in os.environ:
        if name.upper().startswith(("NPM_CONFIG_", "NODE_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY")):
            monkeypatch.delenv(name)
    for name in ("userconfig", "globalconfig", "cache"):
        monkeypatch.setenv(f"npm_config_{name}", str(tmp_path / name))


def has_small(folder: Path) -> bool:
    return (folder / "node_modules" / "small" / "package.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the certificates of other systems are not in files")
def test_a_certificate_that_the_machine_trusts_is_enough(
    tmp_path: Path, registry: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("npm_config_registry", registry)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    npm.install(tmp_path / "here", "small@1.0.0")
    assert has_small(tmp_path / "here")


def test_an_untrusted_certificate_is_refused_with_advice(
    tmp_path: Path, registry: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("npm_config_registry", registry)
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(npm.NpmError, match=r"could not install small@1\.0\.0(.|\n)*NODE_EXTRA_CA_CERTS"):
        npm.install(tmp_path / "here", "small@1.0.0")
    assert "certificate" in capfd.readouterr().err
    assert not has_small(tmp_path / "here")


def test_a_registry_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(npm.NpmError, match=r"not install small@1\.0\.0 within 1 s(.|\n)*HTTPS_PROXY"):
            npm.install(tmp_path / "here", "small@1.0.0", timeout=1)


def test_a_node_that_does_not_know_the_option_is_not_given_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(npm, "command", lambda: [sys.executable, "-c", STRICT])
    npm.install(tmp_path, "small@1.0.0")
    assert (tmp_path / "installed").exists()


def test_options_for_node_that_are_set_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    program = "import os, sys; 'install' in sys.argv and print(os.environ['NODE_OPTIONS'])"
    monkeypatch.setenv("NODE_OPTIONS", "--max-old-space-size=512")
    monkeypatch.setattr(npm, "command", lambda: [sys.executable, "-c", program])
    npm.install(tmp_path, "small@1.0.0")
    assert capfd.readouterr().out.split() == ["--max-old-space-size=512", "--use-system-ca"]
