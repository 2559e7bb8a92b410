"""HTML: what its reader sees."""

from assistants.ingestion.readers.registry import read


def test_a_page_is_what_its_reader_sees():
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
