"""The sessions of the code interpreter: the next step of a delivered call, and the state after an execution."""

import sys
from itertools import islice

import pytest

from assistants.local.__main__ import _interpreter_note
from assistants.settings import settings
from assistants.state.runs import Ran
from assistants.state.sessions import (
    LIFETIME,
    MAX_FILES,
    Outcome,
    SessionRecord,
    Step,
    begun,
    freed,
    settled,
    step,
)
from assistants.tools.code_interpreter.execution import PAUSE, pauses

NOW = 1000.0
NEW = SessionRecord(began_at=NOW)
UNDER_WAY = begun(NEW, "one", NOW, NOW + 60)
OUTCOME = Outcome(output="3", ran=Ran(), snapshot=True, files={"a.csv": "file-a"})


@pytest.mark.parametrize(
    ("session", "outcome", "other", "now", "expected"),
    [
        (NEW, None, None, NOW, Step.BEGIN),
        (NEW, OUTCOME, None, NOW, Step.TAKE),
        (UNDER_WAY, None, None, NOW, Step.WAIT),
        (UNDER_WAY, None, None, NOW + 60, Step.INTERRUPT),
        (UNDER_WAY, None, OUTCOME, NOW + 99, Step.SETTLE),
        (UNDER_WAY, OUTCOME, OUTCOME, NOW, Step.SETTLE),
        (UNDER_WAY, OUTCOME, None, NOW, Step.TAKE),
    ],
)
def test_the_next_step_of_a_delivery(
    session: SessionRecord, outcome: Outcome | None, other: Outcome | None, now: float, expected: Step
):
    assert step(session, outcome, other, now) is expected


def test_an_executed_call_becomes_the_sessions_last_and_its_snapshot():
    session = settled(UNDER_WAY, "one", OUTCOME)
    assert session is not None
    assert (session.underway, session.last, session.snapshot) == (None, "one", "one")
    assert session.files == {"a.csv": "file-a"}


def test_an_execution_without_variables_leaves_the_session_unchanged():
    before = UNDER_WAY.model_copy(update={"last": "zero", "snapshot": "zero"})
    session = settled(before, "one", Outcome(output="Interrupted.", ran=Ran(), executed=False))
    assert session is not None
    assert (session.underway, session.last, session.snapshot) == (None, "zero", "zero")


def test_an_execution_that_is_not_in_progress_has_no_effect():
    assert settled(UNDER_WAY, "two", OUTCOME) is None
    assert settled(NEW, "one", OUTCOME) is None
    assert freed(UNDER_WAY, "two") is None
    assert freed(UNDER_WAY, "one") == NEW


def test_the_latest_files_are_kept():
    many = {f"{number}.csv": f"file-{number}" for number in range(MAX_FILES)}
    before = UNDER_WAY.model_copy(update={"files": many})
    session = settled(before, "one", Outcome(output="", ran=Ran(), files={"1.csv": "file-x", "new.csv": "file-n"}))
    assert session is not None
    assert next(iter(session.files)) == "2.csv"
    assert list(session.files.items())[-2:] == [("1.csv", "file-x"), ("new.csv", "file-n")]


def test_variables_move_to_a_new_process_after_an_hour():
    assert begun(NEW, "one", NOW + LIFETIME - 1, NOW).began_at == NOW
    assert begun(NEW, "one", NOW + LIFETIME, NOW).began_at == NOW + LIFETIME


@pytest.mark.parametrize(
    ("given", "platform", "said"),
    [
        ({"CODE_INTERPRETER": "off"}, "linux", "CODE_INTERPRETER is `off`"),
        ({}, "darwin", "Linux only"),
        ({}, "win32", "Linux only"),
        ({"CODE_INTERPRETER_POOL": "https://pool.example"}, "win32", None),
    ],
)
def test_the_start_says_why_the_interpreter_is_off(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], platform: str, said: str | None
):
    settings.cache_clear()
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    try:
        note = _interpreter_note()
    finally:
        settings.cache_clear()
    assert (said or "") in (note or "")
    assert (note is None) is (said is None)


def test_code_that_lasts_is_looked_at_less_often_but_once_a_second():
    first, *later = islice(pauses(), 20)
    assert first == PAUSE
    assert later == sorted(later)
    assert later[-1] == 1
    assert sum(each < 1 for each in later) < 5
