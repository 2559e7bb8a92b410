"""`python -m tests.node.packages`: installs the packages for Node.js that tests run, beside the Python packages."""

import sys
from pathlib import Path

from assistants.local import npm

VERSIONS = ("4.16.2", "4.104.0", "7.57.0")
"""Versions of openai-node: the first one with assistants, the last of the first generation, and the current one."""

SIGNALR = ("8.0.7", "10.0.11")
"""Versions of @microsoft/signalr: that of .NET 8, and the current one."""

TYPESCRIPT, AXE = "7.0.2", "4.14.1"
"""Versions of typescript, which checks the playground's modules, and of axe-core, which checks its page."""

AGENTS = "1.1.0"
"""The version of @azure/ai-agents."""

_ROOT = Path(sys.prefix) / "node"


def folder(version: str) -> Path:
    """The folder of a version of openai-node, with its `node_modules`."""
    return _ROOT / version


def signalr(version: str) -> Path:
    """The folder of a version of @microsoft/signalr."""
    return _ROOT / f"signalr-{version}"


def tool(name: str, version: str) -> Path:
    """The folder of another package, whether it is installed or not."""
    return _ROOT / f"{name}-{version}" / "node_modules" / name


def agents() -> Path:
    """The folder of @azure/ai-agents, with its `node_modules`."""
    return _ROOT / f"agents-{AGENTS}"


def has_agents() -> bool:
    return (agents() / "node_modules" / "@azure" / "ai-agents" / "package.json").exists()


def installed(version: str) -> bool:
    return (folder(version) / "node_modules" / "openai" / "package.json").exists()


def has_signalr(version: str) -> bool:
    return (signalr(version) / "node_modules" / "@microsoft" / "signalr" / "package.json").exists()


if __name__ == "__main__":
    missing = [(folder(each), f"openai@{each}") for each in VERSIONS if not installed(each)]
    missing += [(signalr(each), f"@microsoft/signalr@{each}") for each in SIGNALR if not has_signalr(each)]
    missing += [
        (tool(name, version).parents[1], f"{name}@{version}")
        for name, version in (("typescript", TYPESCRIPT), ("axe-core", AXE))
        if not tool(name, version).exists()
    ]
    missing += [] if has_agents() else [(agents(), f"@azure/ai-agents@{AGENTS}")]
    if missing:
        print(f"Installing {', '.join(package for _, package in missing)} by npm ...", flush=True)
    try:
        for where, package in missing:
            npm.install(where, package, "--no-package-lock")
    except npm.NpmError as error:
        sys.exit(str(error))
