"""Plain text, in its supported encodings."""

import pytest

from assistants.ingestion.readers.errors import Invalid
from assistants.ingestion.readers.registry import PLAIN, read

GREETING = "Grüße from 東京"


@pytest.mark.parametrize("suffix", sorted(PLAIN))
def test_plain_text_is_unchanged(suffix: str):
    assert read(f"a{suffix.upper()}", GREETING.encode()) == GREETING


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["Plain", GREETING, "An odd number of characters, und Umlaute: äöü"])
def test_text_is_in_utf_8_or_utf_16_with_a_mark_or_without(encoding: str, text: str):
    assert read("a.txt", text.encode(encoding)) == text


def test_a_utf_16_mark_of_either_order_is_known():
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert read("a.md", mark + GREETING.encode(encoding)) == GREETING


@pytest.mark.parametrize("encoding", ["utf-32", "utf-32-le", "utf-32-be"])
def test_text_may_be_in_utf_32(encoding: str):
    assert read("a.txt", GREETING.encode(encoding)) == GREETING


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text", ["Москва столица России", "東京は日本の首都です。今日は天気がいい。", "서울은 대한민국의 수도입니다."]
)
def test_utf_16_without_a_mark_is_known_in_every_script(encoding: str, text: str):
    assert read("a.txt", text.encode(encoding)) == text


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Grüße aus München, wo die Straßen schön sind, und teuer."),
        ("cp1252", "It\u2019s a \u201cquoted\u201d sentence \u2013 with dashes, at 5 €."),
        ("cp1252", "La città è più bella perché c'è il sole. Però non è così."),
        ("latin-1", "El niño comió mañana. ¿Dónde está la estación?"),
        ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy."),
        ("iso8859-2", "Zażółć gęślą jaźń. Łódź jest pięknym miastem."),
        ("cp1253", "Στην Αθήνα είναι η πρωτεύουσα της Ελλάδας."),
        ("cp1254", "Türkçe öğrenmek güzel bir şey, değil mi?"),
        ("cp1255", "ירושלים היא בירת ישראל"),
        ("cp1251", "Съешь же ещё этих мягких французских булок."),
        ("koi8-r", "Съешь же ещё этих мягких французских булок."),
        ("cp866", "Съешь же ещё этих мягких французских булок."),
        ("cp932", "東京は日本の首都です。"),
        ("euc-jp", "東京は日本の首都です。"),
        ("iso2022_jp", "東京は日本の首都です。"),
        ("gb18030", "北京是中华人民共和国的首都。"),
        ("big5", "臺北是一個美麗的城市,今天天氣很好。"),
        ("cp949", "서울은 대한민국의 수도입니다."),
    ],
)
def test_other_encodings_are_known_where_they_are_sure(encoding: str, text: str):
    assert read("a.txt", text.encode(encoding)) == text


@pytest.mark.parametrize(
    "content",
    [
        "Straße".encode("mac_roman"),
        "Grüße aus München. Die Straße".encode("cp850"),
        bytes(range(128, 256)) * 10,
        "Grüße aus 東京, und so weiter. ".encode() * 3 + b"\xff\xfe und mehr",
        b"\x89PNG\r\n\x1a\n\xc3(\xff\xfe\xe0\x80abc\x91\x90",
    ],
    ids=["another system", "an older one", "no text", "damaged UTF-8", "a picture"],
)
def test_a_text_of_an_uncertain_encoding_is_refused(content: bytes):
    with pytest.raises(Invalid, match="encoding that is sure"):
        read("a.txt", content)


def test_a_declared_encoding_takes_precedence_over_detection():
    python = "#!/usr/bin/python\n# -*- coding: koi8-r -*-\nx = 'ё'\n"
    assert read("a.py", python.encode("koi8-r")) == python
    sheet = '@charset "iso-8859-2";\nq:before { content: "ł" }'
    assert read("a.css", sheet.encode("iso8859-2")) == sheet


def test_valid_utf_8_takes_precedence_over_the_declared_encoding():
    python = "# coding: latin-1\nx = 'ü'\n"
    assert read("a.py", python.encode()) == python


def test_control_characters_are_left_out():
    assert read("a.txt", b"a\x00 text\x01 with\x1b[0m some of them\x7f\n") == "a text with[0m some of them\n"
