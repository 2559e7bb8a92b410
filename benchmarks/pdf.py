"""`python -m benchmarks.pdf [FILE ...]`: the text and the time of this service and of other libraries for PDF.

The files are the given ones, else those on this machine below /usr/share/doc. The table also shows the words that each
library finds in the files of tests/data/files. Libraries that are not installed are left out:
`pip install pypdf pdfminer.six pdfplumber pymupdf` installs all of them.
"""

import argparse
import gzip
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, metadata
from io import BytesIO
from pathlib import Path
from typing import Any

import pypdfium2  # pyright: ignore[reportMissingTypeStubs]
import yaml

from assistants.ingestion.readers.pdf import read
from tests.support.corpus import FILES


def _pdfium(content: bytes) -> str:
    document: Any = pypdfium2.PdfDocument(content)
    return "\n\n".join(page.get_textpage().get_text_range() for page in document)


def _pypdf(content: bytes) -> str:
    from pypdf import PdfReader

    reader = PdfReader(BytesIO(content))
    if reader.is_encrypted:
        reader.decrypt("")
    return "\n\n".join(page.extract_text() for page in reader.pages)


def _pdfminer(content: bytes) -> str:
    from pdfminer.high_level import extract_text  # pyright: ignore[reportMissingImports]

    return extract_text(BytesIO(content))


def _pdfplumber(content: bytes) -> str:
    import pdfplumber  # pyright: ignore[reportMissingImports]

    with pdfplumber.open(BytesIO(content)) as document:
        return "\n\n".join(page.extract_text() for page in document.pages)


def _pymupdf(content: bytes) -> str:
    import pymupdf  # pyright: ignore[reportMissingImports]

    return "\n\n".join(page.get_text() for page in pymupdf.open(stream=content, filetype="pdf"))


READERS: Mapping[str, tuple[str, Callable[[bytes], str]]] = {
    "this service": ("pypdfium2", read),
    "pypdfium2 alone": ("pypdfium2", _pdfium),
    "pypdf": ("pypdf", _pypdf),
    "pdfminer.six": ("pdfminer.six", _pdfminer),
    "pdfplumber": ("pdfplumber", _pdfplumber),
    "PyMuPDF": ("pymupdf", _pymupdf),
}
"""Distributions and their readers, by the labels of the table."""

WORDS: Mapping[str, Any] = {
    name: words
    for name, words in yaml.safe_load((FILES / "formats.yaml").read_text(encoding="utf-8")).items()
    if name.endswith(".pdf")
}


def found(read: Callable[[bytes], str], name: str) -> str:
    """The number of a file's expected words that a library finds."""
    wanted = [*WORDS[name].get("found", ()), *WORDS[name].get("once", ())]
    try:
        text = " ".join(read((FILES / name).read_bytes()).split())
    except Exception as error:  # each library has errors of its own
        return type(error).__name__
    return f"{sum(' '.join(word.split()) in text for word in wanted)}/{len(wanted)}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="*", type=Path)
    files: Sequence[Path] = parser.parse_args().files or sorted(Path("/usr/share/doc").rglob("*.pdf*"))
    unpacked = (gzip.decompress(each.read_bytes()) if each.suffix == ".gz" else each.read_bytes() for each in files)
    contents = [each for each in unpacked if each.startswith(b"%PDF-")]
    pages = sum(len(pypdfium2.PdfDocument(each)) for each in contents)
    logging.disable(logging.CRITICAL)
    print(f"{len(contents)} files of {pages} pages, and the words that are found in each kind of damage and form.\n")
    print(f"| | licence | pages/s | words | {' | '.join(name.removesuffix('.pdf') for name in WORDS)} |")
    print("|" + " --- |" * (4 + len(WORDS)))
    for label, (distribution, reader) in READERS.items():
        with suppress(PackageNotFoundError):
            about: Any = metadata(distribution)
            listed = [each for each in about.get_all("Classifier", ()) if each.startswith("License")]
            licence = about.get("License-Expression") or about.get("License") or ", ".join(listed).rpartition(":: ")[2]
            start = time.process_time()
            words = sum(len(reader(content).split()) for content in contents)
            speed = f"{pages / (time.process_time() - start):.0f}" if pages else ""
            kinds = " | ".join(found(reader, name) for name in WORDS)
            print(f"| {label} {about['Version']} | {licence} | {speed} | {words:,} | {kinds} |", flush=True)


if __name__ == "__main__":
    main()
