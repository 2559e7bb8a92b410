"""Fixtures of the tests that drive the running service through the official SDK."""

import hashlib
import secrets
from collections.abc import Iterator

import pytest
from openai import OpenAI
from openai.types.beta import Assistant

from assistants.local.azurite import Azurite
from tests.support.sdk.client import CLIENTS, connect
from tests.support.service.issuer import OID, Issuer
from tests.support.service.processes import Model, Service

ALICE, ALICE_TOO, BOB, CAROL = "alice-0123456789", "alice-9876543210", "bob-=-0123456789", "carol-0123456789"
"""Keys of three projects, one of which has two; the service knows Bob's by its hash."""

BOB_HASHED = f"sha256:{hashlib.sha256(BOB.encode()).hexdigest()}"

SEGMENT = 4
"""Appends after which the message log of the configured service gets a new segment."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that use the service without keys with every requested kind of client."""
    if "sdk" in metafunc.fixturenames:
        asked = str(metafunc.config.getoption("sdk"))
        kinds = CLIENTS if asked == "all" else asked.split(",")
        without = [kind for kind in ("Azure", "Async") if metafunc.definition.get_closest_marker(f"no_{kind.lower()}")]
        served = [kind for kind in kinds if not any(name in kind for name in without)]
        metafunc.parametrize("sdk", served, scope="session")


@pytest.fixture(scope="session")
def client(service: Service, sdk: str) -> Iterator[OpenAI]:
    """The official SDK, connected to the service; it validates every answer and does not retry."""
    with connect(service.url, kind=sdk) as client:
        yield client


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    """An issuer of access tokens, which the configured service accepts besides its keys."""
    with Issuer() as running:
        yield running


@pytest.fixture(scope="session")
def configured(tmp_path_factory: pytest.TempPathFactory, model: Model, issuer: Issuer) -> Iterator[Service]:
    """A service with its own settings: keys and tokens of projects, mapped models, short segments of message logs.

    It has its own Azurite, as services that share one attend to each other's runs, by their own settings.
    """
    settings = {
        "API_KEYS": f"{ALICE}=alice, {ALICE_TOO}=alice, {BOB_HASHED}=bob, {CAROL}=carol",
        "MODEL_MAP": "gpt-4o=deployment-a,*=deployment-b",
        "LOG_SEGMENT_BLOCKS": str(SEGMENT),
        "ENTRA_PROJECTS": f"oid={OID}=alice, roles=Agents.User=bob",
        **issuer.settings,
    }
    with (
        Azurite(tmp_path_factory.mktemp("configured")) as storage,
        Service(storage.connection_string, model.url, **settings) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def alice(configured: Service) -> Iterator[OpenAI]:
    """The SDK with a key of the project `alice`."""
    with connect(configured.url, ALICE) as client:
        yield client


@pytest.fixture(scope="session")
def bob(configured: Service) -> Iterator[OpenAI]:
    """The SDK with a key of the project `bob`."""
    with connect(configured.url, BOB) as client:
        yield client


@pytest.fixture(scope="session")
def carol(configured: Service) -> Iterator[OpenAI]:
    """The SDK with a key of the project `carol`, which is empty at first and used by one test only."""
    with connect(configured.url, CAROL) as client:
        yield client


@pytest.fixture(scope="session")
def assistant(client: OpenAI) -> Assistant:
    """An assistant with a model and no other field."""
    return client.beta.assistants.create(model="gpt-4o")


@pytest.fixture
def topic() -> str:
    """A unique text, by which a test finds its own requests to the shared demo model."""
    return f"topic-{secrets.token_hex(6)}"
