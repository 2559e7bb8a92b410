"""The outputs of a call in their order, bounded here, as the process may not have bounded them."""

from assistants.tools.code_interpreter.engine import Image, Logs
from assistants.tools.code_interpreter.local.kernel import IMAGE, IMAGES, LOGS_HEAD, LOGS_TAIL

_LOGS = LOGS_HEAD + LOGS_TAIL + 1024
_PNG = b"\x89PNG\r\n\x1a\n"
_MESSAGES = 20_000


class Transcript:
    """Logs and images."""

    def __init__(self) -> None:
        self._parts: list[bytearray | Image] = []
        self._room, self._images, self._messages = _LOGS * 4, 0, 0  # bytes of as many characters

    @property
    def is_full(self) -> bool:
        """Whether further outputs are dropped."""
        return self._room == 0 or self._messages > _MESSAGES

    def log(self, text: bytes) -> None:
        self._messages += 1
        kept = text[: self._room]
        self._room -= len(kept)
        if self._parts and isinstance(self._parts[-1], bytearray):
            self._parts[-1] += kept
        else:
            self._parts.append(bytearray(kept))

    def image(self, png: bytes) -> None:
        self._messages += 1
        self._images += 1
        if self._images <= IMAGES and len(png) <= IMAGE and png.startswith(_PNG):
            self._parts.append(Image(png))

    def outputs(self, printed: str) -> list[Logs | Image]:
        """All outputs; the position of `printed`, written to stderr outside Python, is unknown, so it is the last."""
        found = [part if isinstance(part, Image) else Logs(part.decode(errors="replace")) for part in self._parts]
        if printed:
            found.append(Logs(printed))
        return [part for part in found if isinstance(part, Image) or part.text]
