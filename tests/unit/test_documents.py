"""The documents name things that exist: paths, make targets, the versions of the SDKs, and each deployed file."""

import fnmatch
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.packages import AGENTS, VERSIONS
from tests.support.imports import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / ".github" / "pull_request_template.md"])
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


def exists(path: str, document: Path) -> bool:
    """From the root, beside the document, or by its end within the code, as `engine/machine.py` and `test_races.py`."""
    if path in MADE or (ROOT / path).exists() or (document.parent / path).exists():
        return True
    return any(any((ROOT / folder).glob(f"**/{path}")) for folder in ("assistants", "tests", "benchmarks"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_path_that_is_named_exists(document: Path):
    named = list(paths(document.read_text(encoding="utf-8")))
    assert [path for path in named if not exists(path, document)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_make_target_that_is_named_exists(document: Path):
    code = "\n".join(spans(document.read_text(encoding="utf-8")))
    named = set(re.findall(r"(?:^|[ (])make ([a-z]+(?:-[a-z]+)*)", code, re.MULTILINE))
    assert named <= TARGETS | {"sure"}  # of an error


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
    document = ROOT / "README.md"
    assert [each for each in named if "gone" in each] == [each for each in named if not exists(each, document)]


def test_the_documents_name_paths_and_targets():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {"docs/reliability.md", "examples/quickstart.py", "assistants/schema"} <= set(paths(text))
    assert {"help", "setup", "test", "unit"} <= TARGETS


def test_make_help_explains_every_target():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE)) == TARGETS


def test_the_readme_lists_the_versions_of_the_sdks_that_are_tested():
    _, _, section = (ROOT / "README.md").read_text(encoding="utf-8").partition("### Which client versions")
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
