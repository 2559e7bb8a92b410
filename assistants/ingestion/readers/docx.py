"""Word documents: the visible text of their pages and comments, in its order."""

from assistants.ingestion.readers.drawing import drawn
from assistants.ingestion.readers.errors import Invalid
from assistants.ingestion.readers.package import Package
from assistants.ingestion.readers.story import Story, TextLimit

_BEFORE, _AFTER = ("header",), ("footer", "footnotes", "endnotes", "comments")
"""Parts of the document besides its body. Headers and footers with the same text are read once."""


def read(content: bytes) -> str:
    """Headers, the body, footers, notes and comments."""
    package, limit = Package(content), TextLimit()
    main = package.main("word/document.xml")
    relations = package.relations(main)

    def story(part: str) -> Story:
        inner = package.relations(part) if part != main else relations
        found = Story(limit, lambda reference: drawn(package, inner, reference, limit))
        package.read(part, found)
        return found

    body = story(main)
    if body.root != "w:document":
        raise Invalid("The file is no Word document.")

    def beside(kind: str) -> list[str]:
        texts = ("\n".join(story(each.part).lines).strip() for each in relations.values() if each.kind == kind)
        return [text for text in dict.fromkeys(texts) if text]

    before = [text for kind in _BEFORE for text in beside(kind)]
    after = [text for kind in _AFTER for text in beside(kind)]
    return "\n".join([*before, *body.lines, *after])
