"""The order of the lines of a page."""

from collections.abc import Sequence

from assistants.ingestion.readers.columns import Line, Piece, in_order

FOUR = "four words in it"


def page(*rows: Sequence[tuple[float, str]], leading: float = 12) -> list[Line]:
    """Lines of pieces, given by their left sides; letters are 10 points high and 5 wide."""
    return [
        [Piece(text, left, left + 5 * len(text), 800 - leading * number, 10) for left, text in row]
        for number, row in enumerate(rows)
    ]


def test_columns_are_read_one_after_the_other():
    rows = [[(0, f"left {FOUR} {n}"), (200, f"middle {FOUR} {n}"), (400, f"right {FOUR} {n}")] for n in range(3)]
    wanted = [f"{side} {FOUR} {n}" for side in ("left", "middle", "right") for n in range(3)]
    assert list(in_order(page(*rows))) == wanted


def test_a_column_may_be_longer_than_the_other():
    rows = [[(0, f"left {FOUR}"), (200, f"right {FOUR}")]] * 3 + [[(200, "and on")]]
    assert list(in_order(page(*rows))) == [f"left {FOUR}"] * 3 + [f"right {FOUR}"] * 3 + ["and on"]


def test_a_line_across_the_page_ends_the_columns():
    both = [(0, f"left {FOUR}"), (200, f"right {FOUR}")]
    across = [(0, "a line that goes all across the page and over the gap in the middle of it")]
    found = list(in_order(page(across, both, both, both, across, both, both, both)))
    assert found == [across[0][1], *[f"left {FOUR}"] * 3, *[f"right {FOUR}"] * 3] * 2


def test_a_table_is_read_row_by_row():
    rows = [[(0, "Strasbourg"), (200, "142 m"), (400, "1439")]] * 4
    assert list(in_order(page(*rows))) == ["Strasbourg 142 m 1439"] * 4


def test_lines_that_are_far_apart_are_no_column():
    rows = [[(0, f"left {FOUR}"), (200, f"right {FOUR}")]] * 4
    assert list(in_order(page(*rows, leading=40))) == [f"left {FOUR} right {FOUR}"] * 4


def test_two_lines_are_no_columns():
    rows = [[(0, f"left {FOUR}"), (200, f"right {FOUR}")]] * 2
    assert list(in_order(page(*rows))) == [f"left {FOUR} right {FOUR}"] * 2
