"""`python -m tests.support.formats`: makes the files of tests/data/files that formats.yaml has words for.

Not made here are filledform.pdf, nostartxref.pdf, sjis.txt and entities.html, which were attached to bug reports.
"""

import zipfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.message import EmailMessage
from io import BytesIO
from typing import Any

from fpdf import FPDF
from odf.namespaces import XMLNS
from odf.office import Annotation
from odf.opendocument import OpenDocumentText
from odf.style import Footer, Header, MasterPage, PageLayout
from odf.table import Table, TableCell, TableRow
from odf.text import ChangedRegion, Deletion, H, LineBreak, Note, NoteBody, NoteCitation, P, S, TrackedChanges
from pypdf import PdfReader, PdfWriter
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Paragraph

from tests.support.corpus import FILES

TEXTS = {
    "cp1252.txt": ("cp1252", "westernword: Grüße aus München, wo die Straßen schön sind, und teuer: 5 €."),
    "latin1.txt": ("latin-1", "latinword. El niño comió mañana. ¿Dónde está la estación? Aquí, señor."),
    "gb18030.txt": ("gb18030", "chineseword 北京是中华人民共和国的首都。今天天气很好,我们去公园吧。"),
    "koi8r.txt": ("koi8-r", "russianword Москва - столица России. Съешь же ещё этих мягких булок, да выпей чаю."),
    "cp1251.txt": ("cp1251", "russianword Москва - столица России. Съешь же ещё этих мягких булок, да выпей чаю."),
    "utf16.txt": ("utf-16-le", "unmarkedword Grüße aus 東京"),
    "utf32.txt": ("utf-32-be", "unmarkedword Grüße aus 東京"),
    "declared.css": ("cp1253", '@charset "windows-1253";\nq:before { content: "Αθήνα" }'),
    "declared.htm": ("cp1250", "<meta charset=windows-1250><p>Zażółć gęślą jaźń<p>polishword"),
    "wrong.html": ("utf-8", "<meta charset='iso-8859-1'><p>Grüße aus 東京<p>rightword"),
}
"""Texts and their encodings, by the names of the files."""

PAGE = """<!DOCTYPE html><html><head><title>titleword</title><style>p { color: styleword }</style>
<script>//<![CDATA[
if (a < b) document.write("<p>scriptword</p>");
//]]></script></head><body>before<p>oneword<p>twoword<ul><li>threeword<li>fourword</ul>after
<table><caption>captionword<tr><th>headword<td>cellword<tr><td>lastcellword</table>
<dl><dt>termword<dd>saidword<dt>otherterm</dl><fieldset><legend>legendword</legend>fieldword</fieldset>
<select><option>firstoption<option>secondoption</select>lineword<br>nextline
<textarea>areaword
secondarea</textarea><details><summary>summaryword</summary>detailword</details>
<img src=x alt=altword>imageword<ruby>漢<rt>かん</rt>字</ruby><template>templateword</template>
<noscript>noscriptword</noscript><!-- commentword --><b>bold</b>word sh&shy;y &lt;tag&gt; caf&eacute;</body></html>"""


def form(canvas: Canvas) -> None:
    """Filled fields, a ticked box, and notes."""
    canvas.drawString(60, 780, "labelword")
    place: Any = {"width": 200, "height": 20}
    canvas.acroForm.textfield(name="a", value="fieldword Zürich", x=150, y=770, **place)
    canvas.acroForm.choice(name="b", value="chosenword", options=["chosenword", "otherword"], x=150, y=740, **place)
    canvas.acroForm.checkbox(name="c", checked=True, x=150, y=700)
    canvas.textAnnotation("noteword", (400, 700, 420, 720))
    canvas.freeTextAnnotation("freetextword", (400, 600, 500, 620))


def notes() -> None:
    """Notes of another program."""
    document = FPDF()
    document.set_creation_date(datetime(2026, 1, 1, tzinfo=UTC))
    document.add_page()
    document.set_font("Helvetica", size=12)
    document.cell(text="plainword Grüße")
    document.text_annotation(50, 50, "noteword")
    document.free_text_annotation("freetextword", x=50, y=80, w=60, h=20)
    with document.highlight("remarkword"):
        document.cell(text="markedword")
    document.output(str(FILES / "notes.pdf"))


