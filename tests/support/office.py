"""Office documents written by hand: markup that no generator writes, as small as possible."""

from collections.abc import Iterable, Mapping
from html import escape
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

OFFICE = "http://schemas.openxmlformats.org"
RELATIONS = f"{OFFICE}/officeDocument/2006/relationships"
NAMES = " ".join(
    f'xmlns:{prefix}="{OFFICE}/{path}"'
    for prefix, path in {
        "w": "wordprocessingml/2006/main",
        "m": "officeDocument/2006/math",
        "r": "officeDocument/2006/relationships",
        "a": "drawingml/2006/main",
        "c": "drawingml/2006/chart",
        "dgm": "drawingml/2006/diagram",
        "p": "presentationml/2006/main",
        "mc": "markup-compatibility/2006",
    }.items()
)


def element(name: str, inner: str) -> str:
    """A root element."""
    return f"<{name} {NAMES}>{inner}</{name}>"


def word(body: str, parts: Mapping[str, str] | None = None, inner: Mapping[str, str] | None = None) -> bytes:
    """A Word document: its body, its further parts by their kinds, and the parts that these refer to."""
    return package("word/document.xml", element("w:document", f"<w:body>{body}</w:body>"), parts or {}, inner or {})


def show(*slides: str, parts: Mapping[str, str] | None = None) -> bytes:
    """A slide show with these trees of shapes; the first slide has the parts, by their kinds."""
    listed = "".join(f'<p:sldId id="{number}" r:id="slide{number}"/>' for number in range(len(slides)))
    files: dict[str, str] = {}
    for number, shapes in enumerate(slides):
        tree = f"<p:cSld><p:spTree>{shapes}</p:spTree></p:cSld>"
        files[f"ppt/slide{number}.xml"] = element("p:sld", tree)
    files["ppt/_rels/slide0.xml.rels"] = relations({kind: f"{kind}.xml" for kind in parts or {}})
    files |= {f"ppt/{kind}.xml": each for kind, each in (parts or {}).items()}
    main = element("p:presentation", f"<p:sldIdLst>{listed}</p:sldIdLst>")
    related = {f"slide{number}": f"slide{number}.xml" for number in range(len(slides))}
    return package("ppt/presentation.xml", main, {}, files, related)


def package(
    name: str, main: str, parts: Mapping[str, str], others: Mapping[str, str], related: Mapping[str, str] | None = None
) -> bytes:
    """A package whose main part has relations to parts, which are named after their kinds, and to others."""
    folder, _, file = name.rpartition("/")
    return packed(
        {
            "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
            "_rels/.rels": relations({"officeDocument": name}),
            name: main,
            f"{folder}/_rels/{file}.rels": relations({**{kind: f"{kind}.xml" for kind in parts}, **(related or {})}),
            **{f"{folder}/{kind}.xml": each for kind, each in parts.items()},
            **others,
        }
    )


def relations(targets: Mapping[str, str]) -> str:
    """Relations of these kinds, without the digits at their end; the ids are the kinds with the digits."""
    each = (
        f'<Relationship Id="{kind}" Type="{RELATIONS}/{kind.rstrip("0123456789")}" Target="{escape(target)}"/>'
        for kind, target in targets.items()
    )
    return f'<Relationships xmlns="{OFFICE}/package/2006/relationships">{"".join(each)}</Relationships>'


def packed(files: Mapping[str, str | bytes]) -> bytes:
    """A zip archive."""
    return archive(files.items())


def archive(files: Iterable[tuple[str, str | bytes]]) -> bytes:
    """A zip archive, which may have several files of the same name."""
    content = BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED) as made:
        for name, each in files:
            made.writestr(name, each)
    return content.getvalue()


def paragraph(text: str, properties: str = "") -> str:
    """A paragraph of a Word document."""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def shape(text: str, placeholder: str | None = None) -> str:
    """A shape of a slide."""
    kind = f'<p:nvSpPr><p:nvPr><p:ph type="{placeholder}"/></p:nvPr></p:nvSpPr>' if placeholder else ""
    return f"<p:sp>{kind}<p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"
