"""Processes that tests start: the service as users run it, and the demo model as a separate endpoint."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import httpx2

ROOT = Path(__file__).parents[3]
_READY = "Listening on "


class Process:
    """A process that prints `Listening on URL` when it is ready. A context manager that ends it.

    Parameters
    ----------
    arguments
        The arguments of `python -m`.
    settings
        Its environment, besides the variables that Python needs; those of the tests' own are not inherited.
    """

    def __init__(self, arguments: Sequence[str], settings: Mapping[str, str] | None = None) -> None:
        self._arguments = arguments
        self._settings = dict(settings or {})
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.lines: list[str] = []

    def start(self) -> Self:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT", "TMPDIR") if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-m", *self._arguments],
            cwd=ROOT,
            env={**kept, "PYTHONUNBUFFERED": "1", **self._settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ready: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(self._process, ready), daemon=True)
        self._reader.start()
        self.url = ready.get(timeout=60)
        if not self.url:
            raise RuntimeError("".join(self.lines))
        return self

    def kill(self) -> None:
        """Kill it, as a crash does."""
        self.end(signal.SIGKILL)

    def stop(self) -> int:
        """End it as an operator does; return the exit code."""
        return self.end(signal.SIGTERM)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Suspend the process during the `with` block."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def peak_memory(self) -> int:
        """Its peak memory in bytes; Linux only."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def children(self) -> list[int]:
        """The child processes that are running; empty on systems other than Linux."""
        assert self._process is not None
        found: list[int] = []
        for status in Path("/proc").glob("[0-9]*/status"):
            with suppress(OSError):  # it has ended meanwhile
                told = dict(
                    line.split(":", 1) for line in status.read_text(errors="replace").splitlines() if ":" in line
                )
                if int(told["PPid"]) == self._process.pid and "zombie" not in told["State"]:
                    found.append(int(status.parent.name))
        return found

    def cpu_time(self) -> float:
        """The seconds of CPU time that it has used so far; Linux only."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii")
        user, system = status.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()

    def end(self, number: int) -> int:
        """Send it a signal and wait; return the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        code = self._process.wait(timeout=30)
        self._reader.join(timeout=5)
        return code

    def _read(self, process: "subprocess.Popen[str]", ready: "queue.Queue[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line)
            if line.startswith(_READY):
                ready.put(line.removeprefix(_READY).strip())
        ready.put("")


class Model(Process):
    """The demo model, whose replies a test can script and whose requests it can read."""

    def __init__(self) -> None:
        super().__init__(["assistants.local.model", "--port", "0"])

    def script(self, *replies: Mapping[str, Any]) -> None:
        """Set replies, each used for the next request that contains its `match`; see `assistants.local.reply`."""
        httpx2.post(f"{self._root}/script", json=list(replies)).raise_for_status()

    def forget(self) -> None:
        """Delete all remaining replies, and all requests."""
        httpx2.delete(f"{self._root}/script").raise_for_status()

    def requests(self, match: str) -> list[dict[str, Any]]:
        """The bodies of the requests whose messages contain the text."""
        return [request["body"] for request in self._recorded(match)]

    def hung_up(self, match: str) -> bool:
        """Whether the client of such a request has disconnected before the end of the answer."""
        return any(request["disconnected"] for request in self._recorded(match))

    def _recorded(self, match: str) -> list[dict[str, Any]]:
        return httpx2.get(f"{self._root}/requests", params={"match": match}).raise_for_status().json()

    @property
    def _root(self) -> str:
        return self.url.removesuffix("/v1")


class Proxy(Process):
    """The service with BACKEND=proxy, in front of the Assistants endpoint at this base URL."""

    def __init__(self, upstream: str, **settings: str) -> None:
        ours = {"BACKEND": "proxy", "PROXY_BASE_URL": upstream, **settings}
        super().__init__(["assistants.local", "--port", "0"], ours)

    def report(self, key: str = "none") -> dict[str, Any]:
        """The report of its upstream's deviations."""
        url = f"{self.url.removesuffix('/v1')}/proxy/report"
        return httpx2.get(url, headers={"api-key": key}).raise_for_status().json()

    def deviations(self) -> list[str]:
        """The deviations that it has logged, in all projects."""
        return [line for line in self.lines if " assistants.proxy deviation {" in line]


class Fronted(Process):
    """A service and, with `--through-proxy`, a proxy in front of it, whose report has to be empty at the end."""

    through_proxy = False

    def __init__(self, arguments: Sequence[str], settings: Mapping[str, str]) -> None:
        super().__init__(arguments, settings)
        self._passed = {name: settings[name] for name in ("API_KEYS", "REQUIRE_BETA_HEADER") if name in settings}
        self._front: Proxy | None = None

    def start(self) -> Self:
        super().start()
        if self.through_proxy:
            self._front = Proxy(self.url, **self._passed).start()
            self.url = self._front.url
        return self

    def end(self, number: int) -> int:
        front, self._front = self._front, None
        if front is not None:
            front.stop()
        code = super().end(number)
        assert front is None or not front.deviations(), "".join(front.deviations())
        return code


class Service(Fronted):
    """The service, run by `python -m assistants.local` on a free port, with more `arguments` and `settings`."""

    def __init__(self, storage: str, model: str, *arguments: str, **settings: str) -> None:
        super().__init__(["assistants.local", "--port", "0", *arguments], _settings(storage, model, settings))


class Instance(Fronted):
    """The service as `Service` runs it, with the adjustments of `tests.support.service.instance`."""

    def __init__(self, storage: str, model: str, **settings: str) -> None:
        super().__init__(["tests.support.service.instance", "--port", "0"], _settings(storage, model, settings))


class HttpSide(Fronted):
    """The service's HTTP side alone, as on an instance that handles no queue."""

    def __init__(self, storage: str, model: str, **settings: str) -> None:
        super().__init__(["tests.support.service.httpside"], _settings(storage, model, settings))


def _settings(storage: str, model: str, others: Mapping[str, str]) -> dict[str, str]:
    return {"AzureWebJobsStorage": storage, "OPENAI_BASE_URL": model, "OPENAI_API_KEY": "test", **others}


def eventually(condition: Any, seconds: float = 30, pause: float = 0.05) -> Any:
    """The result of `condition` as soon as it is true; it is called every `pause` seconds.

    Raises
    ------
    AssertionError
        The condition was false for `seconds` seconds.
    """
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(pause)
    return found
