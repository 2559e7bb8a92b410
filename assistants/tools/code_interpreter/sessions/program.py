"""The program that a session executes for a call, and its printed report, any part of which code may have made."""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from assistants.tools.code_interpreter.engine import Call, InputFile, is_name
from assistants.tools.code_interpreter.local import kernel
from assistants.tools.code_interpreter.sessions import remote

_FIGURES = Path(kernel.__file__).with_name("figures.py")


@dataclass(frozen=True)
class Made:
    """A file that the code made or changed."""

    name: str
    size: int
    source: str
    """Its name in the pool's folder of the session."""


@dataclass(frozen=True)
class Report:
    """The report of a call."""

    missing: Sequence[str] = ()
    """Ids of files that the session does not have; if there are any, the code was not executed."""
    state: str = "kept"
    """The variables are `kept`, the process is `new`, or the variables are those of another execution (`other`)."""
    outputs: Sequence[tuple[str, str]] = ()
    """`log` and a text, or `image` and the name of a file."""
    files: Sequence[Made] = ()
    left: Sequence[str] = ()
    """Files that were made or changed, but are not stored."""
    error: str | None = None
    timed_out: bool = False


@dataclass(frozen=True)
class Printed:
    """The session's output: the report, or the file that has it, and all other text."""

    report: Report | None
    elsewhere: str | None
    rest: str = field(default="")


def upload_name(file: InputFile) -> str:
    """The name under which a file is uploaded: its own name may have characters that the pool refuses."""
    return f"upload-{sha256(file.id.encode()).hexdigest()[:24]}"


def program(call: Call, files: Sequence[InputFile], token: str, seconds: float, most: int) -> str:
    """The program's source, in ASCII."""
    request = {
        "call": call.id,
        "after": call.after,
        "token": token,
        "code": call.code.encode(errors="replace").decode(),
        "seconds": seconds,
        "most": most,
        "files": [{"id": file.id, "name": file.name, "size": file.size, "as": upload_name(file)} for file in files],
    }
    encoded = base64.b64encode(json.dumps(request).encode()).decode()
    names = f"{{'__name__': 'remote', 'REQUEST': {encoded!r}, 'KERNEL': {_kernel()!a}}}"
    return f"exec(compile({_source(remote.__file__)!a}, 'remote.py', 'exec'), {names})"


def _kernel() -> dict[str, str]:
    """The sources of the kernel and of its backend for matplotlib."""
    return {"kernel": _source(kernel.__file__), "figures": _source(str(_FIGURES))}


@cache
def _source(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def printed(stdout: str, token: str) -> Printed:
    """The report in the session's output."""
    before, found, line = stdout.rpartition(f"{token} ")
    if not found:
        return Printed(None, None, stdout)
    told, _, after = line.partition("\n")
    elsewhere: Any = (_object(told) or {}).get("report")
    if isinstance(elsewhere, str) and elsewhere == f"output-{token}-report":
        return Printed(None, elsewhere, before + after)
    return Printed(report(told, token), None, before + after)


def report(text: str, token: str) -> Report | None:
    """The report; None if the text is none."""
    told = _object(text)
    if told is None:
        return None
    missing = [id_ for id_ in _list(told.get("missing")) if isinstance(id_, str)]
    if missing:
        return Report(missing=missing)
    error, state = told.get("error"), told.get("state")
    if state not in ("kept", "new", "other"):
        return None
    return Report(
        state=state,
        outputs=list(_outputs(told, token)),
        files=list(_files(told, token)),
        left=[name for name in _list(told.get("left")) if isinstance(name, str) and is_name(name)],
        error=error if isinstance(error, str) else None,
        timed_out=told.get("over") is True,
    )


def _outputs(told: dict[str, Any], token: str) -> Iterator[tuple[str, str]]:
    for output in _list(told.get("outputs")):
        match output:
            case {"log": str(text)}:
                yield "log", text
            case {"image": str(source)} if _is_output(source, token):
                yield "image", source
            case _:
                pass


def _files(told: dict[str, Any], token: str) -> Iterator[Made]:
    for file in _list(told.get("files")):
        match file:
            case {"name": str(name), "size": int(size), "as": str(source)}:
                if is_name(name) and size >= 0 and _is_output(source, token):
                    yield Made(name, size, source)
            case _:
                pass


def _is_output(name: str, token: str) -> bool:
    return re.fullmatch(rf"output-{token}-\d{{1,4}}", name) is not None


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _object(text: str) -> dict[str, Any] | None:
    try:
        told: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", told) if isinstance(told, dict) else None
