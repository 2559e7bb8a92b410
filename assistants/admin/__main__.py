"""`python -m assistants.admin`: an operator's commands, over the storage that the settings name.

Every write is conditional, so a command is safe beside a running service, when it is repeated, and when it is
killed. Results are printed on standard output, other messages on standard error.
"""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from azure.core.exceptions import AzureError
from pydantic import ValidationError

from assistants.admin import doctor, poison, purge, runs, usage
from assistants.admin.command import Failed, Misused, reasons
from assistants.admin.screen import Screen
from assistants.local import environment
from assistants.storage.errors import StorageError

COMMANDS = (doctor, poison, runs, purge, usage)
"""Each adds a sub-command; its default `act` takes the arguments and the screen, and returns the exit code."""


_MORE = "(python -m assistants.admin doctor proposes corrections)"
_CODES = (
    "Exit codes: 0: done; 1: it could not be done, a check of `doctor` failed, or a run is stuck; 2: the arguments are "
    "wrong; 130: Ctrl-C."
)


def parser() -> argparse.ArgumentParser:
    """The parser of all sub-commands."""
    found = argparse.ArgumentParser(prog="python -m assistants.admin", description=__doc__, epilog=_CODES)
    found.add_argument("--json", action="store_true", help="print JSON instead of tables; it may stand anywhere")
    commands = found.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run a command, and return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    asked = parser().parse_args([each for each in given if each != "--json"])
    logging.getLogger("azure").setLevel(logging.WARNING)
    try:
        environment.load(Path("local.settings.json"))
        return asyncio.run(asked.act(asked, Screen("--json" in given)))
    except KeyboardInterrupt:
        return 130
    except Misused as error:
        Screen().note(str(error))
        return 2
    except ValidationError as error:
        Screen().note("\n".join(reasons(error)))
    except AzureError as error:
        Screen().note(f"{(str(error) or type(error).__name__).splitlines()[0]} {_MORE}")
    except (Failed, StorageError, ValueError, OSError) as error:
        Screen().note(str(error))
    return 1


if __name__ == "__main__":
    sys.exit(main())
