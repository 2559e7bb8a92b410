"""Azurite, the storage emulator: its installation, and one shared instance for the processes that use its data.

Azurite flushes its index every few seconds, so killing it loses acknowledged writes. It therefore runs in a separate
process (`azurite.js`), which does not end with the process that started it: each user has a lease, an open connection,
and Azurite shuts down in order at the end of the last lease, even if its process was killed.
"""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from assistants.local import npm

VERSION = "3.37.0"
DEFAULT_PORTS = (10000, 10001)
"""The blob and the queue port of `UseDevelopmentStorage=true`."""
ACCOUNT = "devstoreaccount1"
"""The account that Azurite serves by default."""

_PREFIX = Path(sys.prefix) / "azurite"
_HOME = _PREFIX / "node_modules" / "azurite"
_INSTALL = f"{sys.executable} -m assistants.local.azurite install"
_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 15.0
# Azurite's documented key, which is no secret.
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class AzuriteError(Exception):
    """Azurite is not installed or does not start; the message gives the remedy."""


@dataclass(frozen=True)
class Storage:
    """A running Azurite, on 127.0.0.1."""

    blob_port: int
    queue_port: int
    account: str = ACCOUNT

    @property
    def connection_string(self) -> str:
        """The connection string, for `from_connection_string` and for `AzureWebJobsStorage`."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account};AccountKey={_KEY};"
            f"BlobEndpoint=http://127.0.0.1:{self.blob_port}/{self.account};"
            f"QueueEndpoint=http://127.0.0.1:{self.queue_port}/{self.account};"
        )


class Azurite:
    """A lease on the Azurite of a data folder, for `with` or `async with`; Azurite is started unless it is running.

    Parameters
    ----------
    data
        Folder of its data, its log (`azurite.log`) and its ports (`azurite.json`); created if missing.
    ports
        Blob and queue port; by default any free ones, or the present ones if it is running.
    accounts
        The accounts of an Azurite that is started; `Storage.account` selects one of them.

    Raises
    ------
    AzuriteError
        On entering: not installed, no Node.js, a port is taken, or it is running on other ports.
    """

    def __init__(self, data: Path, ports: tuple[int, int] | None = None, accounts: Sequence[str] = (ACCOUNT,)) -> None:
        self.data = data.resolve()
        self.ports = ports
        self.accounts = accounts
        self._lease: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def running(self) -> bool:
        """Whether an Azurite with leases runs on this data."""
        try:
            return listening(json.loads((self.data / "azurite.json").read_text())["lease"])
        except (OSError, ValueError, KeyError):
            return False

    def acquire(self) -> Storage:
        """Find or start Azurite, and keep it running until `release`."""
        self.data.mkdir(parents=True, exist_ok=True)
        with _locked(self.data / "azurite.lock"):
            storage = self._join() or self._start()
        if self.ports and self.ports != (storage.blob_port, storage.queue_port):
            self.release()
            raise AzuriteError(
                f"Azurite serves {self.data} already, on ports {storage.blob_port}, {storage.queue_port}."
            )
        return storage

    def release(self) -> None:
        """End the lease. Returns when Azurite has saved its data and ended, or has other leases."""
        lease, self._lease = self._lease, None
        if lease is None:
            return
        with lease:
            try:
                lease.sendall(b"release\n")
                lease.shutdown(socket.SHUT_WR)
                _wait_for_end(lease)
            except OSError:
                pass  # it has ended
        if self._process is not None and not (self.data / "azurite.json").exists():
            self._process.wait(_STOP_TIMEOUT)

    def _join(self) -> Storage | None:
        try:
            about = json.loads((self.data / "azurite.json").read_text())
            lease = socket.create_connection(("127.0.0.1", about["lease"]), timeout=5)
        except (OSError, ValueError, KeyError):
            return None
        try:
            greeting = lease.makefile().readline().strip()
            if greeting == "closing":
                _wait_for_end(lease)
            elif json.loads(greeting)["id"] == about["id"]:
                self._lease = lease
                return Storage(about["blob"], about["queue"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # another program has taken the port, or Azurite was killed
        lease.close()
        return None

    def _start(self) -> Storage:
        if not installed():
            raise AzuriteError(f"Azurite is not installed. Run: {_INSTALL}")
        try:
            program = npm.node()
        except npm.NpmError as error:
            raise AzuriteError(f"Azurite does not start: {error}") from None
        where = self.data / "azurite.json"
        where.unlink(missing_ok=True)
        script, accounts = Path(__file__).with_name("azurite.js"), ";".join(f"{name}:{_KEY}" for name in self.accounts)
        ports = [str(port) for port in self.ports or (0, 0)]
        with (self.data / "azurite.log").open("ab") as log:
            self._process = _detached([str(program), str(script), str(_HOME), str(self.data), *ports, accounts], log)
        deadline = time.monotonic() + _START_TIMEOUT
        while time.monotonic() < deadline and self._process.poll() is None:
            if where.exists() and (storage := self._join()):
                return storage
            time.sleep(0.02)
        raise AzuriteError(f"Azurite did not start; its last words: {_last_line(self.data / 'azurite.log')}")

    def __enter__(self) -> Storage:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    async def __aenter__(self) -> Storage:
        return await asyncio.to_thread(self.acquire)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.release)


def installed() -> bool:
    """Whether Azurite of the right version is completely installed."""
    try:
        # npm writes this file last.
        lock = json.loads((_PREFIX / "node_modules" / ".package-lock.json").read_text())
        return lock["packages"]["node_modules/azurite"]["version"] == VERSION
    except (OSError, ValueError, KeyError):
        return False


def install() -> None:
    """Install Azurite beside the Python packages, unless it is installed, and print so.

    Raises
    ------
    AzuriteError
        There is no npm, it failed (and printed why), or it took too long.
    """
    if installed():
        return
    print(f"Installing Azurite {VERSION}, the storage emulator, by npm (about half a minute) ...", flush=True)
    try:
        npm.install(_PREFIX, f"azurite@{VERSION}", "--omit=dev")
    except npm.NpmError as error:
        raise AzuriteError(f"{error}\nThen go on with: {_INSTALL}") from None


def listening(port: int) -> bool:
    """Whether a program listens on a port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _detached(command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a process that is independent of this terminal's Ctrl-C and of the end of this process."""
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, creationflags=flags)
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


@contextmanager
def _locked(path: Path) -> Generator[None]:
    with path.open("a+b") as file:
        if sys.platform == "win32":
            import msvcrt

            while True:
                try:
                    file.seek(0)
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                    break
                except OSError:
                    continue  # it gives up after ten seconds
            try:
                yield
            finally:
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _wait_for_end(lease: socket.socket) -> None:
    lease.settimeout(_STOP_TIMEOUT)
    while lease.recv(1024):
        pass


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "none"


def main() -> int:
    """`python -m assistants.local.azurite install`."""
    if sys.argv[1:] != ["install"]:
        print("usage: python -m assistants.local.azurite install", file=sys.stderr)
        return 2
    try:
        install()
    except AzuriteError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
