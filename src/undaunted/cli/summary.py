"""How a task ended, in a few lines: figures for a success, what happened to each for a failure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from undaunted.cli.exit_codes import ExitCode
from undaunted.cli.local_time import until
from undaunted.cli.narration import SHORT_ID_CHARS
from undaunted.cli.plain_text import one_line
from undaunted.cli.terminal import Terminal
from undaunted.durations import format_duration
from undaunted.tasks import Attempt, TaskRecord, TaskState

__all__ = ["figures", "money", "tell_end"]

_MESSAGE_MAX_CHARS = 500


def tell_end(
    terminal: Terminal,
    record: TaskRecord,
    code: ExitCode,
    *,
    passed_over: Mapping[str, str],
    now: datetime,
    kept: bool = True,
) -> None:
    """Tells how the task of `record` ended.

    Args:
        terminal: Where it is told.
        record: The task in its final state.
        code: The exit status that it leads to.
        passed_over: Why agents were not tried, by name.
        now: The present instant.
        kept: The task can be looked at later; a rehearsal with real programs is forgotten.
    """
    show = f"undaunted show {record.task.id[:SHORT_ID_CHARS]}" if kept else ""
    more = f". More: {show}" if kept else ""
    if record.state is TaskState.SUCCEEDED:
        terminal.note(f"✓ done by {record.agent}: {figures(record)}", "green")
        if denied := _denied(record):
            terminal.note(f"  it was not allowed to use {denied}" + f" ({show})" * kept, "yellow")
        return
    if record.state is not TaskState.FAILED:
        terminal.error(f"✗ {record.state}: {figures(record)}", "yellow")
        terminal.error(f"exit status {code.value}: {code.meaning}{more}", indent=2)
        return
    terminal.error(f"✗ failed: {figures(record)}", "bold red")
    for line in _told_by_agent(record, passed_over) or [one_line(record.error_message or "")]:
        terminal.error(line, indent=2)
    if record.error_detail_code == "DEADLINE_EXCEEDED":
        limit = format_duration(record.task.deadline_s)
        terminal.error(f"the deadline of {limit} passed", indent=2)
    if record.retry_after_s is not None:
        back_at = (record.finished_at or now) + timedelta(seconds=record.retry_after_s)
        terminal.error(f"come back at {until(back_at, now)}", "bold", indent=2)
    terminal.error(f"exit status {code.value}: {code.meaning}{more}", indent=2)


def figures(record: TaskRecord) -> str:
    """`4 attempts, 2 switches, 3.1s, $0.12`."""
    parts = [_counted(len(record.attempts), "attempt"), _counted(record.switches, "switch")]
    if record.finished_at is not None:
        parts.append(format_duration((record.finished_at - record.created_at).total_seconds()))
    costs = [a.cost_usd for a in record.attempts if a.cost_usd is not None]
    if costs:
        parts.append(money(sum(costs)))
    return ", ".join(parts)


def money(cost_usd: float) -> str:
    """`$0.12`; below a cent with four digits."""
    return f"${cost_usd:.4f}" if 0 < cost_usd < 0.01 else f"${cost_usd:.2f}"


def _told_by_agent(record: TaskRecord, passed_over: Mapping[str, str]) -> list[str]:
    """A line an agent: how often it was tried and how that failed last, or why it was not."""
    last: dict[str, Attempt] = {a.agent_key: a for a in record.attempts}
    lines: dict[str, str] = {}
    for name, attempt in last.items():
        tries = _counted(sum(1 for a in record.attempts if a.agent_key == name), "attempt")
        said = one_line(attempt.message or "", _MESSAGE_MAX_CHARS)
        lines[name] = f"{tries}, {attempt.kind or attempt.outcome}: {said}"
    for name, reason in passed_over.items():
        lines.setdefault(name, f"not tried: {one_line(reason, _MESSAGE_MAX_CHARS)}")
    width = max((len(name) for name in lines), default=0)
    return [f"{name:<{width}}  {told}" for name, told in lines.items()]


def _denied(record: TaskRecord) -> str:
    tools = [d.tool for a in record.attempts for d in a.permission_denials]
    return ", ".join(one_line(tool, 40) for tool in dict.fromkeys(tools))


def _counted(number: int, what: str) -> str:
    plural = what + ("es" if what.endswith("ch") else "s")
    return f"{number} {what if number == 1 else plural}"
