"""A model that follows generated scripts: a run's `model` names its script."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from assistants.model.answers import Chunk
from assistants.model.errors import CutOff, Refused, Words
from assistants.model.learnt import Learnt
from tests.simulation.loop import LANE

FUNCTION, RETRIEVAL, CODE = "lookup", "retrieval", "code_interpreter"

HANGS = 1_500.0
"""Seconds for which a silent model sends nothing."""

_CODE_CALLS = (
    (CODE,),
    (CODE, CODE),
    (FUNCTION, CODE),
    (RETRIEVAL, CODE),
    (CODE, FUNCTION, RETRIEVAL, CODE),
)


class Turn(NamedTuple):
    """The model's answer in one turn of a run."""

    calls: tuple[str, ...] = ()
    says: bool = True
    pieces: int = 2
    think: float = 0.0
    """Seconds before the first word."""
    pause: float = 0.0
    """Seconds between words."""
    finish: str = "stop"
    trouble: str | None = None
    """`busy`: refuses the first two tries; `refuses`; `breaks`: in the middle; `odd`: an error of an unknown type;
    `hangs`; `kills` its caller."""


@dataclass
class Script:
    """The turns of a run, and the number of calls for each."""

    turns: list[Turn]
    asked: dict[int, int] = field(default_factory=dict)

    @property
    def takes(self) -> float:
        """Seconds of the whole answer without delays of others."""
        return sum(turn.think + turn.pause * (turn.pieces + len(turn.calls)) for turn in self.turns)

    @property
    def fails(self) -> bool:
        return any(turn.trouble not in (None, "busy") for turn in self.turns)


def script(chance: random.Random) -> Script:
    """A script of up to three turns, each of which may fail."""
    rounds = chance.choices((0, 1, 2), (45, 42, 13))[0]
    turns = [
        Turn(
            calls=chance.choice(
                (
                    (FUNCTION,),
                    (FUNCTION, FUNCTION),
                    (RETRIEVAL,),
                    (RETRIEVAL, RETRIEVAL),
                    (FUNCTION, RETRIEVAL),
                    (RETRIEVAL, FUNCTION, RETRIEVAL),
                )
            ),
            says=chance.random() < 0.35,
            pieces=1,
            think=_think(chance),
            pause=chance.choice((0, 0, 0.1, 1)),
            finish="tool_calls",
            trouble="busy" if chance.random() < 0.05 else None,
        )
        for _ in range(rounds)
    ]
    trouble = chance.choices((None, "busy", "refuses", "breaks", "odd", "hangs", "kills"), (80, 3, 4, 4, 2, 4, 3))[0]
    finish = chance.choices(("stop", "length", "content_filter"), (90, 5, 5))[0]
    return Script(
        [
            *turns,
            Turn(
                pieces=chance.choice((0, 1, 2, 4)),
                think=_think(chance),
                pause=chance.choice((0, 0, 0.1, 1, 6)),
                finish=finish,
                trouble=trouble,
            ),
        ]
    )


def with_code(script: Script, chance: random.Random) -> Script:
    """The script, with calls of code in most of its turns with calls."""
    turns = script.turns[:-1]
    if not turns and chance.random() < 0.6:
        turns = [Turn((CODE,), says=False, pieces=0, finish="tool_calls")]
    turns = [turn if chance.random() < 0.25 else turn._replace(calls=chance.choice(_CODE_CALLS)) for turn in turns]
    return Script([*turns, script.turns[-1]])


def _think(chance: random.Random) -> float:
    return chance.choices((0, 0.2, 2, 40), (40, 40, 15, 5))[0]


class Model:
    """A chat-completions endpoint."""

    def __init__(self, killed: Callable[[Any], bool]) -> None:
        self.learnt = Learnt()
        self.scripts: dict[str, Script] = {}
        self.prompts: dict[str, list[list[dict[str, Any]]]] = {}
        self._killed = killed

    async def stream(self, body: dict[str, Any]) -> AsyncIterator[Chunk]:
        name, messages = body["model"], body["messages"]
        script = self.scripts[name]
        self.prompts.setdefault(name, []).append(messages)
        number = sum("tool_calls" in message for message in messages)
        attempt = script.asked.get(number, 0)
        script.asked[number] = attempt + 1
        turn = script.turns[number]
        await asyncio.sleep(turn.think)
        match turn.trouble:
            case "kills":
                if self._killed(LANE.get()):
                    await asyncio.sleep(HANGS)
            case "busy" if attempt < 2:
                raise Refused(Words("busy"), 429)
            case "refuses":
                raise Refused(Words("no such model", "model_not_found"), 400)
            case "hangs":
                await asyncio.sleep(HANGS)
            case _:
                pass
        if turn.says:
            yield _chunk(content=f"{name}|{number}|{attempt}|")
        for piece in range(turn.pieces):
            await asyncio.sleep(turn.pause)
            if turn.trouble == "breaks" and piece:
                raise CutOff
            if turn.trouble == "odd":
                raise LookupError("no such word")
            yield _chunk(content=f" word{piece}")
        for index, called in enumerate(turn.calls):
            await asyncio.sleep(turn.pause)
            identifier = f"call-{name}-{number}-{index}"
            yield _call(index, identifier, called, "")
            code = f'"code": "{identifier}", ' if called == CODE else ""
            yield _call(index, None, None, f'{{{code}"attempt": {attempt}}}')
        yield _chunk(finish=turn.finish)


def _chunk(content: str | None = None, finish: str | None = None, calls: Any = None) -> Chunk:
    return {"choices": [{"delta": {"content": content, "tool_calls": calls}, "finish_reason": finish}]}


def _call(index: int, identifier: str | None, name: str | None, arguments: str) -> Chunk:
    function = {"name": name, "arguments": arguments}
    return _chunk(calls=[{"index": index, "id": identifier, "function": function}])
