from tests.support.imports import ROOT
from tests.unit.settings_table import settings_table

PAGE = ROOT / "docs" / "settings.md"
BEGIN, END = "<!-- settings -->\n", "<!-- /settings -->"


def test_the_page_lists_every_setting_with_its_names_and_default():
    _, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    table, end, _ = rest.partition(END)
    assert (begin, end) == (BEGIN, END)
    assert table.strip() == settings_table().strip()


def test_the_table_has_the_purpose_of_every_setting():
    rows = [row.strip("| ").split(" | ") for row in settings_table().splitlines()[2:]]
    assert all(len(row) == 3 and all(row) for row in rows)
    assert "None" not in settings_table()
