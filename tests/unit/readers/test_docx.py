"""Word documents: the visible text of their pages, in its order."""

from io import BytesIO
from zipfile import ZipFile

import docx
import pytest

from assistants.ingestion.readers.errors import Invalid
from assistants.ingestion.readers.registry import read
from tests.support.files import saved
from tests.support.office import element, packed, paragraph, word

GREETING = "Grüße from 東京"


def lines(content: bytes) -> list[str]:
    return read("a.docx", content).split("\n")


def run(text: str) -> str:
    return f"<w:r><w:t>{text}</w:t></w:r>"


def term(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


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
    assert lines(saved(document)) == [
        "Spires",
        "Before the table.",
        "City | Height | Year",
        "Strasbourg | 142 m | 1439",
        "A note over all columns",
        "",
        f"After it. {GREETING}",
    ]


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        (f"<w:sdt><w:sdtPr><w:alias/></w:sdtPr><w:sdtContent>{run('control')}</w:sdtContent></w:sdt>", "control"),
        (f"<w:ins>{run('new')}</w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del>", "new"),
        (f"<w:moveFrom>{run('gone')}</w:moveFrom><w:moveTo>{run('here')}</w:moveTo>", "here"),
        (f"<w:fldSimple w:instr='PAGE'>{run('7')}</w:fldSimple>", "7"),
        (f"<w:r><w:instrText>PAGE</w:instrText></w:r>{run('7')}", "7"),
        (f"<w:smartTag>{run('Ulm')}</w:smartTag>", "Ulm"),
        (f"<w:hyperlink r:id='x'>{run('link')}</w:hyperlink>", "link"),
        (f"<w:r><w:ruby><w:rt>{run('とう')}</w:rt><w:rubyBase>{run('東')}</w:rubyBase></w:ruby></w:r>", "東"),
        ("<w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t><w:noBreakHyphen/><w:t>d</w:t></w:r>", "a\tb\nc-d"),
        (f"<w:pPr><w:tabs><w:tab/></w:tabs></w:pPr>{run('a')}", "a"),
        ("<w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r>" + run("seen"), "seen"),
        ("<w:r><w:rPr><w:vanish w:val='0'/></w:rPr><w:t>seen</w:t></w:r>", "seen"),
        (
            f"<m:oMath><m:f><m:num>{term('a')}</m:num><m:den>{term('b')}</m:den></m:f>{term('x')}<m:sup>{term('2')}</m:sup></m:oMath>",
            "a/bx^2",
        ),
    ],
)
def test_visible_parts_of_a_line_are_read(inner: str, text: str):
    assert read("a.docx", word(f"<w:p>{inner}</w:p>")) == text


def test_content_controls_hold_paragraphs_rows_and_cells():
    def control(inner: str) -> str:
        return f"<w:sdt><w:sdtContent>{inner}</w:sdtContent></w:sdt>"

    cell = f"<w:tc>{control(paragraph('one'))}</w:tc>"
    other = f"<w:tc>{paragraph('two')}</w:tc>"
    row = control(f"<w:tr>{cell}{control(other)}</w:tr>")
    assert lines(word(control(control(paragraph("cover"))) + f"<w:tbl>{row}</w:tbl>")) == ["cover", "one | two", ""]


def test_a_text_box_is_read_once_after_its_paragraph():
    box = f"<w:txbxContent>{paragraph('boxed')}{paragraph('lines')}</w:txbxContent>"
    both = f"<mc:AlternateContent><mc:Choice Requires='wps'>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
    body = f"<w:p>{run('be')}<w:r>{both}</mc:AlternateContent></w:r>{run('fore')}</w:p>{paragraph('after')}"
    assert lines(word(body)) == ["before", "boxed", "lines", "after"]
    alone = f"<mc:AlternateContent><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent>"
    assert lines(word(f"<w:p><w:r>{alone}</w:r></w:p>")) == ["", "boxed", "lines"]


def test_tables_in_tables_are_part_of_their_cell_and_deleted_rows_are_not_read():
    inner = f"<w:tbl><w:tr><w:tc>{paragraph('a')}</w:tc><w:tc>{paragraph('b')}</w:tc></w:tr></w:tbl>"
    deleted = f"<w:tr><w:trPr><w:del/></w:trPr><w:tc>{paragraph('old')}</w:tc></w:tr>"
    row = f"<w:tr><w:trPr><w:ins/></w:trPr><w:tc>{inner}</w:tc><w:tc>{paragraph('c')}</w:tc></w:tr>"
    assert lines(word(f"<w:tbl>{row}{deleted}</w:tbl>")) == ["a | b | c", ""]


def test_parts_beside_the_body_are_read_once():
    parts = {
        "header1": element("w:hdr", paragraph("head")),
        "header2": element("w:hdr", paragraph("head")),
        "footer": element("w:ftr", paragraph("foot")),
        "footnotes": element("w:footnotes", f"<w:footnote w:id='1'>{paragraph('note')}</w:footnote>"),
        "endnotes": element("w:endnotes", f"<w:endnote w:id='1'>{paragraph('last note')}</w:endnote>"),
        "comments": element("w:comments", f"<w:comment w:id='1'>{paragraph('comment')}</w:comment>"),
        "styles": element("w:styles", paragraph("never seen")),
    }
    assert lines(word(paragraph("body"), parts)) == ["head", "body", "foot", "note", "last note", "comment"]


def test_charts_and_diagrams_are_read_where_they_are():
    chart = (
        "<c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>Spires</a:t></a:r></a:p></c:rich></c:tx></c:title></c:chart>"
    )
    body = f"<w:p>{run('before')}<w:r><c:chart r:id='chart'/></w:r></w:p>{paragraph('after')}"
    content = word(body, {"chart": element("c:chartSpace", chart)})
    assert lines(content) == ["before", "Spires", "after"]


@pytest.mark.parametrize("kind", ["header", "chart", "footnotes"])
def test_a_relation_to_a_missing_part_is_ignored(kind: str):
    whole = word(paragraph("body") + f"<w:p><w:r><c:chart r:id='{kind}'/></w:r></w:p>", {kind: element("w:x", "")})
    with ZipFile(BytesIO(whole)) as archive:
        kept = {name: archive.read(name) for name in archive.namelist() if name != f"word/{kind}.xml"}
    assert lines(packed(kept))[0] == "body"


def test_the_document_is_found_where_no_relation_tells_of_it():
    assert lines(packed({"word/document.xml": element("w:document", paragraph("body"))})) == ["body"]
    assert lines(packed({"Word\\Document.xml": element("w:document", paragraph("body"))})) == ["body"]


def test_another_kind_of_package_is_no_word_document():
    with pytest.raises(Invalid, match="no Word document"):
        read("a.docx", packed({"word/document.xml": element("p:presentation", "")}))
