"""Slide shows."""

import pptx
from pptx.util import Inches

from assistants.ingestion.readers.registry import read
from tests.support.files import saved

GREETING = "Grüße from 東京"


def test_slides_have_texts_groups_tables_and_notes():
    presentation = pptx.Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[5])
    assert slide.shapes.title is not None
    slide.shapes.title.text = "Spires"
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(Inches(0), Inches(0), Inches(1), Inches(1)).text_frame.text = GREETING
    table = slide.shapes.add_table(1, 2, 0, 0, Inches(2), Inches(1)).table  # type: ignore[attr-defined]
    table.cell(0, 0).text, table.cell(0, 1).text = "Strasbourg", "142 m"
    notes = slide.notes_slide.notes_text_frame
    assert notes is not None
    notes.text = "Do not forget Ulm."
    presentation.slides.add_slide(presentation.slide_layouts[6])
    text = read("a.pptx", saved(presentation))
    assert text.strip().split("\n") == ["Spires", GREETING, "Strasbourg | 142 m", "Do not forget Ulm."]
