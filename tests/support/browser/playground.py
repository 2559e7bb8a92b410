"""The playground, as a person uses it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait


class Playground:
    """A page in a browser. Its methods wait until the element is visible."""

    def __init__(self, browser: WebDriver, root: str) -> None:
        self.browser = browser
        browser.get(f"{root}/playground")

    def find(self, selector: str, text: str = "") -> WebElement:
        """The first visible element that the selector names and that contains the text."""

        def visible(browser: WebDriver) -> WebElement | None:
            found = browser.find_elements(By.CSS_SELECTOR, selector)
            return next((each for each in found if each.is_displayed() and text in (each.text or "")), None)

        found = WebDriverWait(self.browser, 20, 0.05, ignored_exceptions=None).until(
            lambda browser: _fresh(visible, browser), f"no {selector} with {text!r}"
        )
        assert found
        return found

    def labelled(self, label: str, within: str = "body") -> WebElement:
        """The control with this label."""
        control = self.find(f"{within} label", label).get_attribute("for")
        return self.browser.find_element(By.ID, str(control))

    def press(self, text: str, within: str = "body") -> None:
        self.click(f"{within} button", text)

    def click(self, selector: str, text: str = "") -> None:
        """Click an element; once more if the page has redrawn it meanwhile."""
        try:
            self.find(selector, text).click()
        except StaleElementReferenceException:
            self.find(selector, text).click()

    def write(self, label: str, text: str, within: str = "dialog") -> None:
        """Replace the content of a control."""
        control = self.labelled(label, within)
        control.clear()
        control.send_keys(text)

    def say(self, text: str) -> None:
        """Send a message, by the keyboard."""
        box = self.find("#text")
        box.send_keys(text)
        box.send_keys("\n")

    def use_key(self, key: str) -> None:
        self.write("Key of the service", key)
        self.press("Use", "dialog")

    def make_assistant(
        self, name: str, functions: tuple[tuple[str, str], ...] = (), search: str = "", code: bool = False
    ) -> None:
        """Create an assistant with functions, each with its JSON schema, and with file search in a named store."""
        self.press("New assistant")
        self.write("Name", name)
        self.write("Instructions", "You are a friendly host.")
        if search:
            self.find("dialog label.tick", "file_search").click()
            self.labelled("Vector store", "dialog").send_keys(search)
        if code:
            self.find("dialog label.tick", "code_interpreter").click()
        for function, schema in functions:
            self.press("Add function", "dialog")
            self.write("Function name", function, "dialog .function:last-of-type")
            self.write("Parameters", schema, "dialog .function:last-of-type")
        self.press("Save", "dialog")
        self.find("#assistants button[aria-current]", name)

    def attach(self, selector: str, *files: Path) -> None:
        """Choose files in an input."""
        self.find(selector).send_keys("\n".join(map(str, files)))

    def drop(self, selector: str, name: str, kind: str, text: str) -> None:
        """Drop a file, whose bytes are those of the text in Latin-1, on an element."""
        script = """const [selector, name, type, text] = arguments, dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([Uint8Array.from(text, each => each.charCodeAt(0))], name, {type}));
            document.querySelector(selector).dispatchEvent(new DragEvent('drop', {dataTransfer, cancelable: true}))"""
        self.run(script, selector, name, kind, text)

    def save_into(self, folder: Path) -> None:
        """Where downloads go from now on."""
        driver: Any = self.browser
        driver.execute_cdp_cmd("Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})

    @contextmanager
    def slow_upload(self, speed: int) -> Iterator[None]:
        """The page with a network that sends so many bytes a second."""
        driver: Any = self.browser
        limits = {"offline": False, "latency": 0, "downloadThroughput": -1}
        driver.execute_cdp_cmd("Network.enable", {})
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", {**limits, "uploadThroughput": speed})
        try:
            yield
        finally:
            driver.execute_cdp_cmd("Network.emulateNetworkConditions", {**limits, "uploadThroughput": -1})
            driver.execute_cdp_cmd("Network.disable", {})

    def escape(self) -> None:
        """Close the dialog by the keyboard."""
        self.focused().send_keys(Keys.ESCAPE)
        WebDriverWait(self.browser, 20, 0.05).until_not(
            lambda browser: browser.find_elements(By.CSS_SELECTOR, "dialog")
        )

    def focused(self) -> WebElement:
        return self.browser.switch_to.active_element

    def is_visible(self, selector: str) -> bool:
        return self.browser.find_element(By.CSS_SELECTOR, selector).is_displayed()

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page; return its result."""
        return self.browser.execute_script(script, *arguments)  # type: ignore[reportUnknownMemberType]

    def module(self, name: str, function: str, argument: Any) -> Any:
        """The result of a function, in which `found` is a module of the page."""
        script = f"""const done = arguments[1];
            import('./playground/{name}').then(found => ({function})(arguments[0]))
                .then(done, error => done(String(error)))"""
        return self.browser.execute_async_script(script, argument)  # type: ignore[reportUnknownMemberType]

    @contextmanager
    def phone(self) -> Iterator[None]:
        """Show the page as on a telephone."""
        metrics = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        driver: Any = self.browser
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        try:
            yield
        finally:
            driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def violations(self, axe: Path) -> list[str]:
        """The serious and critical findings of axe-core, each with the elements.

        The driver injects axe, as the page's policy loads no foreign script.
        """
        self.run(axe.read_text(encoding="utf-8"))
        found: Any = self.browser.execute_async_script(  # type: ignore[reportUnknownMemberType]
            "const done = arguments[0]; axe.run().then(found => done(found.violations), error => done([String(error)]))"
        )
        return [
            f"{each['id']}: {[node['html'][:200] for node in each['nodes']]}" if isinstance(each, dict) else str(each)
            for each in found
            if not isinstance(each, dict) or each["impact"] in ("serious", "critical")
        ]

    def complaints(self) -> list[str]:
        """The browser console's messages on refused scripts, styles, requests and markup, and on errors."""
        entries: Any = self.browser.get_log("browser")  # type: ignore[reportUnknownMemberType]
        return [entry["message"] for entry in entries if "401" not in entry["message"]]

    def addresses(self) -> list[str]:
        """The addresses that the page has loaded or called."""
        script = "return performance.getEntriesByType('resource').map(each => each.name)"
        return self.run(script)


def _fresh(visible: Any, browser: WebDriver) -> WebElement | None:
    try:
        return visible(browser)
    except StaleElementReferenceException:
        return None
