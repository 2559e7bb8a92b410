"""The documents name things that exist: paths, headings, targets, versions of the SDKs, and each deployed file."""

import fnmatch
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.packages import AGENTS, VERSIONS
from tests.support.imports import ROOT

README = ROOT / "README.md"
PAGES = sorted(ROOT.glob("docs/*.md"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *PAGES, ROOT / ".github" / "pull_request_template.md"])
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
SUFFIXES = "py|md|txt|toml|json|jsonl|example|yaml|yml|mjs|js"
MADE = {".venv", ".data", "local.settings.json", "missing.txt", "path/to/ca.pem"}
"""Paths that are made later."""

DEPLOYED = {"assistants/", "function_app.py", "host.json", "requirements.txt"}


def spans(text: str) -> list[str]:
    """The texts between backticks, with the blocks of code."""
    blocks = re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)
    return [*blocks, *re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))]


def paths(text: str) -> Iterator[str]:
    """The texts that look like a path of the repository: a link, a name with a suffix, a name under a folder."""
    folders = "|".join(re.escape(each.name) for each in ROOT.iterdir() if each.is_dir())
    yield from (link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in link)
    for span in spans(text):
        if re.fullmatch(rf"[\w.-]+(/[\w.-]+)*\.({SUFFIXES})|({folders})(/[\w.-]+)*/?|[\w-]+(/[\w-]+)*/", span):
            yield span
        elif " " in span:
            yield from re.findall(rf"(?<![\w./-])(?:{folders})/[\w./-]+\.(?:{SUFFIXES})\b", span)


def links(text: str) -> list[tuple[str, str]]:
    """The links to a heading of a document, as its path (empty: of the same document) and the heading's anchor."""
    return re.findall(r"\]\(((?:[\w./-]+\.md)?)#([^)\s]+)\)", text)


