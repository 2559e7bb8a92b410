"""The trial of an endpoint: its table for the demo model, and for each quirk of an endpoint."""

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from assistants.local.trial import table
from assistants.local.trial.__main__ import main
from assistants.local.trial.trial import Trial
from assistants.local.trial.verdicts import State, Verdict, shown
from assistants.model.endpoint import Endpoint
from assistants.settings import Settings
from tests.support.imports import ROOT
from tests.support.service.embedding_quirks import CHUNKS, EMBEDDING_QUIRKS
from tests.support.service.quirks import CALLS, GIVEN_BACK, KEY, LENGTHS, PLAIN, QUIRKS, SUNNY, Quirks
from tests.support.service.upstream import Answer, Asked

module_loop = pytest.mark.asyncio(loop_scope="module")

OF_CALLS = {
    *CALLS, *GIVEN_BACK, "whole-with-calls", "whole-with-calls-as-an-event", "no-end-of-arguments", "no-end-of-a-call",
    "many-calls-at-once",
}  # fmt: skip
OTHER_ERRORS = {
    "refuses-all-in-other-words": "Cannot take 3.",
    "alternating-without-system": "Conversation roles must alternate user/assistant/user/assistant/...",
}
"""Results of the battery's requests that differ from those of the runs in the quirks' table."""

LEARNT = {
    "no-stream-options": ["stream_options"],
    "no-temperature": ["temperature"],
    "no-temperature-but-one": ["temperature"],
    "no-parallel-calls": ["parallel_tool_calls"],
    "no-top-p-and-no-stream-options": ["stream_options", "top_p"],
    "no-max-completion-tokens": ["max_completion_tokens is sent as max_tokens."],
    "no-stream": ["Answers come whole: streaming is refused."],
    "no-system": ["Instructions are sent with the role user, in place of system."],
    "developer": ["Instructions are sent with the role developer, in place of system."],
    "alternating": ["Messages of one role in a row are sent as one."],
    "reasoning-that-is-refused": ["reasoning_content of earlier answers is not given back: it is refused."],
}
"""The learnt properties: the parameters that are left out, or whole lines."""

ESTIMATED = "Tokens are estimated: the endpoint reports none."
REPORTING = ("huge-usage", "content-list")
GIVEN = {"reasoning-content": "reasoning_content", "thought-signature": "extra_content"}
LEARNT_OF_EMBEDDINGS = {
    "five-at-once": "Embeddings are asked for 3 texts at a time: more are refused.",
    "one-at-once": "Embeddings are asked for one text at a time: more are refused.",
    "few-tokens-at-once": "Of a longer text, the first 400 tokens or so are embedded",
    "short-texts": "Of a longer text, the first 100 tokens or so are embedded",
    "short-texts-in-other-words": "Of a longer text, the first 100 tokens or so are embedded",
}


class Tried(Quirks):
    """The endpoint; quirks of calls apply if functions are offered, and one of images if there is an image."""

    def choose(self, asked: Asked) -> Answer:
        body = json.loads(asked.body)
        if body["model"] == "late":
            return Answer([], silence=5)
        name = body["model"].partition("@")[0]
        text = (name in OF_CALLS and "tools" not in body) or (name == "refuses-an-image" and b"data:" not in asked.body)
        return PLAIN(body, asked) if text else super().choose(asked)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Tried]:
    with Tried() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model(endpoint: Tried) -> AsyncIterator[Endpoint]:
    model = Endpoint(settings(endpoint))
    yield model
    await model.close()


def settings(endpoint: Tried, embedding: str = "as-they-should-be") -> Settings:
    values = {"OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": KEY, "MODEL_RETRIES": "1"}
    return Settings.model_validate({**values, "EMBEDDING_MODEL": embedding})


async def tried(trial: Trial) -> dict[str, Verdict]:
    rows = [row async for row in trial.rows()]
    printed = "\n".join([*(table.row(row, 100) for row in rows), table.learnt(trial.learnt(), 100)])
    assert KEY not in printed
    return {row.name: row for row in rows}


