"""The errors of the model's endpoint: one family, with the endpoint's own messages, without the operator's keys."""

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast
from urllib.parse import quote

LONGEST = 4096
"""The most characters of an endpoint's message that are kept."""


class EndpointError(Exception):
    """The endpoint has not answered; the text is its own message if it sent one."""

    transient = False
    """Whether the same request may succeed later."""
    status: int | None = None
    """The HTTP status, or the status that an error in a stream corresponds to."""
    code: str | None = None
    params: Sequence[str] = ()
    """The names of the parameters, and of fields in them, that the error is about."""
    wait: float | None = None
    """Seconds after which the endpoint allows a repetition."""


class Refused(EndpointError):
    """The endpoint answered with an error, as the whole answer or in the middle of a stream."""

    def __init__(self, said: "Words", status: int | None, wait: float | None = None) -> None:
        status = status if status is not None and status >= 300 else said.status
        super().__init__(said.message or _default_message(status))
        self.status, self.code, self.params, self.wait = status, said.code, said.params, wait

    @property
    def transient(self) -> bool:  # type: ignore[reportIncompatibleVariableOverride]
        if self.code in ("insufficient_quota", "billing_hard_limit_reached"):
            return False
        return self.status is not None and (self.status in (408, 429) or self.status >= 500)


class Unreachable(EndpointError):
    """There was no answer: no connection, or no answer in time."""

    transient = True


class CutOff(EndpointError):
    """A stream without its end."""

    transient = True

    def __init__(self, why: str = "its stream has no end") -> None:
        super().__init__(f"The model's answer broke off: {why}")


class Unreadable(EndpointError):
    """The answer cannot be understood."""


class TooMuch(EndpointError):
    """The answer, or one event of it, is longer than allowed."""


class Words(NamedTuple):
    """The content of an error body."""

    message: str = ""
    code: str | None = None
    params: tuple[str, ...] = ()
    status: int | None = None
    """The HTTP status that it contains, or corresponds to."""

    def __or__(self, other: "Words") -> "Words":  # type: ignore[reportIncompatibleMethodOverride]
        """These words; those that are missing are taken from the other."""
        return Words(
            self.message or other.message,
            self.code or other.code,
            tuple(dict.fromkeys(self.params + other.params)),
            self.status or other.status,
        )


class Mask:
    """Removes the operator's keys, and all bearer tokens, from texts.

    Parameters
    ----------
    keys
        The operator's keys. Short ones, such as `none` and `test`, are no secrets and stay.
    """

    _SHORTEST = 7
    _HIDDEN = "***"

    def __init__(self, keys: Iterable[str]) -> None:
        forms = {
            form for key in keys if len(key) >= self._SHORTEST for form in (key, json.dumps(key)[1:-1], quote(key, ""))
        }
        self.forms = sorted(forms, key=len, reverse=True)
        """The keys in all forms in which a text may contain them."""
        secrets = [re.escape(form) for form in self.forms]
        self._of_text = re.compile("|".join([*secrets, r"(?<=[Bb]earer )[\w.~+/-]{16,}=*"]))
        self._bytes = re.compile(self._of_text.pattern.encode())
        self.longest = max((len(form.encode()) for form in forms), default=0)
        """Bytes of the longest key in any form: of a text in pieces, this many may have to be held back."""

    def __call__(self, text: str) -> str:
        return self._of_text.sub(self._HIDDEN, text)

    def bytes(self, content: bytes) -> bytes:
        return self._bytes.sub(self._HIDDEN.encode(), content)

    def error(self, error: EndpointError) -> EndpointError:
        """The same error, masked."""
        error.args = tuple(self(each) if isinstance(each, str) else each for each in error.args)
        error.code = error.code and self(error.code)
        error.params = tuple(self(each) for each in error.params)
        return error


def words(body: object) -> Words:
    """The content of an error body of any format: bytes or text, or parsed JSON.

    Known are `{"error": {...}}`, `{"error": "text"}`, `[{"error": ...}]`, `{"detail": "text"}` and FastAPI's list of
    details, `{"message": ...}`, `{"errors": [...]}`, one of these within another, HTML and plain text.
    """
    if isinstance(body, bytes):
        body = body.decode(errors="replace")
    try:
        parsed: object = json.loads(body) if isinstance(body, str) else body
        found = _walk(parsed, 0)
        if not found.message and isinstance(parsed, dict | list) and parsed:
            found |= Words(_cut(json.dumps(parsed, ensure_ascii=False, default=str)))
    except (ValueError, RecursionError):
        return Words(_plain(body if isinstance(body, str) else "an error without words"))
    return found


def is_error(event: Mapping[str, Any]) -> bool:
    """Whether an object of a stream, or an answer with a successful status, is an error."""
    if event.get("error") or any(str(event.get(name)).lower() == "error" for name in ("object", "type")):
        return True
    if event.get("choices") is not None:
        return False
    inner: Any = event.get("base_resp")
    if isinstance(inner, dict) and cast("dict[str, Any]", inner).get("status_code"):
        return True
    return any(event.get(name) and bool(_walk(event[name], 0).message) for name in _TEXTS)