def anchors(text: str) -> set[str]:
    """The anchors of the headings, as GitHub makes them: small letters, no punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def rows(text: str) -> list[list[str]]:
    """The cells of each row of each table; of a link its text alone."""
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
    return [line.strip("| ").split(" | ") for line in plain.splitlines() if re.match(r"\| *[^-| ]", line)]


def exists(path: str, document: Path) -> bool:
    """From the root, beside the document, or by its end within the code, as `engine/machine.py` and `test_races.py`."""
    if path in MADE or (ROOT / path).exists() or (document.parent / path).exists():
        return True
    return any(any((ROOT / folder).glob(f"**/{path}")) for folder in ("assistants", "tests", "benchmarks"))


def is_program(module: Path) -> bool:
    """Whether `python -m` runs the module of this path, which has no suffix."""
    return module.with_suffix(".py").exists() or (module / "__main__.py").exists()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_path_that_is_named_exists(document: Path):
    named = list(paths(document.read_text(encoding="utf-8")))
    assert [path for path in named if not exists(path, document)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_heading_that_is_linked_exists(document: Path):
    linked = links(document.read_text(encoding="utf-8"))
    targets = [(document.parent / path if path else document, anchor) for path, anchor in linked]
    assert [
        f"{path.name}#{anchor}" for path, anchor in targets if anchor not in anchors(path.read_text(encoding="utf-8"))
    ] == []


def test_a_link_to_a_heading_is_found_in_a_text():
    assert links("[a](b/c.md#d-e), [f](#g), [h](i.md), [j](https://k.org/l.md#m)") == [("b/c.md", "d-e"), ("", "g")]
    assert anchors("# `azd up`\n## 7.4 A run, and `x_y`\n```sh\n# no heading\n```\n") == {
        "azd-up", "74-a-run-and-x_y",
    }  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_says_in_its_first_sentence_for_whom_it_is(page: Path):
    title, first = page.read_text(encoding="utf-8").split("\n\n")[:2]
    assert re.fullmatch(r"# \S.*", title)
    assert first.startswith("For ")


def test_the_readme_is_short_has_the_picture_near_its_top_and_lists_every_page():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 320
    assert any(line.startswith("![") and "(docs/playground.png)" in line for line in lines[:12])
    index = "\n".join(lines[lines.index("## Documentation") :])
    assert {path.relative_to(ROOT).as_posix() for path in PAGES} <= set(paths(index))


@pytest.mark.parametrize(
    ("first", "page"),
    [("run create to completed, polled, ms", "performance.md"), ("Flex Consumption", "deploy.md")],
)
def test_a_table_that_the_readme_shortens_says_the_same_on_its_page(first: str, page: str):
    """Each row of the README's table begins a row of the page's."""
    tables = re.split(r"\n\n+", README.read_text(encoding="utf-8"))
    (table,) = [rows(each) for each in tables if f"\n| {first} |" in each]
    long = rows((ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert [row for row in table if row not in [each[: len(row)] for each in long]] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_make_target_that_is_named_exists(document: Path):
    code = "\n".join(spans(document.read_text(encoding="utf-8")))
    named = set(re.findall(r"(?:^|[ (])make ([a-z]+(?:-[a-z]+)*)", code, re.MULTILINE))
    assert named <= TARGETS | {"sure"}  # of an error


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_that_is_to_be_run_exists(document: Path):
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"python -m ((?:assistants|benchmarks|tests)(?:\.\w+)*)", text)
    assert [name for name in named if not is_program(ROOT.joinpath(*name.split(".")))] == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("See `engine/gone.py` and `tests/unit/`.", ["engine/gone.py", "tests/unit/"]),
        ("[A page](docs/gone.md#part), [another](https://example.com/x.md)", ["docs/gone.md"]),
        ("```sh\npython tests/gone.py\n```", ["tests/gone.py"]),
        ("`tests/gone` `LOOK_AGAIN` `/v1/models` `docs` `gone.py`", ["tests/gone", "docs", "gone.py"]),
        ("`chat/completions`, `application/json`, `OpenAI-Beta: assistants=v2`", []),
    ],
)
def test_a_path_is_found_in_a_text(text: str, named: list[str]):
    assert list(paths(text)) == named
    assert [each for each in named if "gone" in each] == [each for each in named if not exists(each, README)]


def test_the_documents_name_paths_and_targets():
    named = {path for page in (README, ROOT / "docs" / "architecture.md") for path in paths(page.read_text("utf-8"))}
    assert {"docs/reliability.md", "examples/quickstart.py", "assistants/schema"} <= named
    assert {"help", "setup", "test", "unit"} <= TARGETS


def test_make_help_explains_every_target():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE)) == TARGETS


def test_the_page_of_clients_lists_the_versions_of_the_sdks_that_are_tested():
    _, _, section = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8").partition("## Tested versions")
    listed = re.findall(r"^\| openai-(?:python|node) \| `([^`]+)`", section, re.MULTILINE)
    matrix = ROOT / "tests" / "matrix"
    named = [path.stem for path in matrix.glob("*.txt") if not path.stem.startswith("agents-")]
    assert sorted(listed) == sorted([*named, *VERSIONS])
    agents = re.findall(r"^\| azure-ai-agents \| `([^`]+)`", section, re.MULTILINE)
    pins = [
        re.findall(r"==([\w.]+)", path.read_text(encoding="utf-8"))[0] for path in sorted(matrix.glob("agents-*.txt"))
    ]
    assert len(agents) == len(pins)
    assert all(version.startswith(pin) for version, pin in zip(agents, pins, strict=True))
    assert re.findall(r"^\| @azure/ai-agents \| `([^`]+)`", section, re.MULTILINE) == [AGENTS]


def test_only_the_app_is_deployed():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a clone")
    top = {name.split("/")[0] + "/" * ("/" in name) for name in listed.stdout.splitlines()}
    kept_out = (ROOT / ".funcignore").read_text(encoding="utf-8").split()
    assert {name for name in top if not any(fnmatch.fnmatch(name, each) for each in kept_out)} == DEPLOYED
