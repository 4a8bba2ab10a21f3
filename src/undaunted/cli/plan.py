"""`run --plan`: which agents would be tried, in what order and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from undaunted.cli.stdout import write_json
from undaunted.cli.terminal import print_table

if TYPE_CHECKING:
    from undaunted.service import PlanStep  # brings the database with it

__all__ = ["show_plan"]

_COLUMNS = ("", "AGENT", "TRIED", "WHY", "MODEL", "PERMISSION FLAGS")


def show_plan(steps: Sequence[PlanStep], *, as_json: bool) -> None:
    """Prints `steps` in their order: as a table, or as a JSON array."""
    if as_json:
        write_json([asdict(step) for step in steps])
        return
    print_table(
        _COLUMNS,
        [
            (
                str(number),
                step.agent,
                "yes" if step.tried else "no",
                step.reason,
                step.model or "its default",
                " ".join(step.permission_flags) or "-",
            )
            for number, step in enumerate(steps, start=1)
        ],
    )
