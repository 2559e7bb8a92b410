"""The imports of source files, read without running them."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = "assistants"


def imported(source: Path) -> Iterator[str]:
    """The modules that a file imports, at any place in it."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{source} imports relatively"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if _source(f"{node.module}.{alias.name}"))


def reachable(start: Path) -> dict[str, Path]:
    """This project's modules that a file imports, directly or through others."""
    found: dict[str, Path] = {}
    waiting = [start]
    while waiting:
        for module in imported(waiting.pop()):
            source = _source(module)
            if source is not None and module not in found:
                found[module] = source
                waiting.append(source)
    return found


def owners(modules: Iterable[str]) -> dict[str, Distribution]:
    """The distributions of modules of other projects, by their normalised names.

    Raises
    ------
    KeyError
        A module belongs to no installed distribution.
    """
    found = [_installed()[module] for module in modules]
    return {normalised(owner.metadata["Name"]): owner for owner in found}


def normalised(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


@cache
def _installed() -> dict[str, Distribution]:
    """Every installed module; `packages_distributions` does not know which distribution has which part of `azure`."""
    return {
        ".".join(file.with_suffix("").parts).removesuffix(".__init__"): owner
        for owner in distributions()
        for file in owner.files or ()
        if file.suffix in (".py", ".pyi")  # a compiled module has only its stub
    }


def _source(module: str) -> Path | None:
    """The file of a module of this project."""
    if module.partition(".")[0] != OURS:
        return None
    path = ROOT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)
