"""The settings that the local runner takes from local.settings.json."""

import os
from pathlib import Path

import pytest

from assistants.local import environment


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo a test's changes of the environment."""
    for name in [*os.environ]:
        monkeypatch.setenv(name, os.environ[name])
    for name in ("SET", "EMPTY", "FILED", "AzureWebJobsStorage", "BlobConnectionString", "OPENAI_API_KEY", "OpenAIKey"):
        monkeypatch.setenv(name, "")


def settings(folder: Path, text: str) -> Path:
    path = folder / "local.settings.json"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_values_are_added_and_the_environment_takes_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SET", "by the environment")
    values = '{"Values": {"SET": "by the file", "EMPTY": "", "FILED": "by the file"}}'
    environment.load(settings(tmp_path, values))
    assert (os.environ["SET"], os.environ["EMPTY"], os.environ["FILED"]) == ("by the environment", "", "by the file")


def test_a_missing_file_adds_no_setting(tmp_path: Path):
    before = dict(os.environ)
    environment.load(tmp_path / "local.settings.json")
    assert dict(os.environ) == before


@pytest.mark.parametrize("text", ["{", "[]", '{"Values": ["SET"]}', '{"Values": {"SET": 1}}'])
def test_a_file_that_is_no_settings_is_named_in_the_error(tmp_path: Path, text: str):
    path = settings(tmp_path, text)
    with pytest.raises(ValueError, match=r"local\.settings\.json"):
        environment.load(path)


@pytest.mark.parametrize(
    ("name", "value", "storage", "development", "model"),
    [
        ("FILED", "x", False, False, False),
        ("AzureWebJobsStorage", "", False, False, False),
        ("AzureWebJobsStorage", "UseDevelopmentStorage=true", True, True, False),
        ("AzureWebJobsStorage", "DefaultEndpointsProtocol=https;...", True, False, False),
        ("AzureWebJobsStorage__accountName", "mine", True, False, False),
        ("BlobConnectionString", "DefaultEndpointsProtocol=https;...", True, False, False),
        ("OPENAI_API_KEY", "sk", False, False, True),
        ("OPENAI_BASE_URL", "http://127.0.0.1:11434/v1", False, False, True),
        ("AZURE_OPENAI_ENDPOINT", "https://mine.openai.azure.com", False, False, True),
        ("OpenAIKey", "sk", False, False, True),
    ],
)
def test_the_settings_that_count_as_configured(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, storage: bool, development: bool, model: bool
):
    monkeypatch.setenv(name, value)
    found = (environment.has_storage(), environment.has_development_storage(), environment.has_model())
    assert found == (storage, development, model)
