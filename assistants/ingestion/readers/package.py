"""Packages: the zip archives that office documents are."""

import zipfile
from io import BytesIO

from assistants.ingestion.readers.errors import Invalid

MAX_UNPACKED = 1024**3
"""Bytes that a package may have unpacked."""


def unpackable(content: bytes) -> BytesIO:
    """The package, if its size is bearable."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        if sum(each.file_size for each in archive.infolist()) > MAX_UNPACKED:
            raise Invalid("The file is too large when it is unpacked.")
    return BytesIO(content)
