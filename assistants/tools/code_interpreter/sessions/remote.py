"""Runs in a session of the pool, whose own kernel receives this source with each call: executes the call's code.

It imports no other module of this project. The code is executed by the kernel of the local engine, whose source is sent
with the first call, in a namespace that stays in the session's process. The report is printed as one line that begins
with the call's token; a long one is in a file, as the pool truncates printed text. Its reader trusts no part of it.
"""

# The names `REQUEST` and `KERNEL` are sent with the source.
# pyright: basic
import base64
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import types
from typing import Any

DATA = "/mnt/data"
STATE = "code_interpreter_session"
PRINTED = 3000
"""The most characters of a printed report; the pool prints 4,096 unless more are requested."""

FILES = 2000


class TimeIsOver(BaseException):
    """The code's time is over."""


class Sent:
    """The kernel's messages, in their order."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, bytes]] = []

    def send(self, kind: str, body: bytes = b"", **_: Any) -> None:
        if kind == "log" and self.parts and self.parts[-1][0] == "log":
            body = self.parts.pop()[1] + body
        self.parts.append((kind, body))


def session() -> Any:
    """The state of the session in this process: its kernel, its last call, its files."""
    state = sys.modules.get(STATE)
    if state is None:
        state = types.ModuleType(STATE)
        state.__dict__.update(kernel=None, last=None, told={}, folder=DATA, inputs={}, made={}, copies=[])
        sys.modules[STATE] = state
    return state


def kernel(state: Any, sources: dict[str, str]) -> Any:
    """The session's kernel, which the first call creates."""
    if state.kernel is None:
        module = types.ModuleType("kernel")
        module.__file__ = "kernel.py"
        exec(compile(sources["kernel"], "kernel.py", "exec"), module.__dict__)  # noqa: S102
        folder = tempfile.mkdtemp()
        with open(os.path.join(folder, "figures.py"), "w", encoding="utf-8") as file:  # noqa: PTH118, PTH123
            file.write(sources["figures"])
        sys.path += [DATA, folder]
        os.environ["MPLBACKEND"] = "module://figures"
        if "matplotlib" in sys.modules:
            sys.modules["matplotlib"].use("module://figures")
        state.sent = Sent()
        own = sys.modules["__main__"], sys.stdout, sys.stderr
        state.kernel = module.Kernel(state.sent)
        sys.modules["__main__"], sys.stdout, sys.stderr = own
        module.__dict__["put_figures"] = state.kernel.put_figures
        sys.modules["kernel"] = module
    return state.kernel


def remove(name: str) -> None:
    """Remove a file, if it exists."""
    with contextlib.suppress(OSError):
        os.unlink(name)  # noqa: PTH108


def copy(source: str, target: str) -> None:
    """Give a file a second name or, if that is refused, make a copy."""
    remove(target)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def put(state: Any, files: list[dict[str, Any]]) -> list[str]:
    """Put these files into the folder, under their names and their ids; return the ids of those to be uploaded."""
    ids, names, missing = {file["id"] for file in files}, {file["name"] for file in files}, []
    for id_, name in list(state.inputs.items()):
        if id_ not in ids:
            remove(id_)
            if name not in names:
                remove(name)
            del state.inputs[id_]
    for file in files:
        id_, name, brought = file["id"], file["name"], file["as"]
        if id_ in state.inputs:
            remove(brought)
            continue
        if os.path.exists(brought):  # noqa: PTH110
            os.makedirs(os.path.join(DATA, os.path.dirname(name)), exist_ok=True)  # noqa: PTH103, PTH118, PTH120
            os.replace(brought, name)  # noqa: PTH105
        elif state.made.get(name) != file["size"] or not os.path.exists(name):  # noqa: PTH110
            missing.append(id_)
            continue
        if id_ != name:
            copy(name, id_)
        state.inputs[id_] = name
    return missing


