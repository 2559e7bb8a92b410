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
_ASKED = "How do I care for the filter, and is it warm enough in Oslo to do it outside?"
_ANSWER = """\
Rinse it with **warm water** every week, and replace it twice a year【1:0†guide.md】. In Oslo it is sunny today:

| When | Weather | Outside? |
|---|---|---|
| Morning | 9 °C, fog | no |
| Afternoon | **21 °C**, sunny | yes |

```python
outside = weather["afternoon"].celsius > 15
```
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
        page.make_assistant("Barista", (("get_weather", _SCHEMA),), search="Manuals")
        calls = [
            {"name": "file_search", "arguments": {"queries": ["care for the filter"]}},
            {"name": "get_weather", "arguments": {"city": "Oslo"}},
        ]
        model.script({"match": _ASKED, "tool_calls": calls}, {"match": _ASKED, "text": _ANSWER})
        page.say(_ASKED)
        page.labelled("Output of get_weather").send_keys('{"morning": "9 °C, fog", "afternoon": "21 °C, sunny"}')
        page.press("Submit outputs")
        page.find("#run", "completed")
        page.find("article .cite")
        browser.save_screenshot(str(PICTURE))
    print(f"{PICTURE}: {PICTURE.stat().st_size // 1024} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
