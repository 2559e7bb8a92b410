"""The playground, in a browser that knows no host but this machine: stories, hostile texts, and the code to copy."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest
from openai import OpenAI
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver

from assistants.tools.code_interpreter.local.availability import available
from tests.client.conftest import ALICE
from tests.node.packages import AXE, tool
from tests.support.browser.chromium import CHROMIUM, DRIVER, chromium
from tests.support.browser.playground import Playground
from tests.support.service.processes import Model, Service, eventually

pytestmark = [pytest.mark.direct("is about a page, not about the API"), pytest.mark.timeout(180)]

WEATHER = '{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}'
HOSTILE = (
    "<img src=x onerror=pwned=1><script>pwned=1</script> [a](javascript:pwned=1) [b](data:text/html,<script>) "
    '![c](https://example.com/c.png) <https://example.com/"onclick=pwned=1> \ue0000\ue001 '
    "`</code><svg onload=pwned=1>`"
)
CODE = """import matplotlib.pyplot as plt
print("<b>", 2 * 21)  # the answer
open("/mnt/data/table.csv", "w").write("a,b")
plt.plot([1, 2])"""


@pytest.fixture(scope="module")
def root(configured: Service) -> str:
    return configured.url.removesuffix("/v1")


@pytest.fixture(scope="module")
def browser() -> Iterator[WebDriver]:
    if not CHROMIUM or not DRIVER:
        pytest.skip("chromium and chromedriver are not installed (Debian: chromium, chromium-driver)")
    with chromium(1400, 900) as driver:
        yield driver


@pytest.fixture
def page(browser: WebDriver, root: str) -> Iterator[Playground]:
    """The page with Alice's key. Checks at the end that no request was refused, and none went to another host."""
    page = Playground(browser, root)
    page.run("sessionStorage.clear(); localStorage.clear()")
    page.complaints()
    browser.refresh()
    page.use_key(ALICE)
    page.find("#files li, #threads li")
    yield page
    assert page.complaints() == []
    assert [each for each in page.addresses() if not each.startswith((root, f"blob:{root}"))] == []


@pytest.fixture
def axe() -> Path:
    script = tool("axe-core", AXE) / "axe.min.js"
    if not script.exists():
        pytest.skip("axe-core is not installed: make node")
    return script


def test_the_page_has_no_inline_code_and_no_foreign_address(root: str):
    page = httpx2.get(f"{root}/playground").raise_for_status()
    assert re.findall(r"https?:|//[a-z]|<style|<script(?! type=\"module\" src)|\son\w+=|style=", page.text) == []
    addresses = re.findall(r'(?:src|href)="(playground/[^"]+)"', page.text)
    assert len(addresses) == 3
    for address in addresses:
        asset = httpx2.get(urljoin(f"{root}/playground", address)).raise_for_status()
        assert asset.headers["content-type"].startswith(("text/javascript", "text/css", "image/svg+xml"))


def test_its_policy_forbids_inline_scripts_other_hosts_and_markup_from_texts(root: str):
    headers = httpx2.get(f"{root}/playground").raise_for_status().headers
    policy = dict(each.split(" ", 1) for each in headers["content-security-policy"].split("; "))
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    assert (policy["connect-src"], policy["img-src"]) == ("'self'", "'self' blob:")
    assert (policy["require-trusted-types-for"], policy["trusted-types"]) == ("'script'", "'none'")
    assert policy["frame-ancestors"] == "'none'"


@pytest.mark.parametrize("path", ["nowhere.js", "jsconfig.json", "index.html", "..%2fplayground.py", ""])
def test_its_folder_has_no_other_files(root: str, path: str):
    assert httpx2.get(f"{root}/playground/{path}").status_code == 404


def test_a_wrong_key_is_asked_for_again(browser: WebDriver, root: str):
    page = Playground(browser, root)
    page.run("sessionStorage.clear()")
    browser.refresh()
    page.use_key("wrong")
    page.find("dialog p", "Incorrect API key")
    page.use_key(ALICE)
    page.find("#files li, #threads li")
    assert page.run("return JSON.stringify(localStorage)").count(ALICE) == 0


