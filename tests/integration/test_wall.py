"""Code in a confined process cannot attack the machine; outside, each attack succeeds."""

import ctypes
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistants import seccomp
from assistants.tools.code_interpreter.local.availability import available
from assistants.tools.code_interpreter.local.process import FILES
from tests.support.wall.attacks import ATTACKS, script

pytestmark = pytest.mark.skipif(bool(available()), reason=str(available()))

ROOT = Path(__file__).parents[2]
SECRET = b"a secret"
ORDINARY = 61234
_KEPT = ctypes.create_string_buffer(SECRET)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("outside")
    for name in ("secret", "victim", "renamed"):
        (folder / name).write_bytes(SECRET)
    victim = subprocess.Popen(["sleep", "300"], start_new_session=True)
    tcp, unix, abstract = (
        socket.create_server(("127.0.0.1", 0)),
        socket.socket(socket.AF_UNIX),
        socket.socket(socket.AF_UNIX),
    )
    unix.bind(str(folder / "unix"))
    unix.listen()
    abstract.bind(f"\0wall{os.getpid()}")
    abstract.listen()
    descriptor = os.open(folder / "secret", os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    numbers = seccomp.NUMBERS[seccomp.machine() or ""]
    yield {
        "secret": str(folder / "secret"), "folder": str(folder), "victim": victim.pid, "port": tcp.getsockname()[1],
        "unix": str(folder / "unix"), "abstract": f"wall{os.getpid()}", "descriptor": descriptor,
        "memory": 700_000_000, "disk": 4 * 1024 * 1024, "files": FILES, "pid": os.getpid(),
        "address": ctypes.addressof(_KEPT),
        **{name: numbers[name] for name in ("clone", "bpf", "add_key", "userfaultfd", "name_to_handle_at")},
    }  # fmt: skip
    victim.kill()
    victim.wait()
    os.close(descriptor)
    for server in (tcp, unix, abstract):
        server.close()


def _report(done: "subprocess.CompletedProcess[str]") -> dict[str, str | None]:
    assert done.stdout.startswith("{"), done
    return json.loads(done.stdout)


@pytest.fixture(params=["root", "an ordinary user"])
def attacked(request: pytest.FixtureRequest, world: dict[str, Any]) -> dict[str, str | None]:
    """The results of the attacks in a confined process that this user has started."""
    am_root = os.geteuid() == 0
    if request.param == "root" and not am_root:
        pytest.skip("needs root")
    user = [str(ORDINARY)] if request.param != "root" and am_root else []
    command = [sys.executable, "-m", "tests.support.wall", json.dumps(world), *user]
    return _report(
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, pass_fds=[world["descriptor"]])
    )


def test_no_attack_succeeds(attacked: dict[str, str | None]):
    assert len(attacked) == len(ATTACKS)
    assert [name for name, failure in attacked.items() if failure is None] == []


def test_each_attack_succeeds_outside(world: dict[str, Any], tmp_path: Path):
    attacks = [(attack.name, attack.body) for attack in ATTACKS if os.geteuid() == 0 or not attack.needs_root]
    told = script(json.dumps({**world, "own": str(tmp_path)}), json.dumps(attacks))
    report = _report(
        subprocess.run(
            [sys.executable, "-c", told], capture_output=True, text=True, timeout=60, pass_fds=[world["descriptor"]]
        )
    )
    assert len(report) == len(attacks)
    assert {name: failure for name, failure in report.items() if failure is not None} == {}
