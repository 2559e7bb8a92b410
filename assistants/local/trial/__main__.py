"""`python -m assistants.local.trial`: tests the features of the configured model's endpoint, and proposes settings."""

import argparse
import asyncio
import shutil
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from assistants.local import environment
from assistants.local.model import model_or_demo
from assistants.local.trial import table
from assistants.local.trial.trial import Trial
from assistants.local.trial.verdicts import Verdict
from assistants.model.endpoint import Endpoint
from assistants.settings import settings

SECONDS = 120.0
"""The most seconds of each check: a local model may have to be loaded first."""


async def run(model: str, seconds: float) -> int:
    """Try the endpoint, and print each row as soon as it is known; returns the exit code."""
    async with AsyncExitStack() as stack:
        note = await model_or_demo(stack)
        endpoint = Endpoint(settings())
        stack.push_async_callback(endpoint.close)
        trial, width = Trial(settings(), endpoint, model, seconds), shutil.get_terminal_size((100, 0)).columns
        if note:
            print(note)
        cost = trial.battery.requests, trial.battery.tokens
        print(table.heading(settings(), trial.names, *cost, seconds), flush=True)
        verdicts = list[Verdict]()
        async for verdict in trial.rows():
            verdicts.append(verdict)
            print(table.row(verdict, width), flush=True)
        print("", table.learnt(trial.learnt(), width), sep="\n")
        return table.exit_code(verdicts)


def main() -> int:
    """Test all features; returns 0 if the model answers, 1 if not, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m assistants.local.trial", description=__doc__)
    parser.add_argument("--model", default="gpt-4o", help="as assistants name it; default: gpt-4o")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of each check, at most; default: {SECONDS:g}")
    arguments = parser.parse_args()
    stdout: Any = sys.stdout
    stdout.reconfigure(errors="replace")  # a model may answer in any script
    try:
        environment.load(Path("local.settings.json"))
        if environment.is_proxy():
            print("BACKEND is proxy: the other service has the model.", file=sys.stderr)
            return 1
        return asyncio.run(run(arguments.model, arguments.seconds))
    except KeyboardInterrupt:
        return 130
    except (ValidationError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
