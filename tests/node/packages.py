"""`python -m tests.node.packages`: installs the versions of openai-node that tests run, beside the Python packages."""

import sys
from pathlib import Path

from assistants.local import npm

VERSIONS = ("4.16.2", "4.104.0", "7.57.0")
"""The first one with assistants, the last of the first generation, and the current one."""

_ROOT = Path(sys.prefix) / "node"


def folder(version: str) -> Path:
    """The folder of a version, with its `node_modules`."""
    return _ROOT / version


def installed(version: str) -> bool:
    return (folder(version) / "node_modules" / "openai" / "package.json").exists()


if __name__ == "__main__":
    missing = [each for each in VERSIONS if not installed(each)]
    if missing:
        print(f"Installing openai-node {', '.join(missing)} by npm ...", flush=True)
    try:
        for each in missing:
            npm.install(folder(each), f"openai@{each}", "--no-package-lock")
    except npm.NpmError as error:
        sys.exit(str(error))
