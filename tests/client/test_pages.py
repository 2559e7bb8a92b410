"""The pages /openapi.json and /docs, which need no key, and requests made from the page."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx2
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.client.conftest import ALICE, BOB
from tests.support.browser.chromium import CHROMIUM, DRIVER, chromium
from tests.support.service.processes import Service


@pytest.fixture(scope="session")
def root(configured: Service) -> str:
    """The address of the pages of a service with keys."""
    return configured.url.removesuffix("/v1")


@pytest.fixture
def browser() -> Iterator[WebDriver]:
    if not CHROMIUM or not DRIVER:
        pytest.skip("chromium and chromedriver are not installed (Debian: chromium, chromium-driver)")
    with chromium() as driver:
        yield driver


def test_the_document_needs_no_key(root: str):
    document = httpx2.get(f"{root}/openapi.json").raise_for_status().json()
    assert document["openapi"].startswith("3.")
    assert "/v1/threads/{thread_id}/runs" in document["paths"]


def test_the_page_needs_no_key_and_names_no_address_but_this_services_own(root: str):
    page = httpx2.get(f"{root}/docs").raise_for_status()
    assert page.headers["content-type"].startswith("text/html")
    assert re.findall(r"https?:|//[a-z]|<style|<script>", page.text) == []
    assert "script-src 'self'; style-src 'self';" in page.headers["content-security-policy"]
    for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        asset = httpx2.get(urljoin(f"{root}/docs", address)).raise_for_status()
        assert asset.headers["content-type"].startswith(("text/javascript", "text/css", "image/png"))


def test_the_page_is_swagger_ui_5_or_later(root: str):
    bundle = httpx2.get(f"{root}/docs/swagger-ui-bundle.js").raise_for_status().text
    (version,) = re.findall(r'PACKAGE_VERSION:"(\d+)\.', bundle)
    assert int(version) >= 5


def test_no_page_may_be_framed_or_run_scripts_of_others(root: str):
    for path in ("/docs", "/docs/swagger-ui-bundle.js", "/openapi.json"):
        headers = httpx2.get(f"{root}{path}").raise_for_status().headers
        policy = dict(each.split(" ", 1) for each in headers["content-security-policy"].split("; "))
        assert (policy["default-src"], policy["frame-ancestors"]) == ("'none'", "'none'")
        assert headers["x-frame-options"] == "DENY"
        assert "unsafe" not in headers["content-security-policy"]
        assert re.findall(r"https?:|\*", headers["content-security-policy"]) == []


@pytest.mark.parametrize("path", ["/docs/nowhere", "/docs/..%2f..%2fmain.py", "/docs/"])
def test_other_paths_beside_the_page_are_not_found(root: str, path: str):
    assert httpx2.get(f"{root}{path}").status_code == 404


def test_a_plain_request_does_not_import_modules_of_the_pages():
    program = "import sys, function_app; print([name for name in sys.modules if 'swagger' in name or 'vocab' in name])"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.direct("what a runner prints is its own address, not the proxy's")
def test_the_runner_prints_the_pages_address(configured: Service, root: str):
    assert any(line.rstrip().endswith(f"{root}/docs") for line in configured.lines)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("scheme", "key", "project"), [("bearer", ALICE, "alice"), ("api-key", BOB, "bob")], ids=["bearer", "api-key"]
)
def test_the_page_calls_the_service_with_a_key(browser: WebDriver, root: str, scheme: str, key: str, project: str):
    page = _Page(browser)
    browser.get(f"{root}/docs")
    assert browser.title == "Assistants API"

    assert page.call("Assistants-assistants_create") == (401, {})
    page.authorize(scheme, key)
    status, body = page.call("Assistants-assistants_create")
    assert (status, body["object"], body["name"]) == (200, "assistant", "Guide")
    status, body = page.call("Assistants-assistants_list")
    assert (status, body["object"]) == (200, "list")

    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(each => each.name)")
    assert [address for address in loaded if not address.startswith((root, "data:"))] == []
    complaints = [entry["message"] for entry in browser.get_log("browser")]  # type: ignore[reportUnknownMemberType]
    assert [each for each in complaints if "Content Security Policy" in each] == []


@pytest.mark.timeout(180)
def test_a_browser_shows_the_page_in_no_frame(browser: WebDriver, root: str):
    browser.get(f"data:text/html,<iframe src='{root}/docs'></iframe>")
    browser.switch_to.frame(0)
    assert browser.find_elements(By.ID, "swagger-ui") == []


class _Page:
    """Swagger UI, as a person uses it."""

    def __init__(self, browser: WebDriver) -> None:
        self._browser = browser

    def authorize(self, scheme: str, key: str) -> None:
        self._find(".btn.authorize").click()
        number = ["bearer", "api-key"].index(scheme)
        forms = self._find(".modal-ux").find_elements(By.CSS_SELECTOR, ".auth-container")
        forms[number].find_element(By.CSS_SELECTOR, "input").send_keys(key)
        forms[number].find_element(By.CSS_SELECTOR, ".btn.authorize").click()
        self._find(".modal-ux .btn-done").click()

    def call(self, operation: str) -> tuple[int, dict[str, object]]:
        """Execute an operation with the values that the page proposes: the status, and the body of a success."""
        block = f"#operations-{operation}"
        if not self._browser.find_elements(By.CSS_SELECTOR, f"{block}.is-open"):
            self._find(f"{block} .opblock-summary-control").click()
        if cleared := self._browser.find_elements(By.CSS_SELECTOR, f"{block} .btn-clear"):
            cleared[0].click()
        self._find(f"{block} .execute").click()
        status = int(self._find(f"{block} .live-responses-table .response .response-col_status").text.split()[0])
        if status != 200:
            return status, {}
        return status, json.loads(self._find(f"{block} .live-responses-table .microlight").text)

    def _find(self, selector: str) -> WebElement:
        def visible(browser: WebDriver) -> WebElement | None:
            return next(
                (each for each in browser.find_elements(By.CSS_SELECTOR, selector) if each.is_displayed()), None
            )

        found = WebDriverWait(self._browser, 30).until(visible)
        assert found
        return found
