"""Old and new versions of the SDK hold the same conversation, through each of their clients.

`make matrix` installs the versions, from the requirements in `*.txt` beside this file.
"""

import subprocess
from pathlib import Path

import pytest

from assistants.tools.code_interpreter.local.availability import available
from tests.support.sdk.client import CLIENTS
from tests.support.service.processes import ROOT, Service

HERE = Path(__file__).parent
_ALL = sorted(path.stem for path in HERE.glob("*.txt"))
OF_AGENTS = [version for version in _ALL if version.startswith("agents-")]
VERSIONS = [version for version in _ALL if version not in OF_AGENTS]
CONVERSATION = """\
assistant: Clock {'a': 'b'} get_time
run: completed True
tools: requires_action get_time {}
locked: BadRequestError req_: Can't add messages to THREAD while a run RUN is active.
outputs: completed
messages: ['Hello', 'You said: Hello', 'Please get_time', 'get_time: noon']
steps: ['message_creation', 'tool_calls']
runs: ['completed', 'completed']
cancel: True
CODE
refused: BadRequestError req_: Invalid 'top_p': decimal above maximum value. Expected a value <= 1, but got 2 instead.
deleted: ['thread.deleted', 'assistant.deleted']
missing: NotFoundError req_: No thread found with id 'THREAD'.
"""

WITH_AGENTS = """\
run: completed True
by hand: requires_action get_time
streamed: get_time: noon
messages: ['Hello', 'You said: Hello', 'Please get_time', "get_time: one o'clock", 'Again get_time', 'get_time: noon']
steps: ['message_creation', 'tool_calls']
content: b'The spire is high.'
batch: completed 1
search: True
cancel: True
hosted: 400 unsupported_tool
missing: ResourceNotFoundError No assistant found with id 'AGENT'.
"""


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_holds_the_same_conversation(service: Service, version: str, client: str):
    done = run("scenario.py", version, client, service.url)
    code = "code: failed [] []" if available() else "code: completed ['42\\n2\\n'] [b'84']"
    assert (done.returncode, done.stdout) == (0, CONVERSATION.replace("CODE", code)), done.stderr


@pytest.mark.parametrize("client", ["AgentsClient", "AIProjectClient"])
@pytest.mark.parametrize("version", OF_AGENTS)
def test_every_version_of_azure_ai_agents_holds_the_same_conversation(service: Service, version: str, client: str):
    done = run("agents.py", version, client, service.url)
    assert (done.returncode, done.stdout) == (0, WITH_AGENTS), done.stderr


def run(script: str, version: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A script beside this file, in the environment of a version."""
    python = ROOT / ".venv" / "matrix" / version / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{version} is not installed: make matrix")
    return subprocess.run(
        [python, "-W", "ignore::DeprecationWarning", HERE / script, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
    )
