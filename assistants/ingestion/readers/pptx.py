"""Slide shows."""

from collections.abc import Iterator
from typing import Any

from pptx import Presentation

from assistants.ingestion.readers.package import unpackable


def read(content: bytes) -> str:
    """The texts of the slides, each with its notes."""
    return "\n\n".join("\n".join(_slide(slide)) for slide in Presentation(unpackable(content)).slides)


def _slide(slide: Any) -> Iterator[str]:
    yield from _shapes(slide.shapes)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        yield slide.notes_slide.notes_text_frame.text


def _shapes(shapes: Any) -> Iterator[str]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        elif shape.has_text_frame:
            yield shape.text_frame.text
        elif getattr(shape, "has_table", False):
            for row in shape.table.rows:
                yield " | ".join(cell.text for cell in row.cells)
