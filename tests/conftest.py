"""Fixtures that several kinds of tests share."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from assistants.local.azurite import Azurite, Storage
from tests.support.fuzz.cases import Fuzz
from tests.support.sdk.client import CLIENTS, connect
from tests.support.service.processes import Fronted, Model, Service


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sdk", default=CLIENTS[0], help=f"kinds of clients of tests/client: {','.join(CLIENTS)}, or all")
    parser.addoption("--rounds", type=int, default=12, help="rounds of each race in tests/faults/test_races.py")
    parser.addoption("--trouble", type=float, default=20, help="seconds of failing storage in test_trouble.py")
    parser.addoption("--through-proxy", action="store_true", help="a proxy before each service, without deviations")
    parser.addoption("--faults", choices=("some", "all"), default="some", help="faults that each call of a flow meets")
    parser.addoption("--fault-seed", type=int, help="selects the fault that each call meets")
    parser.addoption("--fuzz-seed", type=int, default=1, help="the seed of bad input")
    parser.addoption("--fuzz-cases", type=int, default=1, help="multiplies the number of cases of bad input")


def pytest_configure(config: pytest.Config) -> None:
    gc.disable()  # as long as tests are imported and collected
    config.addinivalue_line("markers", "direct(reason): tests a feature that a proxy does not have")
    Fronted.through_proxy = bool(config.getoption("through_proxy"))


def pytest_collection_finish() -> None:
    """Exclude the objects so far, which stay, from garbage collection."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    longest: dict[Path, float] = {}
    for item in items:
        limit = item.get_closest_marker("timeout")
        longest[item.path] = max(longest.get(item.path, 0), limit.args[0] if limit else 0)
    items.sort(key=lambda item: -longest[item.path])  # tests that may take longest begin first
    if config.getoption("through_proxy"):
        for item in items:
            if found := item.get_closest_marker("direct"):
                item.add_marker(pytest.mark.skip(reason=found.args[0]))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the number of fault points that were tried of each flow."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    tried = [value for report in reports for name, value in report.user_properties if name == "fault points"]
    if tried:
        terminalreporter.section("fault points")
        for _, line, _ in tried:
            terminalreporter.write_line(line)
        total = sum(number for *_, number in tried)
        terminalreporter.write_line(f"{total} faults; again with --fault-seed={tried[0][0]}")


@pytest.fixture(scope="session")
def fuzz(pytestconfig: pytest.Config) -> Fuzz:
    return Fuzz(pytestconfig.option.fuzz_seed, pytestconfig.option.fuzz_cases)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """An Azurite of the session's own: `.connection_string`."""
    with Azurite(tmp_path_factory.mktemp("azurite")) as storage:
        yield storage


@pytest.fixture(scope="session")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """Another Azurite, used only by services that a test itself starts."""
    with Azurite(tmp_path_factory.mktemp("idle")) as storage:
        yield storage


@pytest.fixture(scope="session")
def model() -> Iterator[Model]:
    """A demo model of the session's own. Tests share it: a script's `match` names a text of the test's own."""
    with Model() as running:
        yield running


@pytest.fixture(scope="session")
def service(azurite: Storage, model: Model) -> Iterator[Service]:
    """The service over the session's Azurite and demo model, without keys."""
    with Service(azurite.connection_string, model.url) as running:
        yield running


@pytest.fixture(scope="session")
def client(service: Service) -> Iterator[OpenAI]:
    """The official SDK, connected to the service; it validates every answer and does not retry."""
    with connect(service.url) as client:
        yield client
