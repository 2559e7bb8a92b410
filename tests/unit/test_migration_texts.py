"""The printed progress of an export, and the formats of times."""

from typing import Any

import pytest

from assistants.migrate.folder import Progress
from assistants.migrate.showing import Screen, shown
from assistants.migrate.times import seconds


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress("threads", 0, None, 1200), "threads: 1,200 found"),
        (Progress("threads", 999, 1000, 12_400), "threads: 999 of 1,000 (99 %), 12,400 objects"),
        (Progress("threads", 1000, 1000, 12_400), "threads: 1,000 of 1,000 (100 %), 12,400 objects"),
        (Progress("files", 0, 0, 0), "files: 0 of 0, 0 objects"),
        (Progress("files", 7, None, 7), "files: 7, 7 objects"),
    ],
)
def test_progress_names_the_total_as_soon_as_it_is_known(progress: Progress, text: str):
    assert shown(progress) == text


def test_a_log_has_whole_lines_now_and_then_and_one_at_the_end(capsys: pytest.CaptureFixture[str]):
    screen = Screen()
    for number in range(1, 4):
        screen.progress(Progress("files", number, 3, number))
    screen.end()
    assert capsys.readouterr().err == "files: 1 of 3 (33 %), 1 objects\nfiles: 3 of 3 (100 %), 3 objects\n"


def test_a_terminal_has_a_bar_in_one_line_which_results_do_not_break(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    screen = Screen()
    screen.progress(Progress("files", 1, 3, 1))
    screen.say("a result")
    screen.end()
    out, err = capsys.readouterr()
    assert out == "a result\n"
    assert err == f"\r\033[K[{'#' * 6}{'.' * 14}] files: 1 of 3 (3\r\033[K"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_700_000_000, 1_700_000_000),
        (1_700_000_000.75, 1_700_000_000),
        ("1700000000", 1_700_000_000),
        (" 1700000000.5 ", 1_700_000_000),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14T22:13:20", 1_700_000_000),
        ("2023-11-14 22:13:20.123456+00:00", 1_700_000_000),
        ("2023-11-15T00:13:20+02:00", 1_700_000_000),
        ("2023-11-14", 1_699_920_000),
        *(
            (each, None)
            for each in (
                None,
                True,
                1_700_000_000_123,
                "",
                "yesterday",
                -1,
                "-1",
                float("nan"),
                float("inf"),
                10**30,
                [],
                {},
            )
        ),
        *((each, None) for each in ("9" * 400, "0001-01-01", "9999-12-31T23:59:59")),
    ],
)
def test_a_time_is_read_as_people_write_it(value: Any, expected: int | None):
    assert seconds(value) == expected
