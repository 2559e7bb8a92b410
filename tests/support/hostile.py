"""Hostile office documents: small files whose reading would take very much time or memory."""

import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

from tests.support.office import NAMES, archive, element, packed, paragraph, relations, shape, word

MB = 1024 * 1024


class Hostile(NamedTuple):
    """A file, and the expected result: the beginning of its text, or a part of its error."""

    name: str
    content: Callable[[], bytes]
    text: str = ""
    error: str = ""


def bomb(name: str, before: str, repeated: str, after: str, size: int, declared: int | None = None) -> bytes:
    """An archive with one file; its middle is repeated up to `size` bytes, a thousand times its packed size."""
    piece = (repeated * (MB // len(repeated) + 1)).encode()
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = packer.compress(before.encode()) + packer.flush(zlib.Z_FULL_FLUSH)
    middle = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    times = size // len(piece)
    data = head + middle * times + packer.compress(after.encode()) + packer.flush()
    # The declared size of the whole; the checksum is wrong, which only its end shows.
    size = len(before) + len(piece) * times + len(after) if declared is None else declared
    told = struct.pack("<HHHHHIII", 20, 0, zlib.DEFLATED, 0, 0, 0, len(data), size)
    local = b"PK\3\4" + told + struct.pack("<HH", len(name), 0) + name.encode() + data
    central = b"PK\1\2" + struct.pack("<H", 20) + told + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0)
    central += name.encode()
    return local + central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)


DOCUMENT = "word/document.xml"
BEGIN, END = f"<w:document {NAMES}><w:body>", "</w:body></w:document>"


def spanning() -> bytes:
    """Cells over two thousand million columns."""
    cell = f"<w:tc><w:tcPr><w:gridSpan w:val='2000000000'/></w:tcPr>{paragraph('cell')}</w:tc>"
    return word(f"<w:tbl><w:tr>{cell * 10}</w:tr></w:tbl>")


def merged_rows(rows: int) -> bytes:
    """Rows whose first cell extends over all of them, with correct markup."""
    start, goes_on = "<w:tcPr><w:vMerge w:val='restart'/></w:tcPr>", "<w:tcPr><w:vMerge/></w:tcPr>"
    other = f"<w:tc>{paragraph('other')}</w:tc>"
    first = f"<w:tr><w:tc>{start}{paragraph('merged')}</w:tc>{other}</w:tr>"
    return word(f"<w:tbl>{first}{f'<w:tr><w:tc>{goes_on}<w:p/></w:tc>{other}</w:tr>' * (rows - 1)}</w:tbl>")


def nested(begin: str, end: str, depth: int) -> bytes:
    """Elements nested in elements."""
    return word(begin * depth + paragraph("deep") + end * depth)


def listed_again() -> bytes:
    """A slide that is listed 200,000 times."""
    names = [f"slide{number}" for number in range(200_000)]
    listed = "".join(f"<p:sldId r:id='{name}'/>" for name in names)
    return packed(
        {
            "ppt/presentation.xml": element("p:presentation", f"<p:sldIdLst>{listed}</p:sldIdLst>"),
            "ppt/_rels/presentation.xml.rels": relations(dict.fromkeys(names, "slide.xml")),
            "ppt/slide.xml": element("p:sld", shape("slide")),
        }
    )


def overlapping() -> bytes:
    """Ten thousand files with the same bytes."""
    names = [f"word/{number:06}.xml" for number in range(10_000)]
    files = {
        DOCUMENT: element("w:document", f"<w:body>{paragraph('body')}</w:body>"),
        "word/_rels/document.xml.rels": relations({f"header{name[5:11]}": name[5:] for name in names}),
        names[0]: element("w:hdr", paragraph("head" * MB)),
    }
    content = packed(files)
    shared = content.rindex(b"PK\1\2")
    told = content[shared : shared + 46]
    entries = b"".join(told + name.encode() for name in names)
    central = content[content.index(b"PK\1\2") : shared] + entries
    body = content[: content.index(b"PK\1\2")]
    count = len(files) - 1 + len(names)
    return body + central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(central), len(body), 0)


