"""Forms with a file, read as they come: no more of the file is in memory than one piece of it."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from assistants.schema.errors import file_too_large, malformed_form
from assistants.storage.contents import PIECE

Model = TypeVar("Model", bound=BaseModel)
Keep = Callable[[bytes], Awaitable[None]]

_MAX_FIELDS = 64 * 1024
"""Bytes of everything in a form that is not the file."""

_BRACKETS = re.compile(r"([^\[\]]+)\[([^\[\]]+)\]")


class Form:
    """A form on its way in, of which the field `file` may be as large as `most` bytes.

    Fields may come in any order, those of an object as `object[field]`. `keep` is handed the file in pieces, the last
    of which may be short.
    """

    def __init__(self, request: Request, file: str, most: int, keep: Keep) -> None:
        self._request, self._file, self._most, self._keep = request, file, most, keep
        self._fields: dict[str, Any] = {}
        self._name, self._overhead = "", 0
        self._header, self._header_value, self._disposition = b"", b"", b""
        self._value, self._piece = bytearray(), bytearray()
        self._done = False
        self.bytes = 0
        """Bytes of the file so far."""

    async def read(self, model: type[Model]) -> Model:
        """The whole form; of the file it has the name.

        Raises
        ------
        RequestValidationError
            The form is not what the model says.
        ApiError
            It is no form at all (400), or too large (413).
        starlette.requests.ClientDisconnect
            It broke off.
        """
        kind, options = parse_options_header(self._request.headers.get("content-type"))
        if kind == b"multipart/form-data":
            # Before anything is read: the client has not sent it all yet.
            length = self._request.headers.get("content-length", "")
            if length.isdecimal() and int(length) > self._most + _MAX_FIELDS:
                raise file_too_large(self._file, self._most)
            await self._parse(options.get(b"boundary", b""))
        try:
            return model.model_validate(self._fields)
        except ValidationError as error:
            found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
            raise RequestValidationError(found, body=self._fields) from None

    async def _parse(self, boundary: bytes) -> None:
        try:
            parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers,
                    "on_part_data": self._on_data,
                    "on_part_end": self._on_end,
                    "on_end": self._on_last,
                },
            )
            async for chunk in self._request.stream():
                # The server's chunks are small; what a larger one holds is kept after each slice of it.
                for start in range(0, len(chunk), PIECE):
                    parser.write(chunk[start : start + PIECE])
                    while len(self._piece) >= PIECE:
                        await self._keep(bytes(self._piece[:PIECE]))
                        del self._piece[:PIECE]
        except FormParserError:
            raise malformed_form() from None
        if not self._done:
            raise malformed_form()
        if self._piece:
            await self._keep(bytes(self._piece))

    def _begin(self) -> None:
        self._name, self._disposition = "", b""
        self._header, self._header_value = b"", b""
        self._value.clear()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header, self._header_value = b"", b""

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode(errors="replace")
        if self._name == self._file:
            if self._file in self._fields:
                raise malformed_form()
            self._fields[self._file] = options.get(b"filename", b"").decode(errors="replace") or self._file

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._name != self._file:
            self._count(end - start)
            self._value += data[start:end]
            return
        self.bytes += end - start
        if self.bytes > self._most:
            raise file_too_large(self._file, self._most)
        self._piece += data[start:end]

    def _on_end(self) -> None:
        if self._name == self._file:
            return
        value = self._value.decode(errors="replace")
        if nested := _BRACKETS.fullmatch(self._name):
            inner = self._fields.setdefault(nested[1], {})
            if isinstance(inner, dict):
                inner[nested[2]] = value
                return
        self._fields[self._name] = value

    def _on_last(self) -> None:
        self._done = True

    def _count(self, more: int) -> None:
        self._overhead += more
        if self._overhead > _MAX_FIELDS:
            raise malformed_form()
