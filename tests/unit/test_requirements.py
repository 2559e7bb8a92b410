"""The constraints, by which `make setup` installs, are those of the requirements."""

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.imports import ROOT

PYTHONS = ("3.11.9", "3.12.9", "3.13.9", "3.14.0")


def requirements(name: str) -> list[Requirement]:
    """The requirements of a file, with those of the files that it includes."""
    found: list[Requirement] = []
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            found += requirements(line.removeprefix("-r "))
        elif line and not line.startswith("#"):
            found.append(Requirement(line))
    return found


CONSTRAINTS = requirements("constraints.txt")


@pytest.mark.parametrize("python", PYTHONS)
def test_a_required_package_is_held_to_one_version_that_is_asked_for(python: str):
    environment = {"python_full_version": python, "python_version": python.rpartition(".")[0], "sys_platform": "linux"}
    held = [each for each in CONSTRAINTS if each.marker is None or each.marker.evaluate(environment)]
    versions = {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in held}
    assert len(versions) == len(held)
    for asked in requirements("requirements-dev.txt"):
        assert asked.specifier.contains(versions[canonicalize_name(asked.name)]), asked


def test_a_constraint_is_a_version_and_names_no_registry():
    lines = [str(each).partition(";")[0].strip() for each in CONSTRAINTS]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line)] == []
    assert "://" not in (ROOT / "constraints.txt").read_text(encoding="utf-8")
