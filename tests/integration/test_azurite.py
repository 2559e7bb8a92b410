import subprocess
import sys
import time
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from assistants.local import azurite, npm
from assistants.local.azurite import Azurite, AzuriteError, Storage, listening

HOLDER = """
import sys, time
from pathlib import Path
from assistants.local.azurite import Azurite
print(Azurite(Path(sys.argv[1])).acquire().blob_port, flush=True)
time.sleep(600)
"""


def write(storage: Storage, name: str) -> None:
    with BlobServiceClient.from_connection_string(storage.connection_string) as service:
        container = service.get_container_client("things")
        if not container.exists():
            container.create_container()
        container.upload_blob(name, name.encode())


def read(storage: Storage, name: str) -> bytes:
    with BlobServiceClient.from_connection_string(storage.connection_string) as service:
        return service.get_blob_client("things", name).download_blob().readall()


def ended(port: int, within: float) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not listening(port):
            return True
        time.sleep(0.05)
    return False


def test_data_outlives_a_restart(tmp_path: Path):
    with Azurite(tmp_path) as storage:
        write(storage, "kept")
    assert not listening(storage.blob_port)
    assert not listening(storage.queue_port)
    with Azurite(tmp_path) as storage:
        assert read(storage, "kept") == b"kept"


def test_one_azurite_for_all_who_use_the_data(tmp_path: Path):
    with Azurite(tmp_path) as first:
        with Azurite(tmp_path) as second:
            assert second == first
        assert listening(first.blob_port)
        with pytest.raises(AzuriteError, match="already"):
            Azurite(tmp_path, (first.blob_port + 1, first.queue_port + 1)).acquire()
        assert listening(first.blob_port)
    assert not listening(first.blob_port)


async def test_as_an_async_context(tmp_path: Path):
    async with Azurite(tmp_path) as storage:
        assert listening(storage.queue_port)


def test_simultaneous_starts_end_with_one(tmp_path: Path):
    holders = [_holder(tmp_path) for _ in range(3)]
    ports = {_port(holder) for holder in holders}
    for holder in holders:
        _kill(holder)
    assert len(ports) == 1
    assert ended(ports.pop(), within=10)


def test_a_killed_lease_holder_loses_no_data(tmp_path: Path):
    holder = _holder(tmp_path)
    port = _port(holder)
    with Azurite(tmp_path) as storage:
        assert storage.blob_port == port
        write(storage, "before")
        _kill(holder)
        write(storage, "after")
        time.sleep(1.5)
        assert read(storage, "before") == b"before"
    holder = _holder(tmp_path)
    port = _port(holder)
    write(Storage(port, 0), "last")
    _kill(holder)
    assert ended(port, within=10)
    with Azurite(tmp_path) as storage:
        assert [read(storage, name) for name in ("before", "after", "last")] == [b"before", b"after", b"last"]


def test_an_installation_that_fails_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(azurite, "_PREFIX", tmp_path)
    monkeypatch.setattr(npm, "command", lambda: [sys.executable, "-c", "import sys; sys.exit('install' in sys.argv)"])
    monkeypatch.setattr(sys, "argv", ["azurite", "install"])
    assert azurite.main() == 1
    said = capsys.readouterr()
    assert said.out.startswith(f"Installing Azurite {azurite.VERSION}")
    assert said.err.endswith(f"{sys.executable} -m assistants.local.azurite install\n")


def _holder(data: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLDER, str(data)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def _port(holder: subprocess.Popen[str]) -> int:
    assert holder.stdout is not None
    return int(holder.stdout.readline())


def _kill(holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    assert holder.stdout is not None
    holder.stdout.close()
