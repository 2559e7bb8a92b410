"""The deviations of the upstream: each kind once, with its count and first example, in this process's memory."""

import html
import json
import logging
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from assistants.proxy.deviations import Deviation

log = logging.getLogger("assistants.proxy")

MAX_KINDS = 1_000
"""The most kinds that are kept; deviations of further kinds are only counted."""

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Proxy report</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2em; }}
table {{ border-collapse: collapse; }}
th, td {{ border: 1px solid #ccc; padding: .3em .6em; text-align: left; vertical-align: top; }}
td {{ overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1>Proxy report</h1>
<p>{summary}</p>
<table>
<tr><th>Count<th>Operation<th>Part<th>Problem<th>Place<th>First example<th>First path</tr>
{rows}
</table>
</body>
</html>
"""


class Kind(NamedTuple):
    """The key of equal deviations; each unknown value has its own."""

    operation: str
    part: str
    problem: str
    place: str
    value: str


@dataclass
class Case:
    """The deviations of a kind."""

    example: str
    path: str
    first_seen: int
    count: int = 1


@dataclass
class Report:
    """The deviations in one project's calls since the start of the process."""

    upstream: str
    since: int = field(default_factory=lambda: int(time.time()))
    calls: int = 0
    events: int = 0
    left_out: int = 0
    cases: dict[Kind, Case] = field(default_factory=dict[Kind, Case])

    def add(self, operation: str, path: str, deviation: Deviation) -> None:
        """Count a deviation; the first one of a kind is logged, without its example."""
        value = deviation.example[:64] if deviation.problem == "unknown value" else ""
        kind = Kind(operation, deviation.part, deviation.problem, deviation.place, value)
        if case := self.cases.get(kind):
            case.count += 1
        elif len(self.cases) >= MAX_KINDS:
            self.left_out += 1
        else:
            self.cases[kind] = Case(deviation.example, path, int(time.time()))
            line = {"operation": operation, "part": kind.part, "problem": kind.problem, "place": kind.place}
            log.warning("deviation %s", json.dumps({**line, "path": path}, ensure_ascii=False))

    def body(self) -> dict[str, Any]:
        """The report as JSON, the most frequent kinds first."""
        cases = sorted(self.cases.items(), key=lambda item: -item[1].count)
        found = [
            {
                "operation": kind.operation,
                "part": kind.part,
                "problem": kind.problem,
                "place": kind.place,
                "count": case.count,
                "example": case.example,
                "path": case.path,
                "first_seen": case.first_seen,
            }
            for kind, case in cases
        ]
        return {
            "object": "proxy.report",
            "upstream": self.upstream,
            "since": self.since,
            "calls": self.calls,
            "events": self.events,
            "left_out": self.left_out,
            "deviations": found,
        }

    def page(self) -> str:
        """The report as an HTML page."""
        columns = ("count", "operation", "part", "problem", "place", "example", "path")
        body = self.body()
        rows = "\n".join(
            "<tr>" + "".join(f"<td>{html.escape(str(case[column]))}" for column in columns) + "</tr>"
            for case in body["deviations"]
        )
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.since))
        summary = (
            f"{len(self.cases)} kinds of deviations in {self.calls} calls and {self.events} events of {self.upstream} "
            f"since {since}."
        )
        return _PAGE.format(summary=html.escape(summary), rows=rows)
