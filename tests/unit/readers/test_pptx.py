"""Slide shows: the texts of slides, of their charts and diagrams, and of their notes."""

import pptx
import pytest
from pptx.util import Inches

from assistants.ingestion.readers.errors import Invalid
from assistants.ingestion.readers.registry import read
from tests.support.files import saved
from tests.support.office import element, packed, shape, show

GREETING = "Grüße from 東京"


def lines(content: bytes) -> list[str]:
    return read("a.pptx", content).split("\n")


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


def test_slides_are_in_the_order_of_the_show():
    assert lines(show(shape("one"), shape("two"))) == ["one", "", "two"]


def test_numbers_of_slides_are_no_text_and_nor_are_the_other_placeholders_of_notes():
    notes = "".join(shape(kind, kind) for kind in ("sldImg", "body", "sldNum", "dt", "hdr", "ftr"))
    slide = shape("title", "title") + shape("7", "sldNum") + shape("foot", "ftr")
    assert lines(show(slide, parts={"notesSlide": element("p:notes", notes)})) == ["title", "foot", "body"]


def test_comments_follow_their_slide():
    comments = element("p:cmLst", "<p:cm><p:text>first</p:text></p:cm><p:cm><p:text>second</p:text></p:cm>")
    assert lines(show(shape("slide"), parts={"comments": comments})) == ["slide", "first", "second"]


def test_a_diagram_is_read_in_the_order_of_its_connections():
    def point(name: str, text: str) -> str:
        return f"<dgm:pt modelId='{name}'><dgm:t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></dgm:t></dgm:pt>"

    points = "".join(
        point(name, text) for name, text in {"d": "", "2": "second", "1": "first", "3": "under first"}.items()
    )
    connected = (("d", 1, "2"), ("d", 0, "1"), ("1", 0, "3"), ("3", 0, "1"))  # the last one makes a cycle
    connections = "".join(
        f"<dgm:cxn srcId='{source}' srcOrd='{order}' destId='{to}'/>" for source, order, to in connected
    )
    data = element("dgm:dataModel", f"<dgm:ptLst>{points}</dgm:ptLst><dgm:cxnLst>{connections}</dgm:cxnLst>")
    slide = shape("before") + "<p:graphicFrame><dgm:relIds r:dm='diagramData'/></p:graphicFrame>" + shape("after")
    assert lines(show(slide, parts={"diagramData": data})) == ["before", "first", "under first", "second", "after"]


def test_a_chart_has_its_titles_its_categories_once_and_each_series():
    def cached(column: str, *values: str) -> str:
        points = "".join(f"<c:pt><c:v>{value}</c:v></c:pt>" for value in values)
        return f"<c:{column}><c:strRef><c:f>Sheet1!A1</c:f><c:strCache>{points}</c:strCache></c:strRef></c:{column}>"

    def series(name: str, *values: str) -> str:
        return f"<c:ser>{cached('tx', name)}{cached('cat', 'east', 'west')}{cached('val', *values)}</c:ser>"

    title = (
        "<c:title><c:tx><c:rich><a:p><a:r><a:t>Sp</a:t></a:r><a:r><a:t>ires</a:t></a:r></a:p></c:rich></c:tx></c:title>"
    )
    bars = f"<c:barChart>{series('2024', '1', '0.30000000000000004')}{series('2025', '3', '4')}</c:barChart>"
    chart = element("c:chartSpace", f"<c:chart>{title}<c:plotArea>{bars}</c:plotArea></c:chart>")
    slide = shape("before") + "<p:graphicFrame><c:chart r:id='chart'/></p:graphicFrame>" + shape("after")
    assert lines(show(slide, parts={"chart": chart})) == [
        "before", "Spires", "east | west", "2024 | 1 | 0.3", "2025 | 3 | 4", "after",
    ]  # fmt: skip


def test_a_missing_slide_is_ignored():
    related = {"ppt/presentation.xml": element("p:presentation", "<p:sldIdLst><p:sldId r:id='gone'/></p:sldIdLst>")}
    with pytest.raises(Invalid, match="no text"):
        read("a.pptx", packed(related))


def test_another_kind_of_package_is_no_presentation():
    with pytest.raises(Invalid, match="no PowerPoint"):
        read("a.pptx", packed({"ppt/presentation.xml": element("w:document", "")}))