def rotated(canvas: Canvas) -> None:
    """Lines in every direction, on an upright page and on a rotated one."""
    for angle, word in ((90, "upwards"), (180, "upsidedown"), (270, "downwards"), (30, "slanted")):
        canvas.saveState()
        canvas.translate(300, 400)
        canvas.rotate(angle)
        _written(canvas, (f"{word} first line", f"{word} second line"), 50, 0)
        canvas.restoreState()
    canvas.showPage()
    canvas.setPageRotation(90)
    _written(canvas, ("turned first line", "turned second line"))


def across(canvas: Canvas) -> None:
    """Columns drawn line by line across the page, and a table."""
    left = ("The leftword of this text", "goes on down the column", "until it ends at the thelastleft")
    right = ("thefirstright is a line that", "begins the other column of", "the page, and is the end.")
    for number, (one, other) in enumerate(zip(left, right, strict=True)):
        canvas.drawString(60, 780 - 14 * number, one)
        canvas.drawString(320, 780 - 14 * number, other)
    for number, row in enumerate((("City", "Height"), ("Strasbourg", "142 m"), ("Ulm", "161 m"))):
        for place, cell in enumerate(row):
            canvas.drawString(60 + 200 * place, 500 - 14 * number, cell)


def columns() -> None:
    """Columns drawn one after the other."""
    style = getSampleStyleSheet()["Normal"]
    frames = [Frame(60 + 250 * number, 600, 220, 200, id=str(number)) for number in range(2)]
    document = BaseDocTemplate(str(FILES / "columns.pdf"), pagesize=A4, invariant=1)
    document.addPageTemplates(PageTemplate(frames=frames))
    document.build([Paragraph(f"paragraph{number} " + "has some words in it " * 12, style) for number in range(8)])


def hyphens(canvas: Canvas) -> None:
    """Words hyphenated at the ends of lines."""
    _written(canvas, ("A word that is hyphen-", "ated, a number 1990-", "1995 and the Kauf-", "Verkauf."))


def damaged() -> None:
    """A file that is cut before its table, one whose table is wrong, and one that an owner's password protects."""
    whole = _drawn(lambda canvas: _written(canvas, ["damagedword"]))
    (FILES / "cut.pdf").write_bytes(whole[: whole.rindex(b"xref\n0")])
    (FILES / "offsets.pdf").write_bytes(whole.replace(b"%PDF-1.3", b"%PDF-1.3\n% some bytes too many"))
    writer = PdfWriter(PdfReader(BytesIO(_drawn(lambda canvas: _written(canvas, ["protectedword"])))))
    writer.encrypt(user_password="", owner_password="owner", algorithm="AES-256")
    writer.write(str(FILES / "protected.pdf"))


def odt() -> None:
    """A text with a header, a footer, a table, a note, a comment, and a deletion."""
    document: Any = OpenDocumentText()
    layout = PageLayout(name="layout")
    document.automaticstyles.addElement(layout)
    page = MasterPage(name="Standard", pagelayoutname=layout)
    document.masterstyles.addElement(page)
    for kind, word in ((Header, "headerword"), (Footer, "footerword")):
        margin = kind()
        margin.addElement(P(text=word))
        page.addElement(margin)
    changes, region, deletion = TrackedChanges(), ChangedRegion(qattributes={(XMLNS, "id"): "change"}), Deletion()
    deletion.addElement(P(text="deletedword"))
    region.addElement(deletion)
    changes.addElement(region)
    document.text.addElement(changes)
    document.text.addElement(H(outlinelevel=1, text="headingword"))
    paragraph = P(text="plainword")
    paragraph.addElement(S(c=2))
    paragraph.addText("spacedword")
    paragraph.addElement(LineBreak())
    paragraph.addText("brokenword")
    note, body = Note(noteclass="footnote"), NoteBody()
    note.addElement(NoteCitation(text="1"))
    body.addElement(P(text="noteword"))
    note.addElement(body)
    paragraph.addElement(note)
    comment = Annotation()
    comment.addElement(P(text="commentword"))
    paragraph.addElement(comment)
    document.text.addElement(paragraph)
    table = Table(name="table")
    for cells in (("City", "Height"), ("Strasbourg", "142 m")):
        row = TableRow()
        table.addElement(row)
        for text in cells:
            cell = TableCell()
            cell.addElement(P(text=text))
            row.addElement(cell)
    document.text.addElement(table)
    document.save(str(FILES / "text.odt"))