def encrypted() -> bytes:
    """An archive that declares its content as encrypted."""
    content = bytearray(word(paragraph("secret")))
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = content.find(mark)
        while at >= 0:
            content[at + flags] |= 1
            at = content.find(mark, at + 1)
    return bytes(content)


def entities(declared: str, text: str) -> bytes:
    """A document that declares entities."""
    body = f"<!DOCTYPE x [{declared}]>" + element("w:document", f"<w:body>{paragraph(text)}</w:body>")
    return packed({DOCUMENT: body})


def laughs() -> str:
    """Entities, each of them ten times the preceding one."""
    more = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!ENTITY l0 "ha">{more}'


def referring_to_itself() -> bytes:
    """Headers that refer to each other, and a chart that is referred to 200,000 times."""
    charts = "<w:r><c:chart r:id='chart'/></w:r>" * 200_000
    chart = element("c:chartSpace", "<c:title><a:p><a:t>chart</a:t></a:p></c:title>")
    around = relations({"header": "header.xml", "officeDocument": "document.xml"})
    inner = {"word/_rels/header.xml.rels": around, "_rels/header.xml.rels": around}
    return word(f"<w:p>{charts}</w:p>", {"chart": chart, "header": element("w:hdr", paragraph("head"))}, inner)


HOSTILE = (
    Hostile("spanning.docx", spanning, " | ".join(["cell"] * 10)),
    Hostile("merged.docx", lambda: merged_rows(2_000), "merged | other\n | other\n | other"),
    Hostile("listed.pptx", listed_again, "slide"),
    Hostile("itself.docx", referring_to_itself, "head\n\nchart"),
    Hostile("nested.docx", lambda: nested("<w:sdt><w:sdtContent>", "</w:sdtContent></w:sdt>", 500_000), "deep"),
    Hostile("unknown.docx", lambda: nested("<w:x>", "</w:x>", 1_000_000), "deep"),
    Hostile(
        "tables.docx",
        lambda: nested("<w:tbl><w:tr><w:tc>", "</w:tc></w:tr></w:tbl>", 100_000),
        error="tables in tables beyond measure",
    ),
    Hostile("laughs.docx", lambda: entities(laughs(), "&l9;"), error="declares a document type"),
    Hostile("quadratic.docx", lambda: entities(f'<!ENTITY a "{"a" * MB}">', "&a;" * 10_000), error="document type"),
    Hostile("lying.docx", lambda: bomb(DOCUMENT, BEGIN, " ", END, 8192 * MB, declared=100), error="BadZipFile"),
    Hostile("bomb.docx", lambda: bomb(DOCUMENT, BEGIN, " ", END, 2048 * MB), error="512 MB when it is unpacked"),
    Hostile("paragraphs.docx", lambda: bomb(DOCUMENT, BEGIN, "<w:p/>", END, 400 * MB), error="paragraphs and cells"),
    Hostile(
        "text.docx",
        lambda: bomb(DOCUMENT, f"{BEGIN}<w:p><w:t>", "words ", f"</w:t></w:p>{END}", 400 * MB),
        error="5,000,000 tokens",
    ),
    Hostile(
        "cells.docx", lambda: bomb(DOCUMENT, f"{BEGIN}<w:tr>", "<w:tc/>", "", 400 * MB), error="paragraphs and cells"
    ),
    Hostile("parts.docx", lambda: archive((str(n), b"") for n in range(100_000)), error="more than 65,535 parts"),
    Hostile("overlapping.docx", overlapping, error="The file"),
    Hostile("encrypted.docx", encrypted, error="encrypted"),
    Hostile("compound.docx", lambda: bytes.fromhex("d0cf11e0a1b11ae1") + bytes(MB), error="encrypted"),
)
"""One hostile document of each kind."""