def states(state: Any) -> dict[str, tuple[int, ...]]:
    """The properties that show whether a file was changed, by valid names; without the second names of files."""
    found: dict[str, tuple[int, ...]] = {}
    for folder, folders, files in os.walk("."):
        deep = folder.count("/") >= 8
        folders[:] = [] if deep else sorted(name for name in folders if name[0] != "." and name != "__pycache__")
        for name in sorted(files):
            path = os.path.join(folder, name)[2:]  # noqa: PTH118
            if name[0] == "." or not path.isprintable() or len(path) > 255 or state.inputs.get(path, path) != path:
                continue
            with contextlib.suppress(OSError):
                told = os.lstat(path)
                if told.st_mode & 0o170000 == 0o100000 and len(found) < FILES:
                    found[path] = (told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns)
    return found


def run(running: Any, code: str, seconds: float) -> str | None:
    """Execute code, and raise `TimeIsOver` in it after `seconds`; return the name of the exception that ended it."""

    def over(*_: Any) -> None:
        raise TimeIsOver

    own = sys.modules["__main__"], sys.stdout, sys.stderr
    running.take_over()
    try:
        before = signal.signal(signal.SIGALRM, over)
    except ValueError:  # not the main thread: the pool alone stops the code
        before = None
    try:
        if before is not None:
            signal.setitimer(signal.ITIMER_REAL, seconds)
        return running.run(code)
    except TimeIsOver:
        return TimeIsOver.__name__
    finally:
        if before is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        sys.modules["__main__"], sys.stdout, sys.stderr = own


def keep(state: Any, token: str, parts: list[tuple[str, bytes]], found: list[str]) -> dict[str, Any]:
    """Outputs and files, copied to names that the pool allows."""
    outputs, files = [], []
    for kind, body in parts:
        if kind != "image":
            outputs.append({"log": body.decode(errors="replace")})
            continue
        name = f"output-{token}-{len(state.copies)}"
        with contextlib.suppress(OSError), open(name, "wb") as file:  # noqa: PTH123
            state.copies.append(name)
            file.write(body)
            outputs.append({"image": name})
    for path in found:
        name = f"output-{token}-{len(state.copies)}"
        with contextlib.suppress(OSError):
            state.copies.append(name)
            copy(path, name)
            files.append({"name": path, "as": name, "size": os.path.getsize(name)})  # noqa: PTH202
    return {"outputs": outputs, "files": files}


def executed(state: Any, request: dict[str, Any], sources: dict[str, str]) -> dict[str, Any]:
    """The report of a call: its code was executed, or files are missing."""
    if state.last == request["call"]:  # the request was repeated
        return state.told
    os.chdir(DATA)
    for name in state.copies:
        remove(name)
    state.copies = []
    if missing := put(state, request["files"]):
        return {"missing": missing}
    kept = "kept" if state.last == request["after"] else "new" if state.last is None else "other"
    running = kernel(state, sources)
    before = states(state)
    state.last, state.told, state.made, state.sent.parts = request["call"], {}, {}, []
    with contextlib.suppress(OSError):
        os.chdir(state.folder)
    error = run(running, request["code"], request["seconds"])
    with contextlib.suppress(OSError):
        state.folder = os.getcwd()  # noqa: PTH109
    os.chdir(DATA)
    after = states(state)
    changed = sorted((path for path in after if before.get(path) != after[path]), key=lambda path: after[path][2])
    most = request["most"]
    found = changed[-most:] if most else []
    told = keep(state, request["token"], state.sent.parts, found)
    state.made = {file["name"]: file["size"] for file in told["files"]}
    whole = set(state.made)
    state.told = {
        **told, "state": kept, "error": error, "left": [path for path in changed if path not in whole][:100],
        "over": error == TimeIsOver.__name__,
    }  # fmt: skip
    return state.told


def main(request: dict[str, Any], sources: dict[str, str]) -> None:
    """Print the report of a call."""
    state = session()
    report = json.dumps(executed(state, request, sources))
    if len(report) > PRINTED:
        name = f"output-{request['token']}-report"
        with open(name, "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(report)
        state.copies.append(name)
        report = json.dumps({"report": name})
    print(request["token"], report, flush=True)  # noqa: T201


if __name__ == "remote":
    main(json.loads(base64.b64decode(REQUEST)), KERNEL)  # type: ignore  # noqa: F821
