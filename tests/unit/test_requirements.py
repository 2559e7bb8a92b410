"""requirements.lock, from which `make setup` installs, agrees with the requirements."""

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.imports import ROOT

PYTHONS = ("3.11.9", "3.12.9", "3.13.9", "3.14.0")


def lines(name: str) -> list[str]:
    """The lines of a file, with continued ones joined."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def requirements(name: str) -> list[Requirement]:
    """The requirements of a file, with those of the files that it includes."""
    found: list[Requirement] = []
    for line in lines(name):
        if line.startswith("-r "):
            found += requirements(line.removeprefix("-r "))
        else:
            found.append(Requirement(line.partition("--hash")[0]))
    return found


LOCKED = requirements("requirements.lock")


def locked(python: str) -> dict[str, str]:
    """The version of each package on a version of Python."""
    environment = {"python_full_version": python, "python_version": python.rpartition(".")[0], "sys_platform": "linux"}
    held = [each for each in LOCKED if each.marker is None or each.marker.evaluate(environment)]
    versions: dict[str, str] = {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in held}
    assert len(versions) == len(held)
    return versions


@pytest.mark.parametrize("python", PYTHONS)
def test_a_required_package_is_locked_to_one_version_that_is_asked_for(python: str):
    versions = locked(python)
    for asked in requirements("requirements-dev.txt"):
        assert asked.specifier.contains(versions[canonicalize_name(asked.name)]), asked


def test_a_deployment_installs_no_older_version_than_the_tested_one():
    versions = locked(PYTHONS[0])
    for asked in requirements("requirements.txt"):
        oldest = max(Version(each.version) for each in asked.specifier if each.operator in (">=", "~=", "=="))
        tested = Version(versions[canonicalize_name(asked.name)])
        kept = 3 if tested.release[:2] == (0, 0) else 2  # a patch may be older
        assert oldest.release[:kept] == tested.release[:kept], asked


def test_the_scripts_of_the_pages_are_of_one_version():
    (pinned,) = [each for each in requirements("requirements.txt") if each.name == "fastapi-swagger"]
    assert [each.operator for each in pinned.specifier] == ["=="]


def test_a_package_is_locked_to_a_version_and_its_hashes_and_names_no_registry():
    assert [str(each) for each in LOCKED if not re.fullmatch(r"==[0-9][0-9a-z.]*", str(each.specifier))] == []
    assert [line for line in lines("requirements.lock") if not re.search(r" --hash=sha256:[0-9a-f]{64}\b", line)] == []
    assert "://" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")
