"""Fixtures of tests that do no I/O."""

from collections.abc import Callable, Iterator, Mapping

import pytest

from assistants.settings import Settings, settings
from tests.unit.settings_table import names

ReadSettings = Callable[[Mapping[str, str]], Settings]


@pytest.fixture
def read_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReadSettings]:
    """Reads the settings from an environment that has these values and no other settings."""

    def read(values: Mapping[str, str]) -> Settings:
        for field in Settings.model_fields.values():
            for name in names(field):
                monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        return Settings.model_validate({})

    yield read
    settings.cache_clear()  # the code under test may have read them, too
