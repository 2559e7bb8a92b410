"""The playground's modules are typed, and the page exists only if the setting allows it."""

import subprocess

import httpx2
import pytest

from assistants.api.app import create_api
from assistants.local import npm
from assistants.settings import settings
from tests.node.packages import TYPESCRIPT, tool
from tests.support.service.processes import ROOT

PAGE = ROOT / "assistants" / "api" / "playpage"


def test_the_modules_pass_the_checks_of_the_typescript_compiler():
    compiler = tool("typescript", TYPESCRIPT) / "bin" / "tsc"
    if not compiler.exists():
        pytest.skip("typescript is not installed: make node")
    done = subprocess.run(
        [npm.node(), compiler, "-p", PAGE / "jsconfig.json"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_each_module_is_short():
    assert max(len(module.read_text(encoding="utf-8").splitlines()) for module in PAGE.glob("*.js")) <= 300


@pytest.mark.parametrize(("setting", "status"), [("true", 200), ("false", 401), ("", 401)])
async def test_the_page_exists_only_if_the_setting_allows_it(
    monkeypatch: pytest.MonkeyPatch, setting: str, status: int
):
    """Without it the path is an unknown URL; a caller without a key gets the error of a missing key first."""
    monkeypatch.setenv("PLAYGROUND", setting)
    monkeypatch.setenv("API_KEYS", "key=project")
    settings.cache_clear()
    try:
        api = create_api()
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(api), base_url="http://test") as client:
            for path in ("/playground", "/playground/main.js"):
                assert (await client.get(path)).status_code == status
            if status != 200:
                assert (await client.get("/playground", headers={"api-key": "key"})).status_code == 404
    finally:
        settings.cache_clear()
