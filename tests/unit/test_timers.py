"""The local runner's timers: the times at which they fire, and their continuation after an error."""

import asyncio

import azure.functions as func
import pytest

from assistants.local import timers
from assistants.local.timers import TimerFunction, run_daily, second_of_day, timer_functions, until


def test_a_daily_schedule_is_a_second_of_the_day():
    assert second_of_day("5 17 3 * * *") == 3 * 3600 + 17 * 60 + 5


@pytest.mark.parametrize("schedule", ["0 */5 * * * *", "0 0 3 * * 1", "01:00:00", "0 0 3 * *"])
def test_another_schedule_is_refused(schedule: str):
    app = func.FunctionApp()

    @app.timer_trigger(arg_name="timer", schedule=schedule)
    def tick(timer: func.TimerRequest) -> None: ...

    with pytest.raises(ValueError, match="daily"):
        timer_functions(app.get_functions())


@pytest.mark.parametrize(("now", "seconds"), [(0, 60), (59, 1), (60, 86_400), (61, 86_399), (86_400 * 3, 60)])
def test_the_next_time_is_today_or_tomorrow(now: float, seconds: float):
    assert until(60, now) == seconds


async def test_a_timer_fires_at_the_start_and_again_after_a_failure(monkeypatch: pytest.MonkeyPatch):
    came, twice = [], asyncio.Event()
    monkeypatch.setattr(timers, "until", lambda *_: 0)

    async def tick(timer: None) -> None:
        came.append(timer)
        if len(came) == 2:
            twice.set()
        raise RuntimeError

    task = asyncio.create_task(run_daily(TimerFunction("tick", 0, "timer", tick)))
    await asyncio.wait_for(twice.wait(), 10)
    task.cancel()
