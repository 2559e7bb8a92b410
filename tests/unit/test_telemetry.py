"""The names of telemetry, the ids of log lines, and the imports without an exporter."""

import logging
from typing import Any

import pytest
from opentelemetry.semconv import schemas
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes, messaging_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes

from assistants.engine.items import Attend
from assistants.telemetry import lines, names
from assistants.telemetry.items import sender
from assistants.telemetry.names import Metric
from assistants.telemetry.scope import scope, scoped
from tests.unit.test_imports import printed

CONVENTIONS = (
    gen_ai_attributes, messaging_attributes, gen_ai_metrics, error_attributes, http_attributes, server_attributes,
)  # fmt: skip


def ours() -> list[str]:
    values = [value for name, value in vars(names).items() if name.isupper() and name != "SCHEMA"]
    found = [value.name if isinstance(value, Metric) else value for value in values]
    return [value for value in found if isinstance(value, str)]


def test_a_name_is_one_of_the_conventions_or_begins_with_ours():
    known = {value for module in CONVENTIONS for value in vars(module).values() if isinstance(value, str)}
    assert {name for name in ours() if not name.startswith("assistants.")} <= known
    assert len(ours()) == len(set(ours())) > 30


def test_the_version_of_the_conventions_is_one_that_there_is():
    assert names.SCHEMA in {each.value for each in schemas.Schemas}


def test_without_an_exporter_opentelemetry_is_imported_only_as_far_as_azure_does():
    program = (
        "import sys, function_app; function_app._prepare();"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter',"
        " 'azure.monitor', 'google.protobuf', 'assistants.telemetry.otel'))])"
    )
    assert printed(program) == "[]"


def test_an_items_place_is_found_and_nonsense_is_none():
    assert sender(b'{"traceparent": "00-a-b-01"}') == "00-a-b-01"
    assert [sender(content) for content in (b"{}", b"[]", b"\xff", b'{"traceparent": 1}')] == [None] * 4


def test_an_item_with_a_place_is_read_by_a_model_that_does_not_know_it():
    item: Any = {"kind": "attend", "project": "p", "thread": "t", "run": "r", "traceparent": "00-a-b-01"}
    assert Attend.model_validate(item) == Attend(project="p", thread="t", run="r")


def record_of(name: str, message: str) -> logging.LogRecord:
    return logging.LogRecord(name, logging.INFO, "", 0, message, ("value",), None)


def test_a_line_names_its_request_and_its_run_once(caplog: pytest.LogCaptureFixture):
    with scoped(request="req_1"), scoped(run="run_1"):
        record = record_of("assistants.engine", "a %s")
        for _ in range(2):
            assert lines.Ids().filter(record)
    assert record.getMessage() == "a value [request=req_1 run=run_1]"
    assert scope().request is None


def test_the_lines_of_others_and_json_get_no_ids(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    with scoped(request="req_1"):
        assert lines.suffix(record_of("azure", "a %s")) == ""
        lines.write(logging.getLogger("assistants.runs"), "run", {"to": "queued"})
        (line,) = caplog.records
        lines.Ids().filter(line)
    assert line.getMessage() == 'run {"request": "req_1", "to": "queued"}'
