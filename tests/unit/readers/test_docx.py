"""Word documents."""

import docx

from assistants.ingestion.readers.registry import read
from tests.support.files import saved

GREETING = "Grüße from 東京"


def test_paragraphs_and_tables_of_a_word_document_are_in_their_order():
    document = docx.Document()
    document.add_heading("Spires")
    document.add_paragraph("Before the table.")
    table = document.add_table(rows=2, cols=3)
    for row, cells in zip(table.rows, (("City", "Height", "Year"), ("Strasbourg", "142 m", "1439")), strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    table.add_row().cells[0].merge(table.rows[2].cells[2]).text = "A note over all columns"
    document.add_paragraph(f"After it. {GREETING}")
    assert read("a.docx", saved(document)).split("\n") == [
        "Spires",
        "Before the table.",
        "City | Height | Year",
        "Strasbourg | 142 m | 1439",
        "A note over all columns",
        "",
        f"After it. {GREETING}",
    ]
