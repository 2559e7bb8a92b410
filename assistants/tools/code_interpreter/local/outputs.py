"""The files of a session, read and written by the host: by names below an open folder, without following links.

They were made by code that no person has read: their names, sizes, depth and number are bounded here.
"""

import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass

from assistants.tools.code_interpreter.engine import InputFile, OutputFile, is_name

_FOLLOW_NOTHING = os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | _FOLLOW_NOTHING
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | _FOLLOW_NOTHING
_DEPTH = 8
"""The deepest nesting of folders."""

_PIECE = 1024 * 1024


@dataclass(frozen=True)
class State:
    """The properties that show whether a file was changed; the code cannot set these times."""

    inode: int
    size: int
    modified: int
    changed: int


class Folder:
    """The folder `/mnt/data` of a session, by its descriptor, which it owns."""

    def __init__(self, descriptor: int, owner: int | None) -> None:
        self._descriptor, self._owner = descriptor, owner
        self._inputs: dict[str, InputFile] = {}

    @property
    def inputs(self) -> dict[str, InputFile]:
        """The input files in the folder, by their ids."""
        return self._inputs

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    async def put(self, file: InputFile) -> None:
        """Write an input file under its name and its id, and replace files of these names.

        Raises
        ------
        OSError
            The folder is full, or the name is not allowed.
        """
        for name in (file.name, file.id):
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._descriptor)
        self._make_folders(file.name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FOLLOW_NOTHING
        target = os.open(file.name, flags, 0o600, dir_fd=self._descriptor)
        try:
            async for piece in file.content():
                written = 0
                while written < len(piece):
                    written += os.write(target, piece[written:])
            if self._owner is not None:
                os.fchown(target, self._owner, self._owner)
        finally:
            os.close(target)
        self._link(file)

    def _make_folders(self, name: str) -> None:
        *folders, _ = name.split("/")
        for depth in range(len(folders)):
            folder = "/".join(folders[: depth + 1])
            with suppress(FileExistsError):
                os.mkdir(folder, 0o700, dir_fd=self._descriptor)
                if self._owner is not None:
                    os.chown(folder, self._owner, self._owner, dir_fd=self._descriptor, follow_symlinks=False)

    def adopt(self, file: InputFile) -> None:
        """Make a file of the folder an input file, with an id.

        Raises
        ------
        OSError
            The folder has no file of this name.
        """
        with suppress(FileNotFoundError):
            os.unlink(file.id, dir_fd=self._descriptor)
        self._link(file)

    def forget(self, file: InputFile, keep_name: bool) -> None:
        """Remove an input file under its id and, unless another input file has it, its name."""
        for name in (file.id,) if keep_name else (file.id, file.name):
            with suppress(OSError):
                os.unlink(name, dir_fd=self._descriptor)
        self._inputs.pop(file.id, None)

    def _link(self, file: InputFile) -> None:
        if file.id != file.name:
            place = self._descriptor
            os.link(file.name, file.id, src_dir_fd=place, dst_dir_fd=place, follow_symlinks=False)
        self._inputs[file.id] = file

    def states(self, most: int) -> dict[str, State]:
        """The files with valid names, by their names; without the second names of input files."""
        found = dict[str, State]()
        for name, state in self._walk(self._descriptor, "", 0):
            if len(found) == most:
                break
            if name not in self._inputs or self._inputs[name].name == name:
                found[name] = state
        return found

    def output(self, name: str, state: State) -> OutputFile:
        """A file that the code made or changed."""
        return OutputFile(name, state.size, lambda: self._content(name, state))

    async def _content(self, name: str, state: State) -> AsyncIterator[bytes]:
        file = self._open(name)
        try:
            left = state.size
            while left and (piece := os.read(file, min(left, _PIECE))):
                left -= len(piece)
                yield piece
        finally:
            os.close(file)

    def _open(self, name: str) -> int:
        *folders, last = name.split("/")
        place = os.dup(self._descriptor)
        for folder in folders:
            inner = os.open(folder, _FOLDER, dir_fd=place)
            os.close(place)
            place = inner
        try:
            return os.open(last, _FILE, dir_fd=place)
        finally:
            os.close(place)

    def _walk(self, folder: int, prefix: str, depth: int) -> Iterator[tuple[str, State]]:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            path = prefix + name
            if name.startswith(".") or name == "__pycache__" or not is_name(path):
                continue
            try:
                told = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISREG(told.st_mode):
                    yield path, State(told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns)
                elif stat.S_ISDIR(told.st_mode) and depth < _DEPTH:
                    inner = os.open(name, _FOLDER, dir_fd=folder)
                    try:
                        yield from self._walk(inner, f"{path}/", depth + 1)
                    finally:
                        os.close(inner)
            except OSError:  # the code has deleted or replaced it
                continue


def changed(before: dict[str, State], after: dict[str, State]) -> dict[str, State]:
    """The files that are new or were changed, the latest change last."""
    found = {name: state for name, state in after.items() if before.get(name) != state}
    return dict(sorted(found.items(), key=lambda entry: entry[1].modified))