@module_loop
@pytest.mark.parametrize("name", QUIRKS)
async def test_the_row_that_a_quirk_shows(
    endpoint: Tried, model: Endpoint, name: str, caplog: pytest.LogCaptureFixture
):
    quirk, trial = QUIRKS[name], Trial(settings(endpoint), model, name, 30)
    rows, learnt = await tried(trial), trial.learnt()
    row = rows["parallel calls" if name in OF_CALLS else "image" if name == "refuses-an-image" else "text"]
    if error := OTHER_ERRORS.get(name) or (quirk.error if name not in LEARNT else None):
        assert row.state is State.FAILS
        assert row.said.startswith(shown(error))
        assert row.name != "text" or rows["stream"].state is State.UNTRIED
    elif quirk.status == "incomplete":
        assert (row.state, row.said[:40]) == (State.FAILS, "The answer was cut off before its first ")
    elif name in OF_CALLS:
        assert row.state is (State.WORKS if len(quirk.calls) == 2 else State.PARTLY)
        assert all(f"{called}({given})" in row.said for called, given in quirk.calls)
        given_back = f" Given back with the calls: {GIVEN[name]}." if name in GIVEN else ""
        assert rows["call outputs"].state is State.WORKS
        assert rows["call outputs"].said.startswith(f"It answers with them: {SUNNY}{given_back}")
    else:
        assert row.state is State.WORKS
        assert row.said.startswith(f"It answers: {quirk.text or SUNNY}")
        assert (" It was asked again after: " in row.said) == (quirk.asked == 2 and quirk.again is None)
    cut = name in LENGTHS and quirk.status == "completed"
    assert (rows["long prompt"].said.startswith("It refuses the prompt for its length.")) == cut
    assert any(line.startswith("Longer prompts than about") for line in learnt) == cut
    others = [line for line in learnt if line != ESTIMATED and not line.startswith("Longer")]
    assert [line.partition(" is left out")[0] for line in others] == LEARNT.get(name, [])
    assert (ESTIMATED in learnt) == (rows["text"].state is not State.FAILS and name not in REPORTING)
    assert rows["embeddings"].state is State.WORKS
    assert KEY not in caplog.text


@module_loop
@pytest.mark.parametrize("name", EMBEDDING_QUIRKS)
async def test_the_row_that_a_quirk_of_embeddings_shows(endpoint: Tried, name: str, caplog: pytest.LogCaptureFixture):
    quirk, read = EMBEDDING_QUIRKS[name], settings(endpoint, name)
    model = Endpoint(read)
    trial = Trial(read, model, "no-done", 30)
    rows = await tried(trial)
    row, having = rows["embeddings"], CHUNKS - len(quirk.without)
    if quirk.error:
        assert row.state is State.FAILS
        assert row.said.startswith(quirk.error.partition(": ")[2])
    elif having == 0:
        words = "This server does not support embeddings." if name == "no-embeddings" else f"None of {CHUNKS} texts"
        assert row.state is State.FAILS
        assert row.said.startswith(words)
        assert "EMBEDDING_MODEL" in row.advice
    elif having < CHUNKS:
        assert (row.state, row.said[:8]) == (State.PARTLY, f"{having} of {CHUNKS}")
    else:
        assert (row.state, row.said) == (State.WORKS, f"{CHUNKS} texts got vectors of 2 dimensions.")
    learnt = " ".join(trial.learnt())
    assert LEARNT_OF_EMBEDDINGS.get(name, ESTIMATED) in learnt
    assert ("refused" in learnt) == (name in LEARNT_OF_EMBEDDINGS)
    await model.close()
    assert KEY not in caplog.text


@module_loop
async def test_a_check_that_takes_too_long_is_given_up(endpoint: Tried, model: Endpoint):
    rows = await tried(Trial(settings(endpoint), model, "late", 0.5))
    assert rows["text"].said == "There was no whole answer in time."
    assert "--seconds" in rows["text"].advice


def command(folder: Path, values: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command in a folder whose local.settings.json has these values."""
    (folder / "local.settings.json").write_text(json.dumps({"Values": values}), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "assistants.local.trial", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii", "COLUMNS": "100"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


def test_the_command_tries_the_demo_model_where_none_is_configured(tmp_path: Path):
    done = command(tmp_path, {})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Model: the demo model")
    assert dict(re.findall(r"^(\S.*?)  +(yes|partly|no|not tried)  ", done.stdout, re.MULTILINE)) == {
        "text": "yes", "stream": "yes", "parallel calls": "yes", "call outputs": "yes", "long prompt": "partly",
        "json_schema": "no", "image": "partly", "embeddings": "yes",
    }  # fmt: skip


def test_the_command_fails_where_there_is_no_text_and_prints_no_key(tmp_path: Path, endpoint: Tried):
    where = endpoint.url.replace("//", f"//user:{KEY}@") + f"?key={KEY}"
    done = command(
        tmp_path,
        {"OPENAI_BASE_URL": where, "OPENAI_API_KEY": KEY, "MODEL": "error-with-the-key", "EMBEDDING_MODEL": "none"},
    )
    assert done.returncode == 1
    assert "Model:       gpt-4o, which is error-with-the-key there\n" in done.stdout
    assert "text            no         " in done.stdout
    assert "-> Set OPENAI_API_KEY to a key that the endpoint takes." in done.stdout
    assert KEY not in done.stdout + done.stderr


def test_the_command_tries_no_model_where_another_service_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BACKEND", "proxy")
    monkeypatch.setattr(sys, "argv", ["trial"])
    assert main() == 1
    assert capsys.readouterr() == ("", "BACKEND is proxy: the other service has the model.\n")
