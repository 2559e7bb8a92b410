"""A short soak; `make soak` takes longer."""

import pytest

from tests.faults.soak import soak

USERS, SECONDS = 8, 20


@pytest.mark.long
@pytest.mark.timeout(300)
def test_processes_and_models_that_fail_at_random_leave_no_active_run_and_no_orphaned_blob():
    report = soak(USERS, SECONDS, seed=1)
    print(f"\n{report}")
    assert report.flaws == []
    assert report.counts["processes killed"] >= 2
