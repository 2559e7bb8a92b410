"""Malformed and hostile packages."""

import pytest

from assistants.ingestion.readers import package
from assistants.ingestion.readers.errors import Invalid
from assistants.ingestion.readers.registry import read
from tests.support.files import archive


@pytest.mark.parametrize("name", ["a.docx", "a.pptx"])
def test_a_document_that_grows_beyond_measure_is_not_unpacked(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(package, "MAX_UNPACKED", 10 * 1024)
    with pytest.raises(Invalid, match="unpacked"):
        read(name, archive("_rels/.rels", b" " * 20_000))