_TEXTS = (
    "message", "Message", "msg", "error_message", "errorMessage", "error_msg", "status_msg", "faultstring", "detail",
    "errors",
)  # fmt: skip
"""The keys of an error's message, the most specific first."""

_MORE_TEXTS = ("details", "title", "description", "reason")
"""The keys of a message in an object that is known to be an error."""

_INSIDE = ("error", "base_resp", "fault", "response", "body", "exception")
"""The keys of an error within an error."""

_CODES = ("code", "error_code", "status_code", "statusCode", "http_status", "status", "type", "error_type")

_STATUSES = (
    ("insufficient_quota|rate.?limit|too.?many|resource.?exhausted|throttl|quota", 429),
    ("overload|unavailable|insufficient_system_resource|network", 503),
    ("timeout|timed.?out|deadline", 504),
    ("internal|server.?error|engine", 500),
    ("unauthorized|unauthenticated|authentication|invalid_api_key", 401),
    ("permission|(?<!extra.)forbidden|access.?denied", 403),
    ("not.?found", 404),
    ("invalid|bad.?request|context_length|validation", 400),
)
"""The statuses that codes and types correspond to."""

_DEEPEST = 6
_MOST = 5
"""The most errors of a list that are quoted."""


def _walk(value: object, depth: int) -> Words:
    if depth > _DEEPEST:
        return Words()
    if isinstance(value, str):
        return _of_text(value, depth)
    if isinstance(value, list):
        return _of_list(cast("list[object]", value), depth)
    return _of_object(cast("dict[str, Any]", value), depth) if isinstance(value, dict) else Words()


def _of_text(text: str, depth: int) -> Words:
    """The words of a text, or of the JSON that it contains."""
    if text[:1] in "{[" and len(text) > 1:
        try:
            found = _walk(json.loads(text), depth + 1)
        except (ValueError, RecursionError):
            return Words(_plain(text))
        if found.message:
            return found
    return Words(_plain(text))


def _of_list(values: list[object], depth: int) -> Words:
    found = Words()
    told = [_walk(value, depth + 1) for value in values[:_MOST]]
    for each in told:
        found |= each._replace(message="")
    return found._replace(message="; ".join(dict.fromkeys(each.message for each in told if each.message)))


def _of_object(value: dict[str, Any], depth: int) -> Words:
    found = _named(value)
    for name in _INSIDE:
        if value.get(name):
            found |= _walk(value[name], depth + 1)
    for name in (*_TEXTS, *_MORE_TEXTS):
        if not found.message and value.get(name):
            inner = _of_fields(value[name], depth) if name == "errors" else _walk(value[name], depth + 1)
            found |= inner
    if found.params and isinstance(value.get("loc"), list) and found.message:  # an item of FastAPI's details
        found = found._replace(message=f"{'.'.join(found.params)}: {found.message}")
    raw: Any = cast("dict[str, Any]", value["metadata"]).get("raw") if isinstance(value.get("metadata"), dict) else None
    if raw and depth < _DEEPEST:  # the provider's error in OpenRouter's
        inner = words(raw)
        found = found._replace(message=_cut(": ".join(filter(None, (found.message, inner.message))))) | inner
    return found


def _of_fields(value: object, depth: int) -> Words:
    """The errors of ASP.NET: those of each field, by its name."""
    if not isinstance(value, dict):
        return _walk(value, depth + 1)
    told = [(str(name), _walk(each, depth + 1).message) for name, each in list(cast("Any", value).items())[:_MOST]]
    return Words("; ".join(f"{name}: {text}" for name, text in told if text), params=tuple(name for name, _ in told))


def _named(value: dict[str, Any]) -> Words:
    """The code, the status and the names in an object."""
    given = [value[name] for name in _CODES if isinstance(value.get(name), str | int) and value[name] is not True]
    texts = [each for each in given if isinstance(each, str) and each != "error" and not each.isdigit()]
    status = next((int(each) for each in given if re.fullmatch("[45][0-9]{2}", str(each))), None)
    status = status or next((status for text in texts if (status := _status_of(text))), None)
    names: list[object] = [value.get("param"), *(value["loc"] if isinstance(value.get("loc"), list) else ())]
    params = [name for each in names if isinstance(each, str) for name in re.split(r"[.\[\]\s'\"]+", each)]
    return Words(
        "", _cut(texts[0]) if texts else None, tuple(name for name in params if name and name != "body")[:20], status
    )


def _status_of(text: str) -> int | None:
    return next((status for pattern, status in _STATUSES if re.search(pattern, text, re.I)), None)


def _plain(text: str) -> str:
    """The words of a text; of a page, its title and its visible text."""
    text = text[: 16 * LONGEST]
    if re.match(r"\s*<(!doctype|html|head|body|\?xml|h1|p\b)", text, re.I):
        text = re.sub(r"<(script|style)\b.*?(</\1\s*>|$)|<!--.*?(-->|$)", " ", text, flags=re.I | re.S)
        text = html.unescape(re.sub(r"<[^<>]*>", " ", text))
        text = " ".join(text.split())
    return _cut(text.strip())


def _cut(text: str) -> str:
    return text[: LONGEST - 1] + "…" if len(text) > LONGEST else text


def _default_message(status: int | None) -> str:
    return f"The model's endpoint answered with status {status}." if status else "The model's endpoint failed."
