"""PDF: its pages, and its passwords."""

import zlib
from io import BytesIO

import pytest
from pypdf import PdfReader, PdfWriter

from assistants.ingestion.readers.errors import Invalid
from assistants.ingestion.readers.registry import read
from tests.support.pdf import pdf


def encrypted(password: str, algorithm: str = "AES-256") -> bytes:
    writer = PdfWriter(PdfReader(BytesIO(pdf([["Top secret"]]))))
    writer.encrypt(user_password=password, owner_password="owner", algorithm=algorithm)
    content = BytesIO()
    writer.write(content)
    return content.getvalue()


def test_the_pages_of_a_pdf_follow_each_other():
    text = read("a.pdf", pdf([["The spire of Strasbourg", "is 142 m (466 ft) high."], ["Page two: Grüße"]]))
    assert text.split("\n") == ["The spire of Strasbourg", "is 142 m (466 ft) high.", "", "Page two: Grüße"]


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-256"])
def test_a_pdf_that_only_its_owner_may_change_is_read_and_a_secret_one_is_not(algorithm: str):
    assert read("a.pdf", encrypted("", algorithm)) == "Top secret"
    with pytest.raises(Invalid, match="encrypted"):
        read("a.pdf", encrypted("secret", algorithm))


def test_a_pdf_without_text_has_pictures_only():
    with pytest.raises(Invalid, match="pictures only"):
        read("a.pdf", pdf([[]]))


def test_the_rest_of_a_truncated_pdf_is_read():
    whole = pdf([["The first page."], ["The second page."]])
    for end in range(whole.index(b"xref"), len(whole)):
        assert read("a.pdf", whole[:end]) == "The first page.\n\nThe second page."
    first = whole[: whole.index(b"(The second page.)")]
    assert read("a.pdf", first).strip() == "The first page."


def test_a_pdf_whose_pages_have_no_catalog_any_more_is_read():
    whole = pdf([["The first page."], ["The second page."]])
    start = whole.index(b"1 0 obj<</Type/Catalog")
    left = whole[:start] + whole[whole.index(b"3 0 obj") : whole.index(b"xref")]
    assert read("a.pdf", left) == "The first page.\n\nThe second page."


def test_objects_that_are_packed_are_found_without_the_table():
    packed = zlib.compress(b"1 0 2 31 <</Type/Catalog/Pages 2 0 R>> <</Type/Pages/Count 1/Kids[4 0 R]>>")
    stream = b"9 0 obj<</Type/ObjStm/N 2/First 9/Filter/FlateDecode/Length %d>>stream\n%s\nendstream endobj\n"
    whole = pdf([["A page."]])
    pages = whole[whole.index(b"3 0 obj") : whole.index(b"xref")]
    assert read("a.pdf", b"%PDF-1.5\n" + pages + stream % (len(packed), packed)) == "A page."


@pytest.mark.parametrize("content", [b"%PDF-1.7\n" + b"1 0 obj " * 100_000, b"%PDF-1.7\n" + b"/Type/ObjStm" * 100_000])
def test_a_file_that_only_begins_like_a_pdf_is_refused_soon(content: bytes):
    with pytest.raises(Invalid):
        read("a.pdf", content)
