"""Runs in the confined process: executes the code of calls in one namespace, and reports to the host.

It imports no other module of this project, as the process does not see them. The host trusts no report, as the executed
code can do whatever this module can do.
"""

import ast
import builtins
import ctypes
import io
import json
import linecache
import os
import pickle
import struct
import sys
import threading
import time
import traceback
import types
from collections.abc import Callable
from typing import Any, BinaryIO, cast

LENGTHS = struct.Struct("!IQ")
"""The lengths of a JSON head and of the body after it, in both directions."""

LOGS_HEAD, LOGS_TAIL = 48 * 1024, 48 * 1024
"""Characters of a call's logs that are kept, at their beginning and at their end."""

SNAPSHOT = 64 * 1024 * 1024
IMAGES, IMAGE = 20, 16 * 1024 * 1024
"""The most bytes of a snapshot, images of a call and bytes of an image."""

MOST_NAMED = 20
_AT_ONCE, _TOGETHER, _LATE = 500, 8192, 0.1
"""The number of writes that are sent singly; then the characters and the seconds that are sent together."""

_DATA = "/mnt/data"
_NO_LOCALS = ("__name__", "__builtins__", "__doc__", "__loader__", "__spec__", "__package__", "__annotations__")


class Channel:
    """The connection with the host."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._lock = threading.Lock()
        self.call = ""

    def send(self, kind: str, body: bytes = b"", **told: Any) -> None:
        head = json.dumps({"kind": kind, "call": self.call, **told}).encode()
        with self._lock:
            self._outgoing.write(LENGTHS.pack(len(head), len(body)) + head + body)
            self._outgoing.flush()

    def receive(self) -> tuple[dict[str, Any], bytes]:
        lengths = self._incoming.read(LENGTHS.size)
        if len(lengths) < LENGTHS.size:
            os._exit(0)
        head, body = LENGTHS.unpack(lengths)
        return json.loads(self._incoming.read(head)), self._incoming.read(body)


class Log(io.TextIOBase):
    """stdout and stderr: the beginning is sent to the host at once, the last part when the log ends."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.RLock()
        self.begin()

    def begin(self) -> None:
        self._room, self._pending, self._tail, self._dropped = LOGS_HEAD, "", "", 0
        self._writes, self._sent = 0, 0.0

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        with self._lock:
            head = text[: self._room]
            self._room -= len(head)
            self._pending += head
            self._writes += 1
            # At once, as the code may be stopped at any time, but not for each of many thousands of writes.
            if self._writes < _AT_ONCE or len(self._pending) >= _TOGETHER or time.monotonic() - self._sent > _LATE:
                self._send()
            rest = text[len(head) :]
            if rest:
                self._dropped += max(0, len(self._tail) + len(rest) - LOGS_TAIL)
                self._tail = (self._tail + rest[-LOGS_TAIL:])[-LOGS_TAIL:]
        return len(text)

    def end(self) -> None:
        """Send the part that is held back."""
        with self._lock:
            self._send()
            if self._dropped:
                self._channel.send("log", f"\n[... {self._dropped:,} characters are left out ...]\n".encode())
            if self._tail:
                self._channel.send("log", self._tail.encode(errors="replace"))
            self._tail, self._dropped = "", 0

    def _send(self) -> None:
        if self._pending:
            self._channel.send("log", self._pending.encode(errors="replace"))
            self._pending, self._sent = "", time.monotonic()


