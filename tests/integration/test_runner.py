"""The local runner without any configuration: its own Azurite, the demo model, and a clean end."""

import signal
import time
from pathlib import Path

import pytest

from assistants.local.azurite import Azurite
from tests.support.sdk.client import connect
from tests.support.sdk.talk import ask, text_of
from tests.support.service.processes import Model, Process, eventually


def runner(data: Path) -> Process:
    return Process(["assistants.local", "--port", "0", "--data", str(data)])


def said(process: Process, text: str) -> str:
    """The answer of a new assistant."""
    with connect(process.url) as client:
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be kind.")
        run = ask(client, assistant.id, text)
        return text_of(client.beta.threads.messages.list(run.thread_id).data[0])


def test_a_newcomer_gets_an_answer_and_everything_ends_with_the_runner(tmp_path: Path):
    with runner(tmp_path) as process:
        assert said(process, "Is anybody there?") == "You said: Is anybody there?"
        assert any("demo model" in line for line in process.lines)
        assert any("/docs" in line for line in process.lines)
        assert process.stop() == 0
    assert not Azurite(tmp_path).running()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_stored_objects_exist_at_the_next_start_however_the_runner_ended(tmp_path: Path, number: signal.Signals):
    with runner(tmp_path) as process, connect(process.url) as client:
        made = [client.beta.assistants.create(model=f"model-{n}").id for n in range(5)]
        process.end(number)
    with runner(tmp_path) as process, connect(process.url) as client:
        assert [each.id for each in client.beta.assistants.list()] == made[::-1]


def test_a_second_runner_shares_the_storage_and_keeps_it_when_the_first_one_ends(tmp_path: Path):
    with runner(tmp_path) as first, runner(tmp_path) as second:
        with connect(first.url) as client:
            made = client.beta.assistants.create(model="gpt-4o").id
        first.stop()
        with connect(second.url) as client:
            assert client.beta.assistants.retrieve(made).id == made
        assert said(second, "Still there?") == "You said: Still there?"


def test_a_run_in_progress_at_the_end_is_finished_after_the_next_start(tmp_path: Path, model: Model):
    settings = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "test"}
    arguments = ["assistants.local", "--port", "0", "--data", str(tmp_path)]
    topic = f"runner-{time.time_ns()}"
    model.script({"match": topic, "text": "a b c d", "chunk_delay": 5})
    with Process(arguments, settings) as process, connect(process.url) as client:
        assistant = client.beta.assistants.create(model="gpt-4o")
        thread = client.beta.threads.create(messages=[{"role": "user", "content": topic}])
        run = client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
        eventually(lambda: model.requests(topic))
        process.signal(signal.SIGINT)
        process.end(signal.SIGINT)
    with Process(arguments, settings) as process, connect(process.url) as client:
        ended = client.beta.threads.runs.poll(run.id, thread_id=thread.id)
        assert (ended.status, len(client.beta.threads.messages.list(thread.id).data)) == ("completed", 2)
