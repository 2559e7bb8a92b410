"""schemathesis against the running service: requests made from the reference, valid or not, every answer checked."""

import json
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from openai import OpenAI

from assistants.local.azurite import Azurite
from tests.support.reference.document import SUPPLEMENT, Schema, operations, reference
from tests.support.reference.routes import one_of_each
from tests.support.sdk.client import connect
from tests.support.service.processes import Model, Service

KEY = "key-of-the-fuzzer"
REQUESTS = 20
"""Requests per operation, besides about 150 that try its constraints one by one."""
STREAMED = ("createRun", "createThreadAndRun", "submitToolOuputsToRun")
"""Operations that return events on request, which the reference does not state."""
UNTRIED = [*SUPPLEMENT["absent"], *SUPPLEMENT["forms"]]
UNCHECKED = [
    "positive_data_acceptance",  # a valid request may be refused: an object does not exist, or a run is active
    "unsupported_method",  # threads can be listed here, and no answer has an `Allow` header
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, model: Model) -> Iterator[Service]:
    """A service with a key, on storage of its own."""
    with (
        Azurite(tmp_path_factory.mktemp("guarded")) as storage,
        Service(storage.connection_string, model.url, API_KEYS=f"{KEY}=guarded") as running,
    ):
        yield running


def document(client: OpenAI) -> Schema:
    """The reference with every error's body and, half of the time, with patterns of ids that existing objects have."""
    found = deepcopy(reference())
    body = {"schema": {"$ref": "#/components/schemas/ErrorResponse"}}
    waiting, idle = one_of_each(client), client.beta.threads.create().id
    for path, item in found["paths"].items():
        ids = waiting if "{run_id}" in path or "{message_id}" in path else {**waiting, "thread_id": idle}
        for method, operation in item.items():
            operation["responses"]["4XX"] = {"description": "Any error.", "content": {"application/json": body}}
            if operation["operationId"] == "downloadFile":
                operation["responses"]["200"]["content"]["application/octet-stream"] = {}
            if operation["operationId"] in STREAMED:
                operation["responses"]["200"]["content"]["text/event-stream"] = {}
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path" and parameter["name"] in ids and method != "delete":
                    _offer(parameter["schema"], ids[parameter["name"]])
    for name in ("CreateRunRequest", "CreateThreadAndRunRequest"):
        _offer(found["components"]["schemas"][name]["properties"]["assistant_id"], waiting["assistant_id"])
    return found


def _offer(schema: Schema, id_: str) -> None:
    pattern = schema.get("pattern", "^[a-zA-Z0-9_-]+$")
    schema["pattern"] = f"^(?:{id_}|{pattern.removeprefix('^').removesuffix('$')})$"


@pytest.mark.long
@pytest.mark.timeout(900)
def test_no_request_breaks_the_contract(guarded: Service, tmp_path: Path):
    path = tmp_path / "reference.json"
    with connect(guarded.url, KEY) as client:
        path.write_text(json.dumps(document(client)))
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run", path, "--url", guarded.url, "--no-color",
            "--header", f"Authorization: Bearer {KEY}", "--phases", "coverage,fuzzing", "--continue-on-failure",
            "--max-examples", str(REQUESTS), "--generation-deterministic", "--exclude-checks", ",".join(UNCHECKED),
            *(f"--exclude-operation-id={name}" for name in UNTRIED),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Tested: {len(operations(reference())) - len(UNTRIED)}\n" in done.stdout
