"""One half of the schedules; the other half is in another file, so that both run at the same time."""

from tests.simulation.schedules import every_portion, hold


@every_portion
def test_no_run_is_stuck_lost_or_doubled(start: int):
    hold(start, odd=1)
