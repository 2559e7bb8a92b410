"""The files that a filter chooses (contract, 6.3)."""

from typing import Any

import pytest

from assistants.search.filters import matches

FILE: Any = {"year": 2024, "ratio": 0.5, "open": True, "author": "Erwin"}


def compare(kind: str, key: str, value: Any) -> Any:
    return {"type": kind, "key": key, "value": value}


@pytest.mark.parametrize(
    ("kind", "key", "value", "expected"),
    [
        ("eq", "year", 2024, True),
        ("eq", "year", 2024.0, True),
        ("eq", "year", "2024", False),
        ("eq", "open", True, True),
        ("eq", "open", 1, False),
        ("eq", "missing", "x", False),
        ("ne", "author", "Erwin", False),
        ("ne", "author", "Ervin", True),
        ("ne", "open", 1, True),
        ("ne", "missing", "x", True),
        ("gt", "year", 2023.5, True),
        ("gt", "year", 2024, False),
        ("gte", "year", 2024, True),
        ("lt", "ratio", 1, True),
        ("lte", "ratio", 0.5, True),
        ("lt", "author", "Fritz", True),
        ("gt", "author", 5, False),
        ("lt", "missing", 5, False),
        ("gte", "open", True, False),
        ("in", "year", [2023, 2024], True),
        ("in", "author", ["Otto"], False),
        ("in", "author", "Erwin", True),
        ("in", "year", [], False),
        ("nin", "author", ["Otto"], True),
        ("nin", "author", ["Otto", "Erwin"], False),
        ("nin", "missing", ["Otto"], True),
    ],
)
def test_one_attribute_is_compared(kind: str, key: str, value: Any, expected: bool):
    assert matches(compare(kind, key, value), FILE) is expected


def test_filters_are_combined_and_nest():
    old, erwin = compare("lt", "year", 2000), compare("eq", "author", "Erwin")
    assert not matches({"type": "and", "filters": [old, erwin]}, FILE)
    assert matches({"type": "or", "filters": [old, erwin]}, FILE)
    assert matches({"type": "and", "filters": [erwin, {"type": "or", "filters": [old, erwin]}]}, FILE)


def test_all_of_no_filters_hold_and_none_of_them():
    assert matches({"type": "and", "filters": []}, FILE)
    assert not matches({"type": "or", "filters": []}, FILE)


def test_without_a_filter_every_file_is_searched():
    assert matches(None, {})
