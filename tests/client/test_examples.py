"""The examples, and the programs in the documents, run as their text describes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from assistants.tools.code_interpreter.local.availability import available
from tests.support.service.processes import ROOT, Service


def run(name: str, service: Service, folder: Path | None = None) -> list[str]:
    """The output of an example, line by line, with only the service's URL configured; in a folder, if one is given."""
    environment = {"PATH": os.environ["PATH"], "BASE_URL": service.url, "PYTHONIOENCODING": "utf-8"}
    example = subprocess.run(
        [sys.executable, ROOT / "examples" / name],
        env=environment,
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert (example.returncode, example.stderr) == (0, "")
    return example.stdout.splitlines()


def execute(document: str, number: int, service: Service, **names: Any) -> dict[str, Any]:
    """The names after one of a document's Python programs, with the service's URL in place of the default one."""
    programs = re.findall(r"^```python\n(.*?)^```", (ROOT / document).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    exec(programs[number].replace("http://127.0.0.1:7071", service.url.removesuffix("/v1")), names)
    return names


def test_quickstart_holds_a_conversation(service: Service):
    assert run("quickstart.py", service) == [
        "user: Hello, is anybody there?",
        "assistant: You said: Hello, is anybody there?",
        "user: What did I just ask you?",
        "assistant: You said: What did I just ask you?",
    ]


def test_function_tools_makes_two_parallel_calls(service: Service):
    assert run("function_tools.py", service) == [
        'calls get_time({"city": "Oslo"})',
        'calls get_weather({"city": "Oslo"})',
        "user: Get time and get weather for Oslo, please.",
        "assistant: get_time: 14:05 and get_weather: snow, -3 °C",
    ]


def test_retrieval_mixes_a_tool_of_the_service_with_a_function(service: Service):
    assert run("retrieval.py", service) == [
        "asks us for get_weather",
        "called retrieval, function",
        "user: Ask retrieval where we are, and get weather, please.",
        "assistant: retrieval: Oslo and get_weather: snow, -3 °C",
    ]


def test_file_search_answers_from_files_and_cites_them(service: Service):
    spire = "The spire of Strasbourg is 142 metres high."
    assert run("file_search.py", service) == [
        f"assistant: file_search: {spire}[1]",
        f'[1] cathedrals.md: "{spire}"',
    ]


def test_streaming_prints_the_answer_while_it_arrives(service: Service):
    assert run("streaming.py", service) == [
        'calls get_weather({"city": "Lima"})',
        "assistant: get_weather: sunshine, 24 °C",
    ]


def test_local_model_streams_a_conversation(service: Service):
    assert run("local_model.py", service) == [
        "user: Which fruits are yellow?",
        "assistant: You said: Which fruits are yellow?",
        "user: And which of them are sour?",
        "assistant: You said: And which of them are sour?",
    ]


def test_azure_openai_names_models_that_the_service_maps_to_deployments(service: Service):
    assert run("azure_openai.py", service) == [
        "gpt-4o: You said: Hello, is anybody there?",
        "gpt-4o-mini: You said: Hello, is anybody there?",
    ]


@pytest.mark.skipif(bool(available()), reason=str(available()))
def test_code_interpreter_prints_logs_and_saves_a_plot(service: Service, tmp_path: Path):
    logs, image, answer, *_ = run("code_interpreter.py", service, tmp_path)
    assert logs == "logs: Sum: 360"
    assert image.startswith("image: plot.png, ")
    assert answer == "assistant: code_interpreter: Sum: 360"
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_the_program_in_the_readme_holds_a_conversation(service: Service, capsys: pytest.CaptureFixture[str]):
    execute("README.md", 0, service)
    assert capsys.readouterr().out.splitlines() == ["user: Hello!", "assistant: You said: Hello!"]


@pytest.mark.parametrize("number", [0, 1])
def test_the_clients_in_their_document_reach_the_service(service: Service, number: int):
    client: OpenAI = execute("docs/clients.md", number, service)["client"]
    assistant = client.beta.assistants.create(model="gpt-4o")
    assert client.beta.assistants.retrieve(assistant.id) == assistant


def test_the_requests_that_wait_in_their_document_answer_the_run(service: Service):
    client: OpenAI = execute("docs/clients.md", 0, service)["client"]
    assistant = client.beta.assistants.create(model="gpt-4o")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
    run = client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    assert (
        execute("docs/notifications.md", 0, service, client=client, run=run, thread=thread)["run"].status == "completed"
    )


def test_the_vector_store_in_its_document_is_filled_and_searched(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copy(ROOT / "tests/data/files/columns.pdf", tmp_path / "manual.pdf")
    monkeypatch.chdir(tmp_path)
    client: OpenAI = execute("docs/clients.md", 0, service)["client"]
    store = execute("docs/files.md", 0, service, client=client)["store"]
    assert client.vector_stores.search(store.id, query="a word").data[0].filename == "manual.pdf"