def test_a_first_conversation_from_the_assistant_to_a_citation(page: Playground, axe: Path, topic: str, tmp_path: Path):
    guide = tmp_path / f"{topic}.md"
    guide.write_text("The filter is cleaned every month with warm water.", encoding="utf-8")
    page.press("New store")
    page.write("Name of the store", topic)
    page.press("Create", "dialog")
    page.attach("dialog input[type=file]", guide)
    page.find("dialog .good", "completed")
    page.write("Try a search", "How is the filter cleaned?")
    page.press("Search", "dialog")
    page.find("dialog .passage", "warm water")
    assert page.violations(axe) == []
    page.escape()

    page.make_assistant(topic, (("get_weather", WEATHER),), search=topic)
    page.say(f"**{topic}**: get weather")
    page.find("#action h3", "Outputs")
    assert page.violations(axe) == []
    page.labelled("Output of get_weather").send_keys("sunny")
    page.press("Submit outputs")
    page.find("article.assistant", "get_weather: sunny")
    page.find("#run", "completed")
    page.find("#steps h3", "get_weather")
    page.find("#threads button[aria-current]", f"**{topic}**: get weather")
    page.find("#talk-title", topic)
    assert page.find("article.user strong").text == topic

    page.say("file search: How is the filter cleaned?")
    page.click("article .cite")
    page.find("dialog mark", "The filter is cleaned every month")
    page.find("dialog button", f"Download {topic}.md")
    page.escape()

    page.press("Edit", "#assistants")
    page.find("dialog h2", "Edit assistant")
    assert page.violations(axe) == []
    page.escape()
    page.press("Dark")
    assert page.violations(axe) == []
    with page.phone():
        assert not page.is_visible("#left")
        page.press("What happens")
        assert page.is_visible("#steps")
        assert page.violations(axe) == []
        page.press("Conversation")
        assert page.run("return document.documentElement.scrollWidth <= innerWidth")
        page.press("Assistants")
        page.press("New thread")
        assert page.focused().get_attribute("id") == "text"


@pytest.mark.skipif(bool(available()), reason=str(available()))
def test_code_its_logs_its_image_and_its_file_are_shown(page: Playground, axe: Path, topic: str, tmp_path: Path):
    """The demo model calls the code that the text has, and repeats its output with the link of the file."""
    page.make_assistant(topic, code=True)
    page.run("""window.seen = []
        const note = () => seen.push(document.querySelector('#steps [aria-label=Code]')?.textContent ?? '')
        new MutationObserver(note).observe(document.querySelector('#steps'), {childList: true, subtree: true})""")
    page.run("document.querySelector('#text').value = arguments[0]", f"{topic}\n```python\n{CODE}\n```")
    page.press("Send")
    page.find("#run", "completed")
    assert page.find("#steps [aria-label=Code]").text == CODE
    assert page.find("#steps [aria-label=Logs]").text.startswith("<b> 42")
    assert [each.text for each in page.browser.find_elements("css selector", "#steps .word")] == ["import", "as"]
    written = list(dict.fromkeys(page.run("return seen")))
    assert len(written) > 2
    assert all(f"{CODE}\n".startswith(each) for each in written)
    for picture in (page.find("article.assistant figure img"), page.find("#steps figure img")):
        assert page.run("return arguments[0].naturalWidth", picture) > 100
    page.save_into(tmp_path)
    page.click("article.assistant button.file", "table.csv")
    assert eventually(lambda: [each.read_text() for each in tmp_path.glob("*.csv")]) == ["a,b"]
    assert page.find("#files button", "table.csv")
    assert page.violations(axe) == []

    page.browser.refresh()
    page.click("#threads button", topic)
    page.find("#steps figure img")
    page.click("#right summary", "Events")
    page.find("#events-note", "did not stream this run")
    assert page.find("#history").text.count("step completed: code_interpreter") == 1
    page.find("#events summary", "read: completed")


