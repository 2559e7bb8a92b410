"""Word documents."""

from collections.abc import Iterator, Sequence
from typing import Any

from docx import Document
from docx.table import Table

from assistants.ingestion.readers.package import unpackable


def read(content: bytes) -> str:
    """Paragraphs and tables in their order."""
    return "\n".join(_blocks(Document(unpackable(content))))


def _blocks(parent: Any) -> Iterator[str]:
    """Paragraphs and tables; a cell that spans several columns is read once."""
    for block in parent.iter_inner_content():
        if not isinstance(block, Table):
            yield block.text
            continue
        for row in block.rows:
            yield " | ".join(" ".join(_blocks(cell)).strip() for cell in _cells(row.cells))
        yield ""


def _cells(cells: Sequence[Any]) -> Iterator[Any]:
    at = 0
    while at < len(cells):
        yield cells[at]
        at += cells[at].grid_span
