"""`python -m tests.support.browser.picture`: makes docs/playground.png from the service with a scripted model."""

import sys
import tempfile
from pathlib import Path

from assistants.local.azurite import Azurite
from tests.support.browser.chromium import CHROMIUM, DRIVER, chromium
from tests.support.browser.playground import Playground
from tests.support.service.processes import ROOT, Model, Service

PICTURE = ROOT / "docs" / "playground.png"

_SCHEMA = '{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}'
_GUIDE = "The filter of the coffee machine is rinsed with warm water every week. It is replaced twice a year."
_ASKED = "How do I care for the filter, and how many cups did we sell on sunny days in Oslo?"
_CODE = """\
import matplotlib.pyplot as plt

# The cups of each day
days = {"Mon": 48, "Tue": 61, "Wed": 55, "Thu": 72, "Fri": 88}
plt.figure(figsize=(7, 2.1))
plt.bar(days.keys(), days.values(), color="#2456c7", width=0.55)
plt.ylabel("cups")
with open("/mnt/data/cups.csv", "w") as table:
    table.writelines(f"{day},{cups}\\n" for day, cups in days.items())
sum(days.values())
"""
_SCROLLED = 560
_ANSWER = """\
Rinse it with **warm water** every week, and replace it twice a year【1:0†guide.md】. It was sunny all week, \
and you sold **324 cups**; the numbers are in [cups.csv](sandbox:/mnt/data/cups.csv).
"""


def main() -> int:
    if not CHROMIUM or not DRIVER:
        print("chromium and chromedriver are needed (Debian: chromium, chromium-driver)", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory() as folder,
        Azurite(Path(folder) / "azurite") as storage,
        Model() as model,
        Service(storage.connection_string, model.url) as service,
        chromium(1360, 900) as browser,
    ):
        guide = Path(folder) / "guide.md"
        guide.write_text(_GUIDE, encoding="utf-8")
        page = Playground(browser, service.url.removesuffix("/v1"))
        page.find("#assistants li")
        page.press("New store")
        page.write("Name of the store", "Manuals")
        page.press("Create", "dialog")
        page.attach("dialog input[type=file]", guide)
        page.find("dialog .good", "completed")
        page.escape()
        page.make_assistant("Barista", (("get_weather", _SCHEMA),), search="Manuals", code=True)
        calls = [
            {"name": "file_search", "arguments": {"queries": ["care for the filter"]}},
            {"name": "get_weather", "arguments": {"city": "Oslo"}},
        ]
        code = {"name": "code_interpreter", "arguments": {"code": _CODE}}
        model.script(
            {"match": _ASKED, "tool_calls": calls},
            {"match": _ASKED, "tool_calls": [code]},
            {"match": _ASKED, "text": _ANSWER},
        )
        page.say(_ASKED)
        page.labelled("Output of get_weather").send_keys('{"week": "sunny", "celsius": 21.5}')
        page.press("Submit outputs")
        page.find("#run", "completed")
        page.find("article .cite")
        page.find("article figure img")
        page.find("#steps figure img")
        page.run("document.querySelector('#right').scrollTop = arguments[0]", _SCROLLED)
        page.run("document.activeElement.blur()")
        browser.save_screenshot(str(PICTURE))
    print(f"{PICTURE}: {PICTURE.stat().st_size // 1024} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
