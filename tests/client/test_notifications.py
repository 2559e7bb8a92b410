"""The standard client of SignalR receives states of runs from another process than the one that it is connected to."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from assistants.local import npm
from assistants.local.azurite import Storage
from tests.node.packages import SIGNALR, has_signalr, signalr
from tests.support.sdk.client import connect
from tests.support.sdk.conversation import Conversation, unique
from tests.support.service.processes import ROOT, HttpSide, Model, Service

pytestmark = pytest.mark.direct("a proxy has no hub")


@pytest.fixture
def elsewhere(azurite: Storage, model: Model) -> Iterator[HttpSide]:
    """A process beside the service that drives no runs."""
    with HttpSide(azurite.connection_string, model.url, NOTIFICATIONS="true") as side:
        yield side


def test_every_state_of_a_run_that_another_process_drives_arrives(service: Service, elsewhere: HttpSide):
    version = SIGNALR[-1]
    if not has_signalr(version):
        pytest.skip(f"@microsoft/signalr {version} is not installed: make node")
    with connect(service.url) as client:
        before = Conversation(client, unique())
        before.reaches("completed")
        thread = before.thread_id
        assistant = client.beta.assistants.create(model="demo").id
        script = ROOT / "tests" / "node" / "notifications.mjs"
        url = elsewhere.url.removesuffix("/v1")
        command = [npm.node(), script, signalr(version), url, "a-key", "ServerSentEvents", "1", thread]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listener:
            try:
                assert listener.stdout is not None
                assert json.loads(listener.stdout.readline()) == "connected"
                Conversation(client, unique())  # on another thread
                client.beta.threads.runs.create(thread, assistant_id=assistant)
                heard = [json.loads(line) for line in listener.stdout]
            finally:
                listener.kill()
    assert [each["status"] for each in heard] == ["queued", "in_progress", "completed"]
    assert {each["thread_id"] for each in heard} == {thread}
