"""The decision whether and when to repeat a failed request."""

import math
import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from assistants.model.errors import EndpointError

SHORTEST_WAIT = 0.5
"""The least number of seconds between two tries."""

_LONGEST_WAIT = 30.0
_JITTER = 0.25
"""The random part by which a wait is longer, of the wait or of a second."""


def retry_after(trouble: Exception, attempt: int) -> float | None:
    """Seconds after which to call again; None: a repetition would not help.

    `Retry-After` of the endpoint is respected; without it the wait doubles from `SHORTEST_WAIT` on.
    """
    if not isinstance(trouble, EndpointError) or not trouble.transient:
        return None
    jitter = random.uniform(0, _JITTER)
    if trouble.wait is not None:
        return max(trouble.wait, SHORTEST_WAIT) + jitter * min(SHORTEST_WAIT, 1)
    return min(SHORTEST_WAIT * 2**attempt, _LONGEST_WAIT) * (1 + jitter)


def is_busy(trouble: EndpointError) -> bool:
    """Whether the endpoint is busy and asks for a repetition; any other error may be permanent."""
    return trouble.transient and (trouble.wait is not None or trouble.status in (408, 429, 503))


def wait_of(headers: Mapping[str, str]) -> float | None:
    """The seconds in an answer's headers: `retry-after-ms`, or `Retry-After` in seconds or as a date."""
    try:
        if "retry-after-ms" in headers:
            return _sane(float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after")
        if value is None:
            return None
        if value.strip().replace(".", "", 1).isdigit():
            return _sane(float(value))
        return _sane(parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _sane(seconds: float) -> float | None:
    return max(seconds, 0) if math.isfinite(seconds) else None
