"""Every citation of docs/contract.md names a section that the document has."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service.processes import ROOT

CONTRACT = ROOT / "docs" / "contract.md"

_NUMBER = r"\d+(?:\.\d+)*"
_LIST = rf"({_NUMBER}(?:(?:,\s+|\s+and\s+|\s+to\s+){_NUMBER})*)"
_HEADING = re.compile(rf"^#{{2,3}} ({_NUMBER})\.? \S", re.MULTILINE)
_CITATION = re.compile(rf"\bcontract,\s+{_LIST}")
_INSIDE = re.compile(rf"\bsections? {_LIST}")
_OTHER_FORM = re.compile(rf"\bcontract\b(?!,\s+\d)[^\n.]*?(?:\bsections?\s+\d|\({_NUMBER}[,)])")


def sections(text: str) -> list[str]:
    """The numbers of the headings."""
    return _HEADING.findall(text)


def cited(pattern: re.Pattern[str], text: str) -> list[str]:
    """The numbers in all citations of a text; of a range its two ends."""
    return [number for listed in pattern.findall(text) for number in re.findall(_NUMBER, listed)]


def citing_files() -> Iterator[Path]:
    """Code, documents and the tests' data, without this module, which has citations as examples."""
    for folder, kinds in (
        ("assistants", "py"), ("tests", "py yaml"), ("benchmarks", "py"), ("examples", "py"), ("docs", "md"),
    ):  # fmt: skip
        for kind in kinds.split():
            yield from (path for path in (ROOT / folder).rglob(f"*.{kind}") if path != Path(__file__).resolve())
    yield from (ROOT / name for name in ("function_app.py", "README.md"))


FILES = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in citing_files()}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Runs (contract, 4 and 4.1).", ["4", "4.1"]),
        ("made (contract, 1.2, 3).", ["1.2", "3"]),
        ("the text (contract, 1 to 4, 6.3 and 8).", ["1", "4", "6.3", "8"]),
        ("the table of the contract, 4.1.", ["4.1"]),
        ("an order (contract,\n    11.10)", ["11.10"]),
        ("as the contract says, 3 times", []),
    ],
)
def test_citations_are_read(text: str, numbers: list[str]):
    assert cited(_CITATION, text) == numbers


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("after the contract's section 8", True),
        ("as the contract has it (7.5)", True),
        ("the catalogue (contract, 8)", False),
        ("the contract allows it", False),
    ],
)
def test_another_form_of_a_citation_is_detected(text: str, other: bool):
    assert bool(_OTHER_FORM.search(text)) is other


def test_every_citation_names_a_section_of_the_contract():
    known = set(sections(CONTRACT.read_text("utf-8")))
    missing = {name: wrong for name, text in FILES.items() if (wrong := set(cited(_CITATION, text)) - known)}
    assert missing == {}


def test_citations_have_one_form():
    assert {name: found[0] for name, text in FILES.items() if (found := _OTHER_FORM.search(text))} == {}


def test_the_citations_are_found():
    found = [number for text in FILES.values() for number in cited(_CITATION, text)]
    assert len(found) > 100
    assert {"0", "4.1", "7", "8", "11.10", "13"} <= set(found)


def test_the_contract_numbers_each_section_once_and_refers_to_its_own():
    text = CONTRACT.read_text("utf-8")
    numbers = sections(text)
    assert len(numbers) == len(set(numbers))
    assert [number.split(".")[0] for number in numbers if "." not in number] == [str(n) for n in range(15)]
    assert set(cited(_INSIDE, text)) <= set(numbers)
