"""PDF: its pages, and its passwords."""

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
