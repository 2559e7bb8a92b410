"""`make run` with a Python of the test's own in place of that of `.venv`."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service.processes import ROOT

PYTHON = """\
#!/bin/sh
cd "$(dirname "$0")/.."
echo "$2" >> calls
case "$2" in *.install) [ -e network ] && mkdir -p code_interpreter && touch code_interpreter/.installed ;; esac
"""
INSTALL, START = "assistants.tools.code_interpreter.install", "assistants.local"

pytestmark = pytest.mark.skipif(sys.platform != "linux" or not shutil.which("make"), reason="is about make on Linux")


def test_it_starts_where_the_code_interpreter_cannot_be_installed_and_tries_again(tmp_path: Path):
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(PYTHON, encoding="ascii")
    python.chmod(0o755)
    for mark in (".requirements", ".azurite"):
        (tmp_path / mark).touch()

    def calls() -> list[str]:
        subprocess.run(["make", "-C", ROOT, "run", f"VENV={tmp_path}"], check=True, capture_output=True, timeout=30)
        log = tmp_path / "calls"
        told = log.read_text(encoding="ascii").split()
        log.unlink()
        return told

    assert [calls(), calls()] == [[INSTALL, START]] * 2
    (tmp_path / "network").touch()
    assert [calls(), calls()] == [[INSTALL, START], [START]]
