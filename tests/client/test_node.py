"""openai-node, in three of its versions: create, poll, tools and streams; and the example for it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from assistants.local import npm
from tests.node.packages import SIGNALR, VERSIONS, agents, folder, has_agents, has_signalr, installed, signalr
from tests.support.sdk.events import CALLS_BEGIN, MESSAGE_BEGINS, MESSAGE_ENDS, RUN_BEGINS
from tests.support.service.processes import ROOT, Service

SAID = ["get weather for Oslo", "get_weather: sunny in Oslo"]


def node(script: Path, *arguments: str, **environment: str) -> str:
    """The output of a script."""
    ran = subprocess.run(
        [npm.node(), script, *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def needs(version: str) -> None:
    if not installed(version):
        pytest.skip(f"openai-node {version} is not installed: make node")


@pytest.mark.parametrize("version", VERSIONS)
def test_openai_node_creates_polls_answers_tool_calls_and_streams(version: str, service: Service):
    needs(version)
    script = ROOT / "tests" / "node" / "conversation.mjs"
    assert json.loads(node(script, str(folder(version)), service.url)) == {
        "version": version,
        "polled": {"status": "completed", "said": ["Hello", "You said: Hello"]},
        "tools": {"status": "requires_action", "ended": "completed", "said": SAID},
        "streamed": {
            "first": [*RUN_BEGINS, *CALLS_BEGIN, "thread.run.requires_action"],
            "second": [
                "thread.run.step.completed", "thread.run.queued", "thread.run.in_progress", *MESSAGE_BEGINS,
                *MESSAGE_ENDS, "thread.run.completed",
            ],
            "text": SAID[1],
            "said": SAID,
            "stored": "completed",
        },
    }  # fmt: skip


def test_the_client_of_azure_ai_agents_creates_polls_answers_tool_calls_streams_and_uploads(service: Service):
    if not has_agents():
        pytest.skip("@azure/ai-agents is not installed: make node")
    endpoint = f"{service.url.removesuffix('/v1')}/api/projects/any"
    assert json.loads(node(ROOT / "tests" / "node" / "agents.mjs", str(agents()), endpoint)) == {
        "name": "Weather",
        "polled": {"status": "completed", "said": ["Hello", "You said: Hello"]},
        "tools": {"status": "requires_action", "ended": "completed", "said": SAID},
        "streamed": {
            "first": ["thread.run.created", "thread.run.queued", "thread.run.in_progress"],
            "last": ["thread.run.completed", "done"],
            "text": "You said: Hello",
        },
        "store": {"status": "completed", "completed": 1, "filename": "spire.txt"},
        "refused": {"status": 400, "code": "unsupported_tool", "tool": True},
    }


def test_the_example_calls_functions_and_streams_the_answer(service: Service, tmp_path: Path):
    """The example runs as its text describes: beside its own `node_modules`."""
    needs(VERSIONS[-1])
    (tmp_path / "node_modules").symlink_to(folder(VERSIONS[-1]) / "node_modules", target_is_directory=True)
    example = tmp_path / "functions.mjs"
    example.write_bytes((ROOT / "examples" / "node" / "functions.mjs").read_bytes())
    assert node(example, BASE_URL=service.url).splitlines() == [
        'calls get_time({"city":"Oslo"})',
        'calls get_weather({"city":"Oslo"})',
        "get_time: 14:05 and get_weather: snow, -3 °C",
    ]


@pytest.mark.direct("a proxy has no hub")
def test_the_example_receives_a_runs_states(service: Service, tmp_path: Path):
    needs(VERSIONS[-1])
    if not has_signalr(SIGNALR[-1]):
        pytest.skip(f"@microsoft/signalr {SIGNALR[-1]} is not installed: make node")
    modules = tmp_path / "node_modules"
    modules.mkdir()
    (modules / "openai").symlink_to(folder(VERSIONS[-1]) / "node_modules" / "openai", target_is_directory=True)
    (modules / "@microsoft").symlink_to(signalr(SIGNALR[-1]) / "node_modules" / "@microsoft", target_is_directory=True)
    example = tmp_path / "notifications.mjs"
    example.write_bytes((ROOT / "examples" / "node" / "notifications.mjs").read_bytes())
    told = node(example, BASE_URL=service.url).splitlines()
    assert told == ["queued", "in_progress", "completed", "You said: Good morning!"]
