"""Plain text, in the encodings that are known."""

import pytest

from assistants.ingestion.readers.registry import PLAIN, read

GREETING = "Grüße from 東京"


@pytest.mark.parametrize("suffix", sorted(PLAIN))
def test_what_is_text_is_taken_as_it_is(suffix: str):
    assert read(f"a{suffix.upper()}", GREETING.encode()) == GREETING


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["Plain", GREETING, "An odd number of characters, und Umlaute: äöü"])
def test_text_is_in_utf_8_or_utf_16_with_a_mark_or_without(encoding: str, text: str):
    assert read("a.txt", text.encode(encoding)) == text


def test_a_utf_16_mark_of_either_order_is_known():
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert read("a.md", mark + GREETING.encode(encoding)) == GREETING
