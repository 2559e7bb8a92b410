"""The output of a trial: pure functions."""

import textwrap
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from assistants.local.trial.advice import Names
from assistants.local.trial.verdicts import CALLS, State, Verdict
from assistants.settings import Settings

_NAME, _STATE = len(CALLS) + 2, len(State.UNTRIED) + 2


def heading(settings: Settings, names: Names, requests: int, tokens: int, seconds: float) -> str:
    """The endpoint, the model and the cost of the trial."""
    where = settings.azure_openai_endpoint or settings.openai_base_url or "https://api.openai.com/v1"
    model = f"{names.asked}, which is {names.model} there" if names.asked != names.model else names.asked
    return "\n".join(
        [
            f"Endpoint:    {_address(where)}",
            f"Model:       {model}",
            f"Embeddings:  {names.embedding}",
            "",
            f"This sends {requests} requests with about {tokens:,} tokens in all, and more where one is refused.",
            f"Each check takes {seconds:g} seconds at most; Ctrl-C ends the trial.",
            "",
        ]
    )


def row(verdict: Verdict, width: int) -> str:
    """A row of the table, over as many lines as it needs."""
    room = max(width - _NAME - _STATE, 20)
    lines = textwrap.wrap(verdict.said, room)
    if verdict.advice and verdict.state is not State.WORKS:
        lines += textwrap.wrap(verdict.advice, room, initial_indent="-> ", subsequent_indent="   ")
    first = f"{verdict.name:{_NAME}}{verdict.state:{_STATE}}"
    return "\n".join((first if not number else " " * len(first)) + line for number, line in enumerate(lines))


def learnt(lines: Sequence[str], width: int) -> str:
    """The learnt properties, one per line."""
    if not lines:
        return "Nothing had to be left out or changed."
    points = (textwrap.fill(line, width, initial_indent="- ", subsequent_indent="  ") for line in lines)
    return "\n".join(["Learnt, as each process of the service learns by itself:", *points])


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """0 if the first test, for an answer, succeeded; otherwise 1."""
    return int(next(iter(verdicts)).state is State.FAILS)


def _address(url: str) -> str:
    """A URL without parts that may be secret."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
