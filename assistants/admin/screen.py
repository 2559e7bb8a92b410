"""Tables or JSON on standard output; progress on standard error, if that is a terminal."""

import json
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

Row = Mapping[str, object]
"""The values of a row by the names of its columns, which all rows of a table have."""

_WIDE = 300
"""Width in columns of a table that is written to a file or another program."""


class Screen:
    """The output of a command."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json

    def table(self, rows: Sequence[Row], empty: str = "Nothing.") -> None:
        """Print a table, or a JSON array of objects."""
        if self.as_json:
            self.value(rows)
            return
        console = Console(width=None if sys.stdout.isatty() else _WIDE)
        if not rows:
            console.print(Text(empty))
            return
        table = Table(*rows[0], box=None, pad_edge=False, header_style="bold")
        for column in table.columns:
            column.overflow = "fold"
        for row in rows:
            table.add_row(*(Text(printable(value)) for value in row.values()))
        console.print(table)

    def value(self, value: object) -> None:
        """Print a value as JSON."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")

    def note(self, text: str) -> None:
        """Print a message beside the result, in one or more lines."""
        sys.stderr.write("".join(f"{printable(line)}\n" for line in text.splitlines()))

    @contextmanager
    def progress(self, task: str) -> Generator[Callable[[int], None]]:
        """Show the progress during the `with` block; call the yielded function with the number done so far."""
        console = Console(stderr=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}: {task.completed:,.0f}"), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
            number = shown.add_task(task, total=None)
            yield lambda done: shown.advance(number, done)


def printable(value: object) -> str:
    """A value as text without control characters, which a terminal would interpret."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else str(value)
    return "".join(each if each.isprintable() else " " for each in text)
