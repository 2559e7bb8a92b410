"""`python -m tests.node.packages`: installs the versions of openai-node that tests run, beside the Python packages."""

import subprocess
import sys
from pathlib import Path

from assistants.local import azurite

VERSIONS = ("4.16.2", "4.104.0", "7.57.0")
"""The first one with assistants, the last of the first generation, and the current one."""

_ROOT = Path(sys.prefix) / "node"


def folder(version: str) -> Path:
    """Where a version is, or would be, with its `node_modules`."""
    return _ROOT / version


def installed(version: str) -> bool:
    return (folder(version) / "node_modules" / "openai" / "package.json").exists()


def install(version: str) -> None:
    """
    Raises
    ------
    subprocess.CalledProcessError
        npm failed, and printed why.
    """
    folder(version).mkdir(parents=True, exist_ok=True)
    options = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    command = [*azurite.npm(), "install", "--prefix", str(folder(version)), f"openai@{version}", *options]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    for each in VERSIONS:
        if not installed(each):
            install(each)