def test_a_bar_shows_how_much_of_a_file_is_sent(page: Playground, topic: str, tmp_path: Path):
    file = tmp_path / f"{topic}.txt"
    file.write_text("x" * 300_000, encoding="ascii")
    page.run("""window.seen = []
        new MutationObserver(changes => changes.forEach(({target}) => seen.push(target.value)))
            .observe(document.querySelector('#uploads'), {attributeFilter: ['value'], subtree: true})""")
    with page.slow_upload(400_000):
        page.attach("#files-input", file)
        page.find("#files button", topic)
    parts: list[float] = page.run("return seen")
    assert parts == sorted(parts)
    assert len({each for each in parts if 0 < each < 1}) >= 2


def test_it_works_by_keyboard_alone(page: Playground, topic: str):
    page.make_assistant(topic)
    page.browser.refresh()
    page.find("#with", "to ")
    page.focused().send_keys(Keys.TAB)
    page.focused().send_keys(Keys.ENTER)
    assert page.focused().get_attribute("id") == "text"
    page.focused().send_keys(topic, Keys.ENTER)
    page.find("article.assistant", f"You said: {topic}")


def test_a_run_is_cancelled_and_shown_again_when_its_thread_is_opened(page: Playground, model: Model, topic: str):
    model.script({"match": topic, "chunks": ["slow "] * 200, "chunk_delay": 0.1})
    page.make_assistant(topic)
    page.say(topic)
    page.find("article.assistant", "slow")
    page.press("Cancel run")
    page.find("#run", "cancelled")
    page.find("#status", "The run is cancelled")
    page.press("New thread")
    page.find("#messages", "A new thread begins")
    page.click("#threads button", topic)
    page.find("article.assistant", "incomplete: run_cancelled")
    page.find("#run", "cancelled")


def test_a_run_of_another_client_is_followed_by_reading_it(page: Playground, model: Model, alice: OpenAI, topic: str):
    model.script({"match": topic, "chunks": ["slow "] * 300, "chunk_delay": 0.1})
    assistant = alice.beta.assistants.create(model="gpt-4o", name=topic)
    message: Any = {"role": "user", "content": topic}
    run = alice.beta.threads.create_and_run(assistant_id=assistant.id, thread={"messages": [message]})
    page.browser.refresh()
    page.click("#threads button", topic)
    page.click("#right summary", "Events")
    page.find("#events-note", "did not stream this run")
    page.find("#events summary", "read: in_progress")
    alice.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    page.find("#events summary", "read: cancelled")
    page.find("#history", "run cancelled")
    page.find("article.assistant", "slow slow")


def test_files_that_are_dropped_go_with_the_message(page: Playground, alice: OpenAI, topic: str):
    page.make_assistant(topic)
    page.drop("#middle", f"{topic}.md", "text/markdown", "Some text.")
    page.drop("#middle", f"{topic}.gif", "image/gif", "GIF89a\x01\x00\x01\x00\x00\x00\x00;")
    page.find("#attachments li:nth-child(2)", "uploaded")
    page.say(topic)
    page.find("article.user figure img")
    page.find("article.user button", f"Download {topic}.md")
    page.find("article.assistant", "You said")
    thread = page.run("return document.querySelector('#threads [aria-current]').dataset.id")
    message = alice.beta.threads.messages.list(thread, order="asc").data[0]
    assert [part.type for part in message.content] == ["text", "image_file"]
    assert [tool_.type for tool_ in (message.attachments or [])[0].tools or []] == ["file_search"]


