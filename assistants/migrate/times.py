"""Times in the formats of files and command lines: Unix seconds as numbers or digits, ISO 8601."""

import math
import re
from datetime import UTC, datetime

LATEST = 10_000_000_000
"""Unix seconds; a larger number is in another unit."""

_NUMBER = re.compile(r"\d{1,15}(\.\d{1,9})?")


def seconds(value: object) -> int | None:
    """A time in Unix seconds; None if the value is no time."""
    if isinstance(value, str):
        if _NUMBER.fullmatch(value.strip()):
            return seconds(float(value))
        return _of_iso(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value) if 0 <= value < LATEST else None


def _of_iso(text: str) -> int | None:
    try:
        found = datetime.fromisoformat(text)
        time = int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None
    return time if 0 <= time < LATEST else None
