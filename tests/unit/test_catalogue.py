"""Tests name each row of the catalogue of errors (contract, 8) and each rule of the thread lock (contract, 4.2)."""

import re

import pytest
import yaml

from tests.support.reference.document import DATA
from tests.support.service.processes import ROOT

ROWS = yaml.safe_load((DATA / "catalogue.yaml").read_text("utf-8"))
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
}


@pytest.mark.parametrize(
    "names",
    [pytest.param(names, id=row) for rows in ROWS.values() for row, names in rows.items() if isinstance(names, list)],
)
def test_a_row_is_named_by_tests_that_exist(names: list[str]):
    assert set(names) <= TESTS


def test_the_rows_are_those_of_the_contract():
    _, _, section = (ROOT / "docs" / "contract.md").read_text("utf-8").partition("## 8. ")
    table = section.partition("\n## ")[0]
    assert [row for row in re.findall(r"^\| ([^|]+) \| ", table, re.MULTILINE) if row != "case"] == list(ROWS["errors"])
