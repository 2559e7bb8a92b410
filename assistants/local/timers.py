"""The timers of an app, as the Functions host runs them: daily, at a time of the day in UTC.

Each timer fires at the start, too, as in the host after a missed time: developers' machines seldom run all day.
"""

import asyncio
import inspect
import logging
import re
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

logger = logging.getLogger(__name__)

_DAILY = re.compile(r"(\d{1,2}) (\d{1,2}) (\d{1,2}) \* \* \*")
_DAY = 86_400


class TimerFunction(NamedTuple):
    """A function with a timer trigger: its name, the second of the day, the name of its argument, and the function."""

    name: str
    at: int
    argument: str
    call: Callable[..., Any]


def timer_functions(functions: Iterable[Any]) -> list[TimerFunction]:
    """The timer functions among those of an app.

    Raises
    ------
    ValueError
        A timer is not a daily one.
    """
    found: list[TimerFunction] = []
    for function in functions:
        trigger: Any = function.get_trigger()
        if trigger is not None and trigger.get_binding_name() == "timerTrigger":
            at = second_of_day(trigger.schedule)
            found.append(TimerFunction(function.get_function_name(), at, trigger.name, function.get_user_function()))
    return found


def second_of_day(schedule: str) -> int:
    """The second of the day of a schedule such as `0 30 2 * * *`.

    Raises
    ------
    ValueError
        The schedule is not a daily one.
    """
    match = _DAILY.fullmatch(schedule)
    if match is None:
        raise ValueError(f"the local runner knows only daily timers, such as 0 30 2 * * *: {schedule!r}")
    second, minute, hour = map(int, match.groups())
    return hour * 3600 + minute * 60 + second


def until(at: int, now: float) -> float:
    """Seconds until the next occurrence of that second of the day; a whole day at that second itself."""
    return (at - now) % _DAY or _DAY


async def run_daily(function: TimerFunction) -> None:
    """Call the function now and every day, until cancelled. An error is logged, as the host does."""
    while True:
        try:
            done = function.call(**{function.argument: None})
            if inspect.isawaitable(done):
                await done
        except Exception:
            logger.exception("function=%s failed", function.name)
        await asyncio.sleep(until(function.at, time.time()))