class Kernel:
    """A namespace, in which the code of all calls is executed."""

    def __init__(self, channel: Channel) -> None:
        self._channel, self._log, self._images, self._calls = channel, Log(channel), 0, 0
        self._module = types.ModuleType("__main__")
        self._module.__dict__["display"] = self.display
        self.take_over()

    def take_over(self) -> None:
        """Become the process's `__main__`, and redirect its output."""
        sys.modules["__main__"] = self._module
        sys.stdout = sys.stderr = self._log  # type: ignore[assignment]

    @property
    def _names(self) -> dict[str, Any]:
        return self._module.__dict__

    def serve(self) -> None:
        """Handle the host's messages until it closes the channel."""
        while True:
            head, body = self._channel.receive()
            self._channel.call = head["call"]
            if head["kind"] == "load":
                self._channel.send("loaded", lost=self._load(body))
            else:
                self._channel.send("done", error=self.run(body.decode()))
                snapshot, lost = self._dump()
                self._channel.send("snapshot", snapshot or b"", lost=lost, whole=snapshot is not None)

    def run(self, code: str) -> str | None:
        """Execute code, and send its logs and figures; return the name of the exception that ended it."""
        self._log.begin()
        self._images = 0
        error = self._execute(code)
        self.put_figures()
        self._log.end()
        return error

    def _execute(self, code: str) -> str | None:
        """Execute code; return the name of the exception that ended it."""
        self._calls += 1
        name = f"<cell {self._calls}>"
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        try:
            tree = ast.parse(code, name)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, name, "exec"), self._names)  # noqa: S102
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), name, "eval"), self._names)  # noqa: S307
                if value is not None:
                    self._names["_"] = value
                    self.display(value)
        except BaseException as error:
            self._tell(error)
            return type(error).__name__ if not isinstance(error, OSError) else f"OSError {error.errno}"
        return None

    def _tell(self, error: BaseException) -> None:
        try:
            within = error.__traceback__
            while within is not None and within.tb_frame.f_code.co_filename == __file__:
                within = within.tb_next
            text = "".join(traceback.format_exception(type(error), error, within, limit=-50))
        except BaseException:  # raised by the exception's own `__str__`
            text = f"{type(error).__name__}\n"
        self._log.write(text)

    def display(self, *values: Any) -> None:
        """Show values as a notebook does: a picture as an image, any other value by its `repr`."""
        for value in values:
            draw: Callable[[Any], Any] | None = getattr(cast("Any", type(value)), "_repr_png_", None)
            png = draw(value) if draw else None
            if isinstance(png, bytes):
                self._put_image(png)
            else:
                self._log.write(f"{value!r}\n")

    def put_figures(self) -> None:
        """Send every open figure of matplotlib, and close it."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        try:
            for number in pyplot.get_fignums():
                drawn = io.BytesIO()
                pyplot.figure(number).savefig(drawn, format="png", bbox_inches="tight")
                pyplot.close(number)
                self._put_image(drawn.getvalue())
        except BaseException as error:
            self._tell(error)
            pyplot.close("all")

    def _put_image(self, png: bytes) -> None:
        self._images += 1
        if self._images > IMAGES or len(png) > IMAGE:
            self._log.write(f"[An image is left out: there may be {IMAGES}, of {IMAGE:,} bytes each.]\n")
        else:
            self._log.end()
            self._channel.send("image", png)

    def _variables(self) -> dict[str, Any]:
        own = ("display", *_NO_LOCALS)
        return {name: value for name, value in self._names.items() if name not in own}

    def _dump(self) -> tuple[bytes | None, list[str]]:
        """The variables, pickled together so that they still share objects; the names of those that cannot be."""
        variables, lost = self._variables(), list[str]()
        try:
            return self._pickled(variables), lost
        except BaseException:
            room = SNAPSHOT
            for name in sorted(variables):
                try:
                    room -= len(self._pickled({name: variables[name]}, room))
                except BaseException:
                    lost.append(name)
                    del variables[name]
        try:
            return self._pickled(variables), lost[:MOST_NAMED]
        except BaseException:
            return None, sorted(self._variables())[:MOST_NAMED]

    def _pickled(self, variables: dict[str, Any], most: int = SNAPSHOT) -> bytes:
        out = _Bounded(most)
        _pickler(out, self._names).dump(variables)
        return out.getvalue()

    def _load(self, snapshot: bytes) -> bool:
        """Set the variables; return whether they are lost."""
        names = self._names

        class Unpickler(pickle.Unpickler):
            def persistent_load(self, _: Any) -> Any:
                return names

        try:
            found = Unpickler(io.BytesIO(snapshot)).load()
            names.update(found)
        except BaseException:
            return True
        return False


class _Bounded(io.BytesIO):
    """Bytes up to a size."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def write(self, content: Any, /) -> int:
        if self.tell() + memoryview(content).nbytes > self._most:
            raise ValueError("it is too large")
        return super().write(content)


def _pickler(out: io.BytesIO, names: dict[str, Any]) -> Any:
    """A pickler whose functions use the namespace in which they are loaded, instead of copies of its variables."""
    import cloudpickle  # pyright: ignore

    base: Any = cloudpickle.Pickler  # pyright: ignore

    class Pickler(base):
        def persistent_id(self, value: Any) -> str | None:
            return "names" if value is names else None

        def reducer_override(self, value: Any) -> Any:
            reduced: Any = super().reducer_override(value)  # pyright: ignore
            own = isinstance(value, types.FunctionType) and value.__globals__ is names
            if own and reduced is not NotImplemented:
                reduced[2][1]["__globals__"] = {}  # its state: its attributes, and the parts of a function
            return cast("Any", reduced)

    pickler = Pickler(out)
    pickler.globals_ref[id(names)] = names
    return pickler


def _refuse_programs(filter_: bytes) -> None:
    """Refuse `execve`, which the start of this process needed."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))

    program = Program(len(filter_) // 8, filter_)
    if ctypes.CDLL(None).prctl(22, 2, ctypes.byref(program), 0, 0):
        os._exit(72)


def main() -> None:
    """Handle the messages of the host, which is at the other end of stdin and stdout."""
    _refuse_programs(bytes.fromhex(sys.argv[1]))
    channel = Channel(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", buffering=1 << 16))
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.argv = [""]
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.path += [_DATA, os.path.dirname(__file__)]  # noqa: PTH120
    sys.modules["kernel"] = types.ModuleType("kernel")
    kernel = Kernel(channel)
    sys.modules["kernel"].__dict__["put_figures"] = kernel.put_figures
    builtins.exit = builtins.quit = sys.exit
    channel.send("ready")
    kernel.serve()


if __name__ == "__main__":
    main()
