"""Schedules in which logs of a few records already have an index, and readers, crashes and purges use it."""

import logging

import pytest

from assistants.state import outlines
from tests.simulation.world import simulate


def test_readers_that_write_an_index_break_no_rule_and_leave_no_blob(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outlines, "REACH", 250)
    logging.disable(logging.CRITICAL)
    try:
        problems = {seed: found for seed in range(300) if (found := simulate(seed).problems)}
    finally:
        logging.disable(logging.NOTSET)
    assert not problems
