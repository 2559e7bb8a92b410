"""Log lines with the ids of their request, run, trace and span."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from assistants.telemetry import record
from assistants.telemetry.scope import scope

_NAMED = "named"


def ids() -> dict[str, str]:
    """The known ids, by their names in log lines."""
    found, place = scope(), record.current()
    known = {"request": found.request, "run": found.run}
    known |= {"trace": place[0], "span": place[1]} if place else {}
    return {name: value for name, value in known.items() if value}


def write(log: logging.Logger, about: str, fields: Mapping[str, Any]) -> None:
    """Log one line: a word, and JSON with these fields and the ids."""
    line = {**ids(), **fields}
    log.info("%s %s", about, json.dumps(line, ensure_ascii=False), extra={about: line, _NAMED: True})


def suffix(log_record: logging.LogRecord) -> str:
    """The ids, for a line of this project that does not have them as JSON."""
    if getattr(log_record, _NAMED, False) or not log_record.name.startswith("assistants"):
        return ""
    known = ids()
    return f" [{' '.join(f'{name}={value}' for name, value in known.items())}]" if known else ""


class Ids(logging.Filter):
    """Adds the ids to the message of a record, once, for handlers with a format of their own."""

    def filter(self, record: logging.LogRecord) -> bool:
        if more := suffix(record):
            record.msg, record.args = record.getMessage() + more, None
            setattr(record, _NAMED, True)
        return True
