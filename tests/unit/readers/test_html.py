"""HTML: the visible text."""

import pytest

from assistants.ingestion.readers.registry import read


def test_the_text_of_a_page_is_its_visible_text():
    page = """<!doctype html><html><head><title>Spires</title><style>p {color: red}</style>
      <script>var hidden = "script";</script></head>
      <body><h1>Straß&shy;burg</h1><p>The <b>spire</b> is\n  142&nbsp;m high.</p><ul><li>one</li><li>two</li></ul>
      <pre>x = 1\n<b>y</b> = 2</pre><!-- hidden -->
      <table><tr><td>a</td><td>b</td></tr></table><template>hidden</template></body></html>"""
    text = read("a.html", page.encode())
    assert [line for line in text.split("\n") if line] == [
        "Spires", "Straßburg", "The spire is 142 m high.", "one", "two", "x = 1", "y = 2", "a", "b",
    ]  # fmt: skip


def test_a_page_may_name_its_encoding():
    page = "<html><head><meta charset='iso-8859-1'></head><body>Grüße</body></html>"
    assert read("a.html", page.encode("iso-8859-1")).strip() == "Grüße"


@pytest.mark.parametrize(
    ("label", "encoding"),
    [("shift_jis", "cp932"), ("x-sjis", "cp932"), ("gb2312", "gb18030"), ("ISO-2022-JP", "iso2022_jp")],
)
def test_the_names_of_encodings_are_those_of_browsers(label: str, encoding: str):
    page = f'<meta http-equiv="Content-Type" content="text/html; charset={label}"><p>東京 word'
    assert read("a.htm", page.encode(encoding)) == "東京 word"


def test_valid_utf_8_takes_precedence_over_the_declaration():
    assert read("a.html", "<meta charset=windows-1251><p>Grüße".encode()) == "Grüße"


@pytest.mark.parametrize("end", ["", "</{0}>"])
@pytest.mark.parametrize(
    "tag", ["p", "li", "td", "th", "dt", "dd", "option", "div", "h1", "caption", "legend", "summary"]
)
def test_a_block_separates_words_with_an_end_or_without(tag: str, end: str):
    around = {"td": "table", "th": "table", "caption": "table", "option": "select"}.get(tag, "section")
    page = f"<body>before<{around}><{tag}>one{end.format(tag)}<{tag}>two{end.format(tag)}</{around}>after"
    assert read("a.html", page.encode()).split() == ["before", "one", "two", "after"]


def test_inline_elements_separate_no_words():
    page = "<p><b>b</b>ol<i>d</i> <span>w</span><a href=x>or</a><wbr>d H<sub>2</sub>O</p>"
    assert read("a.html", page.encode()) == "bold word H2O"


@pytest.mark.parametrize(
    "page",
    [
        "word" + "<div>" * 8_000 + "</div>" * 8_000,
        "word" + "<pre>" * 8_000 + "\n" * 1_000,
        "word" + "<b>" * 20_000,
        "word" + "<!--" * 1_000_000,
        "word" + "<!" * 2_000_000,
        "word" + "<![CDATA[" * 400_000,
        "word" + "<a " + "b " * 1_000_000,
        "word" + "<table>" * 20_000,
        "word" + "<script>" * 400_000,
    ],
    ids=["div", "pre", "b", "comments", "declarations", "cdata", "attributes", "tables", "scripts"],
)
def test_a_page_of_any_depth_and_form_is_read_in_linear_time(page: str):
    assert read("a.html", page.encode()) == "word"


def test_a_long_page_without_end_tags_is_read_in_linear_time():
    assert read("a.html", ("<ul>" + "<li>some words here" * 80_000).encode()).count("\n") == 79_999
