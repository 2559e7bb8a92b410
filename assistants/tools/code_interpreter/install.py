"""`python -m assistants.tools.code_interpreter.install`: makes the environment with the packages that code may import.

It is a separate environment, `.venv/code_interpreter` in this folder of the project, with the versions and hashes of
`packages.lock`, byte-compiled, and with matplotlib's list of fonts, which matplotlib needs seconds to make.
"""

import os
import shutil
import subprocess
import sys
import venv
from hashlib import sha256
from pathlib import Path

ENVIRONMENT = Path(__file__).resolve().parents[3] / ".venv" / "code_interpreter"
_LOCK = Path(__file__).parent / "packages.lock"
_MARK = ".installed"
_TIMEOUT = 600.0
_FONTS = "import matplotlib.font_manager"


def environment() -> Path | None:
    """The environment, if the packages of the lock are installed there."""
    try:
        done = (ENVIRONMENT / _MARK).read_text(encoding="ascii") == _wanted()
    except OSError:
        return None
    return ENVIRONMENT.resolve() if done else None


def install() -> None:
    """Make the environment, unless it exists.

    Raises
    ------
    OSError, subprocess.SubprocessError
        It could not be made; pip has printed the reason.
    """
    if environment():
        (ENVIRONMENT / _MARK).touch()  # newer than the files that make compares it with
        return
    sys.stderr.write("Installing the packages of the code interpreter (about half a minute) ...\n")
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    venv.create(ENVIRONMENT, with_pip=True, symlinks=True)
    python = str(ENVIRONMENT / "bin" / "python")
    # Two retries: the next `make run` tries again.
    options = ["-qq", "--disable-pip-version-check", "--retries=2", "--only-binary=:all:", "-r", str(_LOCK)]
    pip = ["-m", "pip", "install", *options]
    subprocess.run([python, *pip], check=True, timeout=_TIMEOUT)  # noqa: S603
    fonts = {**os.environ, "MPLCONFIGDIR": str(ENVIRONMENT / "matplotlib"), "MPLBACKEND": "agg"}
    subprocess.run([python, "-c", _FONTS], check=True, timeout=_TIMEOUT, env=fonts)  # noqa: S603
    (ENVIRONMENT / _MARK).write_text(_wanted(), encoding="ascii")


def _wanted() -> str:
    """A text that identifies this Python and the lock."""
    return sha256(f"{sys.version}{_LOCK.read_text(encoding='utf-8')}".encode()).hexdigest()


def main() -> int:
    """Make the environment, on Linux; the exit code."""
    if sys.platform != "linux":
        sys.stderr.write("The packages of the code interpreter are not installed: it runs on Linux only.\n")
        return 0
    try:
        install()
    except (OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"The packages of the code interpreter could not be installed: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
