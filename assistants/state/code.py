"""The code in the arguments of a call of the code interpreter, whole or while the model writes them."""

import json
import re
from typing import Any, cast

_BEGINNING = re.compile(r'\s*\{\s*"code"\s*:\s*"')
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_PIECE = re.compile(r'[^"\\]+|\\u[0-9a-fA-F]{4}|\\[^u]')


def code_of(arguments: str) -> str:
    """The code; of unfinished arguments, the code so far. Arguments that are no object are code themselves."""
    try:
        given: Any = json.loads(arguments)
    except (ValueError, RecursionError):
        return Decoder().feed(arguments) if arguments.lstrip().startswith("{") else arguments
    if isinstance(given, dict):
        given = cast("dict[str, Any]", given).get("code", "")
    return given if isinstance(given, str) else ""


class Decoder:
    """Decodes the value of `code`, the first field of an object, as the text of the JSON arrives.

    Half of an escape sequence, or of a surrogate pair, is kept back until its other half arrives.
    """

    def __init__(self) -> None:
        self._kept = ""
        self._begun = False
        self._ended = False

    def feed(self, text: str) -> str:
        """The code in the next piece of the arguments."""
        if self._ended:
            return ""
        self._kept += text
        if not self._begun:
            found = _BEGINNING.match(self._kept)
            if found is None:
                return ""
            self._begun, self._kept = True, self._kept[found.end() :]
        decoded, at = list[str](), 0
        while piece := _PIECE.match(self._kept, at):
            if not (shown := self._shown(piece)):
                break
            decoded.append(shown[0])
            at = shown[1]
        self._ended = self._kept.startswith('"', at)
        self._kept = self._kept[at:]
        return "".join(decoded)

    def _shown(self, piece: re.Match[str]) -> tuple[str, int] | None:
        """The text of a piece and the position where the piece ends; None until its other half has arrived."""
        text, end = piece[0], piece.end()
        if not text.startswith("\\"):
            return text, end
        if text[1] != "u":
            return _ESCAPES.get(text[1], text[1]), end
        code = int(text[2:], 16)
        if 0xD800 <= code < 0xDC00:
            other = re.compile(r"\\u[dD][c-fC-F][0-9a-fA-F]{2}").match(self._kept, end)
            if other:
                return chr(0x10000 + ((code - 0xD800) << 10) + int(other[0][2:], 16) - 0xDC00), other.end()
            if len(self._kept) < end + 6 and "\\u".startswith(self._kept[end : end + 2]):
                return None
        return (chr(code) if not 0xD800 <= code < 0xE000 else "\ufffd"), end
