"""Each row of the contract's catalogue of errors, and each rule of its thread lock, is named by a test."""

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