def epub() -> None:
    """A book of two chapters, not in the order of their names, the first with an empty title."""
    chapter = '<?xml version="1.0"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"><head>{}</head><body>{}</body></html>'
    items = "".join(f'<item id="{n}" href="text/{n}.xhtml" media-type="application/xhtml+xml"/>' for n in "ab")
    parts = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
        "OEBPS/book.opf": f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{items}</manifest>'
        '<spine><itemref idref="b"/><itemref idref="a"/></spine></package>',
        "OEBPS/text/b.xhtml": chapter.format("<title/><script/>", "<h1>firstchapter</h1><p>The endoffirst</p>"),
        "OEBPS/text/a.xhtml": chapter.format("<title>secondtitle</title>", "<p>secondchapter Grüße</p>"),
    }
    with zipfile.ZipFile(FILES / "book.epub", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED)


def mails() -> None:
    """A mail in two forms with an attachment, and a mail in HTML only."""
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "subjectword Grüße", "Ada <ada@example.com>", "bob@example.com"
    mail.set_content("plainword Grüße aus München", charset="iso-8859-1")
    mail.add_alternative("<p>htmlword</p>", subtype="html")
    mail.add_attachment(b"attachedword", maintype="text", subtype="plain", filename="Größe.txt")
    _made(mail, "mail.eml")
    only = EmailMessage()
    only["Subject"] = "subjectword"
    only.set_content("<style>styleword</style><p>oneword<p>twoword", subtype="html")
    _made(only, "html.eml")


def rich() -> None:
    """Letters by code and by number, a table, and parts that are no text."""
    (FILES / "letter.rtf").write_bytes(
        rb"{\rtf1\ansi\ansicpg1252{\fonttbl\f0\fswiss Helvetica;}{\info{\author hiddenword}}\f0\pard "
        rb"plainword Gr\'fc\'dfe \u26481?\u20140? {\b bold}word\par nextline\par "
        rb"\trowd\cellx1000\cellx2000 firstcell\cell secondcell\cell\row "
        rb"\pard{\*\generator hiddenword;}{\field{\*\fldinst HYPERLINK hiddenword}{\fldrslt linkword}}"
        rb"{\pict\pngblip 89504e47}\par}"
    )


def texts() -> None:
    """Texts in many encodings, and a page."""
    for name, (encoding, text) in TEXTS.items():
        (FILES / name).write_bytes(text.encode(encoding))
    (FILES / "page.html").write_bytes(PAGE.encode())


def _drawn(draw: Callable[[Canvas], None]) -> bytes:
    content = BytesIO()
    canvas = Canvas(content, pagesize=A4, invariant=1)
    draw(canvas)
    canvas.save()
    return content.getvalue()


def _written(canvas: Canvas, lines: Iterable[str], left: int = 60, top: int = 780) -> None:
    for number, line in enumerate(lines):
        canvas.drawString(left, top - 14 * number, line)


def _made(mail: EmailMessage, name: str) -> None:
    for number, part in enumerate(part for part in mail.walk() if part.is_multipart()):
        part.set_boundary(f"boundary{number}")
    (FILES / name).write_bytes(mail.as_bytes())


def main() -> None:
    for draw in (form, rotated, across, hyphens):
        (FILES / f"{draw.__name__}.pdf").write_bytes(_drawn(draw))
    for make in (notes, columns, damaged, odt, epub, mails, rich, texts):
        make()


if __name__ == "__main__":
    main()
