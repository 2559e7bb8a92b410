"""Files made for tests."""

import zipfile
from io import BytesIO


def saved(document: object) -> bytes:
    content = BytesIO()
    document.save(content)  # type: ignore[attr-defined]
    return content.getvalue()


def archive(name: str, content: bytes) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(name, content)
    return packed.getvalue()
