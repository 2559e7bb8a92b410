"""`usage`: runs and tokens by project, model and day, from the runs' documents."""

import argparse
from collections.abc import Iterable
from datetime import UTC, datetime

from assistants.admin.command import Commands, days, opened
from assistants.admin.finding import runs_since
from assistants.admin.screen import Row, Screen
from assistants.state.retention import DAY
from assistants.state.runs import RunRecord, usage

_COUNTED = ("runs", "completed", "failed", "prompt_tokens", "completion_tokens", "total_tokens")


def add(commands: Commands) -> None:
    """Add the sub-command."""
    parser = commands.add_parser("usage", help="runs and tokens by project, model and day", description=__doc__)
    parser.add_argument("--project", help="of this project only")
    parser.add_argument("--days", type=days, default=7.0, help="created within so many days; default: 7")
    parser.set_defaults(act=_act)


async def _act(asked: argparse.Namespace, screen: Screen) -> int:
    async with opened() as store:
        since = store.clock.now() - asked.days * DAY
        found = [
            (key.project, summary(run.value))
            async for key, run in runs_since(store, asked.project, since, screen)
            if run.value.created_at >= since
        ]
        screen.table(totals(found), "No run was created.")
    return 0


def summary(run: RunRecord) -> Row:
    """The day (UTC), the model and the counts of one run."""
    used = usage(run)
    return {
        "day": datetime.fromtimestamp(run.created_at, UTC).date().isoformat(),
        "model": run.model,
        "runs": 1,
        "completed": int(run.status.value == "completed"),
        "failed": int(run.status.value == "failed"),
        **used.model_dump(include={"prompt_tokens", "completion_tokens", "total_tokens"}),
    }


def totals(found: Iterable[tuple[str, Row]]) -> list[Row]:
    """The sums for each day, project and model, in this order; the runs are given with their projects."""
    sums: dict[tuple[str, str, str], dict[str, int]] = {}
    for project, row in found:
        counted = sums.setdefault((str(row["day"]), project, str(row["model"])), dict.fromkeys(_COUNTED, 0))
        for name in _COUNTED:
            counted[name] += int(str(row[name]))
    return [
        {"day": day, "project": project, "model": model, **counted}
        for (day, project, model), counted in sorted(sums.items())
    ]