def test_no_text_of_a_model_or_a_user_becomes_markup(page: Playground, model: Model, alice: OpenAI, topic: str):
    model.script(
        {"match": topic, "tool_calls": [{"id": "<b>id", "name": "get_weather", "arguments": {"city": HOSTILE}}]},
        {"match": topic, "text": f"{topic} {HOSTILE}\n```js\nx = '{HOSTILE}' // {HOSTILE}\n```"},
    )
    name = "<img src=x onerror=pwned=1>"
    alice.files.create(file=(f"{name}.md", HOSTILE.encode()), purpose="assistants")
    alice.vector_stores.create(name=name)
    assistant = alice.beta.assistants.create(
        model="gpt-4o", name=f"{topic}{name}", description=HOSTILE, instructions=HOSTILE,
        metadata={"<b>": HOSTILE[:99]},
        tools=[{"type": "function", "function": {"name": "get_weather", "description": HOSTILE}}],
    )  # fmt: skip
    page.browser.refresh()
    page.click("#assistants button", topic)
    page.press("Edit", "#assistants li:has([aria-current])")
    assert page.labelled("Description", "dialog").get_attribute("value") == HOSTILE
    page.escape()
    page.say(f"{topic} {HOSTILE}".replace("\ue000", ""))
    page.labelled("Output of get_weather").send_keys(HOSTILE.replace("\ue000", ""))
    page.press("Submit outputs")
    page.find("article.assistant", topic)
    page.find("#run", "completed")
    assert "<script>pwned=1</script>" in page.find("article.assistant .comment").text
    page.run("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert page.run("return typeof pwned") == "undefined"
    assert page.run("return document.querySelectorAll('body :is(img, svg, script, iframe, style)').length") == 0
    hrefs: list[str] = page.run("return [...document.querySelectorAll('article a')].map(each => each.href)")
    assert hrefs
    assert [href for href in hrefs if not href.startswith("https://example.com/")] == []
    alice.beta.assistants.delete(assistant.id)


def test_markdown_is_shown_as_it_is_meant(page: Playground):
    shown = page.module(
        "markdown.js",
        """texts => texts.map(text => { const box = document.createElement('div'); box.append(found.markdown(text));
           const extra = /<button.*?<\\/button>| (class|tabindex|role|aria-label|target|rel|start)="[^"]*"/g
           return box.innerHTML.replace(extra, '')
           })""",
        list(MARKDOWN),
    )
    assert dict(zip(MARKDOWN, shown, strict=True)) == MARKDOWN


MARKDOWN = {
    "*a* **b _c_** ~~d~~ `*e*`": "<p><em>a</em> <strong>b <em>c</em></strong> <del>d</del> <code>*e*</code></p>",
    "snake_case_name 2*3*4": "<p>snake_case_name 2*3*4</p>",
    "# A\nb  \nc": "<h4>A</h4><p>b<br>c</p>",
    "- a\n- b\n  1. c\n  2. d\n": "<ul><li><span>a</span></li><li><span>b</span>"
    "<ol><li><span>c</span></li><li><span>d</span></li></ol></li></ul>",
    "```py\n<b>*x*\n```\nend": "<div><div><span>py</span></div><pre><code>&lt;b&gt;*x*</code></pre></div><p>end</p>",
    "```\nopen": "<div><div><span></span></div><pre><code>open</code></pre></div>",
    "|a|b|\n|-|:-:|\n|1|**2**|": "<div><table><thead><tr><th>a</th><th>b</th></tr></thead>"
    "<tbody><tr><td>1</td><td><strong>2</strong></td></tr></tbody></table></div>",
    "> a\n> > b": "<blockquote><p>a</p><blockquote><p>b</p></blockquote></blockquote>",
    "[a](https://e.com/b_(c)) https://e.com/d.": '<p><a href="https://e.com/b_(c)">a</a> '
    '<a href="https://e.com/d">https://e.com/d</a>.</p>',
    "[a](javascript:b) <i>": "<p>[a](javascript:b) &lt;i&gt;</p>",
    "\\*a\\*": "<p>*a*</p>",
}  # fmt: skip


def test_code_is_coloured_by_its_language(page: Playground):
    shown = page.module(
        "colours.js",
        """pairs => pairs.map(([language, text]) => { const box = document.createElement('div')
           box.append(...found.coloured(text, language)); return box.innerHTML })""",
        list(COLOURED),
    )
    assert [re.sub(r'<span class="(\w)\w*">(.*?)</span>', r"\1[\2]", each, flags=re.S) for each in shown] == list(
        COLOURED.values()
    )


COLOURED = {
    ("python", "def f(x1): # no\n  return 'a\\'b' + 1.5e3"): "w[def] f(x1): c[# no]\n  w[return] s['a\\'b'] + n[1.5e3]",
    ("py", '"""a\n"b""" \'open\nis'): 's["""a\n"b"""] s[\'open]\nw[is]',
    ("TS", "const a = `b\n${c}` /* d\n*/"): "w[const] a = s[`b\n${c}`] c[/* d\n*/]",
    ("sql", "SELECT a -- b"): "w[SELECT] a c[-- b]",
    ("json", '{"a" : ["b", null]}'): '{k["a"] : [s["b"], w[null]]}',
    ("bash", "if a#b; then $# # c"): "w[if] a#b; w[then] $# c[# c]",
    ("", "if 1"): "if 1",
    ("constructor", "if 1"): "if 1",
}  # fmt: skip


def test_a_failed_run_shows_the_remedy(page: Playground):
    failed = {"status": "failed", "last_error": {"code": "rate_limit_exceeded", "message": "Too many."}}
    cut = {"status": "incomplete", "incomplete_details": {"reason": "max_completion_tokens"}}
    told = page.module("trouble.js", "runs => runs.map(found.trouble)", [failed, cut, {"status": "completed"}])
    assert told[0] == "The run failed. Too many. Wait a little, then send the message again."
    assert "Answer tokens at most" in told[1]
    assert told[2] == ""


def test_a_link_to_a_file_is_a_button_in_a_line_of_code_and_a_text_in_a_block(page: Playground, alice: OpenAI):
    file = alice.files.create(file=("a.csv", b"a"), purpose="assistants").id
    link = "sandbox:/mnt/data/a.csv"
    places = [{"start_index": at, "end_index": at + len(link)} for at in (1, 31)]
    annotations = [{"type": "file_path", "text": link, "file_path": {"file_id": file}, **place} for place in places]
    text = {"value": f"`{link}`\n```\n{link}\n```", "annotations": annotations}
    message = {"id": "msg_a", "role": "assistant", "content": [{"type": "text", "text": text}]}
    shown = page.module(
        "messages.js",
        """message => { const view = found.messageView(); view.show(message)
           const shown = [...view.element.querySelectorAll('code, code button')]
           return shown.map(each => `${each.tagName} ${each.textContent}`) }""",
        message,
    )
    assert shown == [f"CODE {file}", f"BUTTON {file}", f"CODE {link}"]


def test_long_and_deep_markdown_is_shown_before_the_browser_gives_up(page: Playground):
    texts = [
        "a" + "*" * 20_000,
        "[" * 20_000,
        "> " * 5_000 + "a",
        "`" * 9_999 + " a",
        "**a" * 5_000,
        "a|" * 20_000 + "\n" + "|-" * 9_000 + "|",
        *(
            f"```{language}\n{piece * 20_000}"
            for language in ("py", "js", "json")
            for piece in ("'\\", '"\\"', "/*", "1_")
        ),
    ]
    shown = page.module("markdown.js", "texts => texts.map(each => found.markdown(each).textContent !== '')", texts)
    assert shown == [True] * len(texts)


def test_a_json_schema_is_checked_as_it_is_typed(page: Playground):
    page.press("New assistant")
    page.press("Add function", "dialog")
    page.write("Parameters", '{"type": "object", "properties": {"a": {"type": "text"}}, "required": ["b"]}')
    page.find("dialog .wrong", '"text" is no type')
    page.find("dialog .wrong", '"b" is not among the properties')
    page.write("Parameters", '{"type": ')
    page.find("dialog .wrong", "This is not JSON")
    page.write("Function name", "f")
    page.press("Save", "dialog")
    page.find("dialog [role=alert]", "This is not JSON")
    page.write("Parameters", WEATHER)
    page.click("dialog label.tick", "strict")
    page.find("dialog .wrong", '"strict" needs "additionalProperties": false')
    page.escape()


def test_the_code_to_copy_repeats_the_users_actions(page: Playground, alice: OpenAI, topic: str):
    page.make_assistant(f"{topic} 'it' \"is\" é", (("get_weather", WEATHER),))
    page.press("Python", "#calls")
    code = page.find("#calls pre").text
    page.press("curl", "#calls")
    page.find("#calls pre", "curl -X POST")
    assert "it'\\''" in page.find("#calls pre").text
    printed: list[Any] = []
    exec(code.replace("YOUR_KEY", ALICE), {"print": printed.append})
    (again,) = printed
    found = [each for each in alice.beta.assistants.list(limit=10).data if each.name == again.name]
    assert len(found) == 2
    assert json.loads(found[0].model_dump_json())["tools"] == json.loads(found[1].model_dump_json())["tools"]
