"""The text of files of every kind, and what is said of those that have none."""

import zipfile
from collections.abc import Callable
from io import BytesIO

import docx
import pptx
import pytest
from pptx.util import Inches
from pypdf import PdfReader, PdfWriter

from assistants.search import extraction
from assistants.search.extraction import PLAIN, Invalid, Unsupported, extract
from tests.support.pdf import pdf

GREETING = "Grüße from 東京"


def saved(document: object) -> bytes:
    content = BytesIO()
    document.save(content)  # type: ignore[attr-defined]
    return content.getvalue()


def encrypted(password: str, algorithm: str = "AES-256") -> bytes:
    writer = PdfWriter(PdfReader(BytesIO(pdf([["Top secret"]]))))
    writer.encrypt(user_password=password, owner_password="owner", algorithm=algorithm)
    content = BytesIO()
    writer.write(content)
    return content.getvalue()


@pytest.mark.parametrize("suffix", sorted(PLAIN))
def test_what_is_text_is_taken_as_it_is(suffix: str):
    assert extract(f"a{suffix.upper()}", GREETING.encode()) == GREETING


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["Plain", GREETING, "An odd number of characters, und Umlaute: äöü"])
def test_text_is_in_utf_8_or_utf_16_with_a_mark_or_without(encoding: str, text: str):
    assert extract("a.txt", text.encode(encoding)) == text


def test_a_utf_16_mark_of_either_order_is_known():
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert extract("a.md", mark + GREETING.encode(encoding)) == GREETING


def test_the_pages_of_a_pdf_follow_each_other():
    text = extract("a.pdf", pdf([["The spire of Strasbourg", "is 142 m (466 ft) high."], ["Page two: Grüße"]]))
    assert text.split("\n") == ["The spire of Strasbourg", "is 142 m (466 ft) high.", "", "Page two: Grüße"]


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-256"])
def test_a_pdf_that_only_its_owner_may_change_is_read_and_a_secret_one_is_not(algorithm: str):
    assert extract("a.pdf", encrypted("", algorithm)) == "Top secret"
    with pytest.raises(Invalid, match="encrypted"):
        extract("a.pdf", encrypted("secret", algorithm))


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
    assert extract("a.docx", saved(document)).split("\n") == [
        "Spires",
        "Before the table.",
        "City | Height | Year",
        "Strasbourg | 142 m | 1439",
        "A note over all columns",
        "",
        f"After it. {GREETING}",
    ]


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
    text = extract("a.pptx", saved(presentation))
    assert text.strip().split("\n") == ["Spires", GREETING, "Strasbourg | 142 m", "Do not forget Ulm."]


def test_a_page_is_what_its_reader_sees():
    page = """<!doctype html><html><head><title>Spires</title><style>p {color: red}</style>
      <script>var hidden = "script";</script></head>
      <body><h1>Straß&shy;burg</h1><p>The <b>spire</b> is\n  142&nbsp;m high.</p><ul><li>one</li><li>two</li></ul>
      <pre>x = 1\n<b>y</b> = 2</pre><!-- hidden -->
      <table><tr><td>a</td><td>b</td></tr></table><template>hidden</template></body></html>"""
    text = extract("a.html", page.encode())
    assert [line for line in text.split("\n") if line] == [
        "Spires", "Straß\xadburg", "The spire is 142 m high.", "one", "two", "x = 1", "y = 2", "a", "b",
    ]  # fmt: skip


def test_a_page_may_name_its_encoding():
    page = "<html><head><meta charset='iso-8859-1'></head><body>Grüße</body></html>"
    assert extract("a.html", page.encode("iso-8859-1")).strip() == "Grüße"


@pytest.mark.parametrize("name", ["a.doc", "a.xlsx", "a.csv", "a.png", "a", ".pdf", "a.txt.zip"])
def test_other_types_are_not_supported(name: str):
    with pytest.raises(Unsupported, match="not supported"):
        extract(name, b"Hello")


def archive(name: str, content: bytes) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", b""),
        ("a.txt", b" \n\t"),
        ("a.txt", b"\xff\x00\xff"),
        ("a.txt", b"nothing\0but bytes\0"),
        ("a.md", b"\xc3\x28"),
        ("a.html", b"<html><script>1</script></html>"),
        ("a.pdf", b""),
        ("a.pdf", b"%PDF-1.4 and no more"),
        ("a.pdf", pdf([[]])),
        ("a.pdf", pdf([["Cut off in the middle"]])[:300]),
        ("a.docx", b"PK\x03\x04"),
        ("a.docx", archive("other.xml", b"<a/>")),
        ("a.docx", saved(docx.Document())),
        ("a.pptx", b"no archive"),
        ("a.pptx", saved(docx.Document())),
        ("a.pptx", saved(pptx.Presentation())),
    ],
)
def test_what_is_broken_or_empty_is_invalid(name: str, content: bytes):
    with pytest.raises(Invalid):
        extract(name, content)


@pytest.mark.parametrize("name", ["a.docx", "a.pptx"])
def test_a_document_that_grows_beyond_measure_is_not_unpacked(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(extraction, "_MAX_UNPACKED", 10_000)
    with pytest.raises(Invalid, match="too large"):
        extract(name, archive("document.xml", bytes(20_000)))


def test_what_cannot_be_stored_is_left_out(monkeypatch: pytest.MonkeyPatch):
    read: Callable[[bytes], str] = lambda _: "a\ud800b\x00c\n"  # noqa: E731
    monkeypatch.setattr(extraction, "_DOCUMENTS", {".pdf": read})
    assert extract("a.pdf", b"") == "abc\n"
