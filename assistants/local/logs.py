"""One line per log record, on standard error."""

import json
import logging
import sys
import time

from assistants.telemetry import lines


class Line(logging.Formatter):
    """`2026-01-31T12:00:00.000Z WARNING logger message`, with a traceback as a JSON string at its end."""

    converter = time.gmtime
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(self._prepared(record)).replace("\n", "\\n")
        if record.exc_info:
            line += " exception=" + json.dumps(self.formatException(record.exc_info), ensure_ascii=False)
        return line

    def _prepared(self, record: logging.LogRecord) -> logging.LogRecord:
        record.message = record.getMessage() + lines.suffix(record)
        record.asctime = self.formatTime(record)
        return record


def configure() -> None:
    """Log this project's records from INFO on, and all others from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Line())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("assistants").setLevel(logging.INFO)
