"""The messages of a prompt, read backwards from the end of the thread as far as the model's context allows."""

from contextlib import aclosing
from typing import NamedTuple

from assistants.engine.turn import tokens
from assistants.engine.turn.prompt import content, last_messages
from assistants.schema.messages import Message
from assistants.state.runs import RunRecord
from assistants.state.transcript import Transcript


class Reading(NamedTuple):
    """The newest messages of a thread, oldest first."""

    messages: list[Message]
    skipped: int
    """The number of records before them. It depends on the log and the first of the messages alone."""


async def read_back(transcript: Transcript, run: RunRecord, longest: int) -> Reading:
    """The messages that fit a prompt of `longest` estimated tokens, or those that the run's strategy asks for.

    With the truncation strategy `auto`, the oldest of them may be one too many.

    Raises
    ------
    ThreadGone
        The thread has been deleted.
    """
    found, skipped, estimate = list[Message](), 0, 0
    last, own = last_messages(run), len(run.additional_messages)
    async with aclosing(transcript.newest_first()) as messages:
        async for message, before in messages:
            found.append(message)
            skipped = before
            estimate += tokens.of_message({"content": content(message)})
            if (last is None and estimate > longest) or (last is not None and len(found) >= last + own):
                break
    return Reading(found[::-1], skipped)
