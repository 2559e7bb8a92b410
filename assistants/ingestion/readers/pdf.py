"""PDF."""

from io import BytesIO

from pypdf import PasswordType, PdfReader

from assistants.ingestion.readers.errors import Invalid


def read(content: bytes) -> str:
    """The texts of the pages."""
    reader = PdfReader(BytesIO(content))
    if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
        raise Invalid("The file is encrypted.")
    return "\n\n".join(page.extract_text().strip() for page in reader.pages)
