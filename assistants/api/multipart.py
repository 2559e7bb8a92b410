"""Forms with a file, read as they arrive: at most one piece of the file is in memory."""

import re
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from assistants.api.filenames import base_name, of_part
from assistants.schema.errors import ApiError, file_too_large, invalid, malformed_form
from assistants.storage.contents import PIECE

Model = TypeVar("Model", bound=BaseModel)
Keep = Callable[[bytes], Awaitable[None]]

_MAX_FIELDS = 64 * 1024
"""The most bytes of a form outside the file."""

HELD = 2 * PIECE
"""The most bytes in memory of a form whose file is kept: a piece, and the copy of it that is stored."""

_BRACKETS = re.compile(r"([^\[\]]+)\[([^\[\]]+)\]")


class Form(Generic[Model]):
    """A form that is being received; it is fed with chunks, or reads all of them.

    Fields may have any order, those of an object as `object[field]`.

    Parameters
    ----------
    model
        The model of the form's fields; the file's field has the file's name.
    file
        The name of the field of the file.
    sizes
        The sizes in bytes that the file may have.
    headers
        The headers of the request, by lower-case name.
    keep
        Receives the file in pieces, of which the last may be short. Without it the file is only counted.
    named_by
        The name of a field with the file's name, which precedes the name in the file's part.
    """

    def __init__(
        self,
        model: type[Model],
        file: str,
        sizes: range,
        headers: Mapping[str, str],
        keep: Keep | None = None,
        named_by: str | None = None,
    ) -> None:
        self._model, self._file, self._sizes, self._keep = model, file, sizes, keep
        self._fields: dict[str, Any] = {}
        self._named_by = named_by
        self._name, self._overhead = "", 0
        self._header, self._header_value, self._disposition = b"", b"", b""
        self._value, self._piece = bytearray(), bytearray()
        self._done = False
        self._fed, self._most = 0, sizes[-1] + 2 * _MAX_FIELDS
        self.bytes = 0
        """Bytes of the file so far."""
        self.refusal: ApiError | None = None
        """Why the form does not fit the model (400) or is too large (413), as soon as that is known."""
        kind, options = parse_options_header(headers.get("content-type"))
        self._parser = self._begun(options.get(b"boundary", b"")) if kind == b"multipart/form-data" else None
        length = headers.get("content-length", "")
        if self._parser and length.isdecimal() and int(length) > sizes[-1] + _MAX_FIELDS:
            self.refusal = file_too_large(file, sizes[-1])

    async def read(self, chunks: AsyncIterable[bytes]) -> Model:
        """The whole form, read until it can be refused; raises as `result` does.

        Raises
        ------
        starlette.requests.ClientDisconnect
            The client has disconnected.
        """
        if not self.refusal:  # before the first read: the client has not sent everything yet
            async for chunk in chunks:
                await self.feed(chunk)
                if self.refusal:
                    break
        return await self.result()

    async def feed(self, chunk: bytes) -> None:
        """Parse the next bytes of the form. An error in them is in `refusal`."""
        self._fed += len(chunk)
        if self._fed > self._most:  # of bytes outside the file and the fields, such as those after the end
            self.refusal = self.refusal or malformed_form()
        # The server's chunks are small; a larger one is kept slice by slice.
        for start in range(0, len(chunk), PIECE):
            if not self._parser or self.refusal:
                return
            try:
                self._parser.write(chunk[start : start + PIECE])
            except FormParserError:
                self.refusal = malformed_form()
            except ApiError as error:
                self.refusal = error
            while len(self._piece) >= PIECE:
                await self._hand_on(PIECE)

    async def result(self) -> Model:
        """The form, after all of it was fed.

        Raises
        ------
        RequestValidationError
            The form's fields do not fit the model.
        ApiError
            The body is no form (400), or the file too small (400) or too large (413).
        """
        if self._parser and not self._done:
            self.refusal = self.refusal or malformed_form()
        if self.refusal:
            raise self.refusal
        name = self._fields.pop(self._named_by, "") if self._named_by else ""
        if isinstance(name, str) and base_name(name) and self._file in self._fields:
            self._fields[self._file] = base_name(name)
        try:
            form = self._model.model_validate(self._fields)
        except ValidationError as error:
            found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
            raise RequestValidationError(found, body=self._fields) from None
        if self.bytes < self._sizes[0]:
            raise invalid(self._file, "empty file", "at least one byte")
        if self._piece:
            await self._hand_on(len(self._piece))
        return form

    async def _hand_on(self, size: int) -> None:
        assert self._keep is not None
        await self._keep(bytes(self._piece[:size]))
        del self._piece[:size]

    def _begun(self, boundary: bytes) -> MultipartParser | None:
        try:
            return MultipartParser(
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
        except FormParserError:
            self.refusal = malformed_form()
            return None

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
            self._fields[self._file] = of_part(self._disposition, options.get(b"filename", b"")) or self._file

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._name != self._file:
            self._count(end - start)
            self._value += data[start:end]
            return
        self.bytes += end - start
        if self.bytes > self._sizes[-1]:
            raise file_too_large(self._file, self._sizes[-1])
        if self._keep:
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
