"""The function app with the next major version of `azure-functions`, which newer versions of Python have.

`make matrix` installs it, if such a Python is installed.
"""

import subprocess

import pytest

from assistants.local.azurite import Storage
from tests.support.imports import ROOT

SEEN = """\
azure-functions: 2
functions: True 8 1
created: 200 Grüße req_
missing: 404 invalid_request_error
stream: event: thread.created event: thread.run.failed event: done https://app.example.com
attended: queued failed
"""


def test_the_worker_serves_the_app_with_version_2(azurite: Storage):
    python = ROOT / ".venv" / "matrix" / "functions" / "2" / "bin" / "python"
    if not python.exists():
        pytest.skip("azure-functions 2 is not installed: make matrix, with Python 3.13 or later")
    script = ROOT / "tests" / "matrix" / "functions" / "app.py"
    done = subprocess.run(
        [python, "-X", "utf8", script, azurite.connection_string],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=100,
    )
    assert (done.returncode, done.stdout) == (0, SEEN), done.stderr
