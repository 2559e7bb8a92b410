import random
import time
from itertools import pairwise

import pytest

from assistants.storage.clock import MAX_STEP, SLEW, Clock


@pytest.mark.parametrize(
    ("date", "sent", "received", "offset"),
    [
        pytest.param(100, 100.4, 100.6, 0, id="agrees with the local time"),
        pytest.param(99, 100.0, 100.1, 0, id="agrees at the last moment of its second"),
        pytest.param(101, 100.5, 101.0, 0, id="agrees at the arrival of the answer"),
        pytest.param(110, 100.0, 100.5, 9.5, id="storage is ahead, by this much at least"),
        pytest.param(90, 100.0, 100.5, -9, id="storage is behind, by this much at least"),
        pytest.param(101, 99.0, 103.0, 0, id="a slow answer has no effect"),
    ],
)
def test_the_offset_moves_only_as_far_as_an_answer_demands(date: float, sent: float, received: float, offset: float):
    clock = Clock(lambda: 100.0)
    clock.observe(date, sent, received)
    assert clock.now() == pytest.approx(100 + offset)


def test_later_answers_narrow_the_offset_from_both_sides():
    clock = Clock(lambda: 0.0)
    offsets: list[float] = []
    for date, at in [(110, 100.0), (111, 100.7), (110, 100.6), (120, 120.0)]:
        clock.observe(date, at, at)
        offsets.append(clock.now())
    assert offsets == pytest.approx([10, 10.3, 10.3, 1])


@pytest.mark.parametrize("truth", [-3600.25, -0.7, 0.0, 0.3, 12.75])
def test_no_answer_moves_the_offset_away_from_the_truth(truth: float):
    clock, chance, now, distances = Clock(lambda: 0.0), random.Random(0), 1_000_000.0, [abs(truth)]
    for _ in range(1000):
        now += chance.uniform(0, 10)
        sent, answered, received = sorted(now + chance.uniform(0, 0.5) for _ in range(3))
        clock.observe(int(answered + truth), sent, received)
        distances.append(abs(clock.now() - truth))
    assert all(later <= earlier + 1e-6 for earlier, later in pairwise(distances))
    assert distances[-1] < 0.3


def test_a_clock_knows_whether_it_was_ever_corrected():
    clock = Clock(lambda: 100.0)
    assert not clock.corrected
    clock.observe(100, 100.0, 100.0)
    assert clock.corrected


def test_local_time_is_not_corrected():
    clock = Clock(lambda: 100.0)
    clock.observe(200, 100.0, 100.0)
    assert (clock.local(), clock.now()) == (100.0, 200.0)


def test_the_machines_time_does_not_change_when_its_clock_is_set(monkeypatch: pytest.MonkeyPatch):
    clock, before = Clock(), time.time()
    assert clock.now() == pytest.approx(before, abs=60)
    monkeypatch.setattr(time, "time", lambda: before + 3600)
    assert clock.now() == pytest.approx(before, abs=60)


@pytest.mark.parametrize("step", [3600, -3600])
def test_a_step_of_the_services_clock_is_followed_slowly(step: float):
    clock = Clock(lambda: 0.0)
    clock.observe(1000, 1000.5, 1000.5)
    offsets: list[float] = []
    for seconds in (1, 2, 102, 602):
        clock.observe(1000 + seconds + step, 1000.5 + seconds, 1000.5 + seconds)
        offsets.append(abs(clock.now()))
    assert offsets == pytest.approx([MAX_STEP, MAX_STEP + SLEW, MAX_STEP + 101 * SLEW, 2 * MAX_STEP + 101 * SLEW])


def test_a_service_whose_clock_runs_faster_is_followed():
    clock, drift, last = Clock(lambda: 0.0), 0.01, 0.0
    for now in range(0, 100_000, 60):
        clock.observe(int(now * (1 + drift)), now, now)
        last = now * drift
    assert clock.now() == pytest.approx(last, abs=1)


def test_the_unused_correction_does_not_accumulate_beyond_one_step():
    clock = Clock(lambda: 0.0)
    clock.observe(1000, 1000.5, 1000.5)
    clock.observe(11_000, 11_000.5, 11_000.5)
    clock.observe(14_601, 11_001.5, 11_001.5)
    assert clock.now() == pytest.approx(MAX_STEP)
