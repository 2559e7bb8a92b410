"""When a request that failed is sent again."""

import random
import time
from email.utils import parsedate_to_datetime
from typing import Any

import openai

_LONGEST_WAIT = 30.0


def retry_after(trouble: Exception, attempt: int) -> float | None:
    """Seconds after which to ask again; None: it would not help.

    What the endpoint says in `Retry-After` is honoured; without it the wait doubles from half a second on.
    """
    if isinstance(trouble, openai.APIStatusError):
        if trouble.code == "insufficient_quota" or not (
            trouble.status_code in (408, 429) or trouble.status_code >= 500
        ):
            return None
        said = _said(trouble.response.headers)
        if said is not None:
            return said
    elif not isinstance(trouble, openai.APIConnectionError):
        return None
    return min(0.5 * 2**attempt, _LONGEST_WAIT) * random.uniform(0.75, 1)


def _said(headers: Any) -> float | None:
    """`retry-after-ms`, or `Retry-After` in seconds or as a date."""
    try:
        if "retry-after-ms" in headers:
            return max(float(headers["retry-after-ms"]) / 1000, 0)
        value = headers.get("retry-after")
        if value is None:
            return None
        if value.strip().isdigit():
            return float(value)
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0)
    except ValueError:
        return None
