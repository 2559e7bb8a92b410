"""Slide shows: each slide, in the order of its shapes, then its notes and comments."""

from assistants.ingestion.readers.drawing import drawn
from assistants.ingestion.readers.errors import Invalid
from assistants.ingestion.readers.markup import Handler
from assistants.ingestion.readers.package import Package
from assistants.ingestion.readers.story import Story, TextLimit

_NO_TEXT = ("sldNum",)
_NO_NOTES = ("sldImg", "sldNum", "dt", "hdr", "ftr")
"""Placeholders that are neither text of a slide nor of its notes."""


class _Show(Handler):
    """The relations to the slides, in their order, each once."""

    def __init__(self) -> None:
        self.root = ""
        self.slides: dict[str, None] = {}

    def start(self, name: str, attributes: dict[str, str]) -> bool:
        self.root = self.root or name
        if name == "p:sldId":
            self.slides[attributes.get("r:id", "")] = None
        return True


def read(content: bytes) -> str:
    """The texts of the slides."""
    package, limit, show = Package(content), TextLimit(), _Show()
    main = package.main("ppt/presentation.xml")
    package.read(main, show)
    if show.root != "p:presentation":
        raise Invalid("The file is no PowerPoint presentation.")
    slides = package.relations(main)
    parts = (slides[reference].part for reference in show.slides if reference in slides)
    return "\n\n".join("\n".join(lines) for part in parts if (lines := _slide(package, part, limit)))


def _slide(package: Package, part: str, limit: TextLimit) -> list[str]:
    relations = package.relations(part)
    slide = Story(limit, lambda reference: drawn(package, relations, reference, limit), _NO_TEXT)
    package.read(part, slide)
    lines = slide.lines
    for kind in ("notesSlide", "comments"):
        for relation in relations.values():
            if relation.kind == kind:
                beside = Story(limit, without=_NO_NOTES)
                package.read(relation.part, beside)
                lines += beside.lines
    return lines
