"""The types of files that are read, and the errors of others."""

import docx
import pptx
import pytest

from assistants.ingestion.readers import registry
from assistants.ingestion.readers.errors import Invalid, Unsupported
from assistants.ingestion.readers.registry import read
from tests.support.files import archive, saved
from tests.support.pdf import pdf


@pytest.mark.parametrize("name", ["a.doc", "a.xlsx", "a.csv", "a.png", "a", ".pdf", "a.txt.zip"])
def test_other_types_are_not_supported(name: str):
    with pytest.raises(Unsupported, match="not supported"):
        read(name, b"Hello")


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
def test_a_broken_or_empty_file_is_invalid(name: str, content: bytes):
    with pytest.raises(Invalid):
        read(name, content)


def test_characters_that_cannot_be_stored_are_left_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "READERS", {".pdf": lambda content: "a\ud800b\x00c\n"})
    assert read("a.pdf", b"") == "abc\n"
