"""A task as one JSON object: what `run --json` prints, and later the API's task."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from undaunted.error_response import error_response
from undaunted.errors import ErrorCode
from undaunted.events import iso
from undaunted.tasks import SCHEMA_VERSION, Attempt, TaskRecord, Usage

__all__ = ["request_id_of", "task_object"]


def task_object(record: TaskRecord) -> dict[str, object]:
    """`record` as JSON-ready values, in the documented order of fields.

    `usage` and `cost_usd` are sums over all attempts, failed ones included: they were paid for.
    `error` has the form of S16, or is None.
    """
    usage: Usage | None = None
    for attempt in record.attempts:
        if attempt.usage is not None:
            usage = attempt.usage if usage is None else usage + attempt.usage
    costs = [a.cost_usd for a in record.attempts if a.cost_usd is not None]
    return {
        "schema_version": SCHEMA_VERSION,
        "task_id": record.task.id,
        "state": str(record.state),
        "agent": record.agent,
        "account": record.account,
        "model": record.model,
        "content": record.content,
        "session_id": record.task.session_id,
        "agent_session_id": record.agent_session_id,
        "workspace": record.task.cwd,
        "usage": asdict(usage) if usage else None,
        "cost_usd": sum(costs) if costs else None,
        "switches": record.switches,
        "created_at": iso(record.created_at),
        "finished_at": _time(record.finished_at),
        "attempts": [_attempt(a) for a in record.attempts],
        "error": _error(record),
    }


def request_id_of(task_id: str) -> str:
    """The request id of a task that no request brought: derived from its own id."""
    return "req_" + task_id.replace("-", "")[:12]


def _time(at: datetime | None) -> str | None:
    return None if at is None else iso(at)


def _attempt(attempt: Attempt) -> dict[str, object]:
    return {
        "number": attempt.number,
        "agent": attempt.agent,
        "account": attempt.account,
        "model": attempt.model,
        "token": attempt.token,
        "started_at": iso(attempt.started_at),
        "duration_s": attempt.duration_s,
        "outcome": attempt.outcome,
        "kind": attempt.kind,
        "action": attempt.action,
        "message": attempt.message,
        "evidence": attempt.evidence,
        "exit_code": attempt.exit_code,
        "retry_after_s": attempt.retry_after_s,
        "resets_at": _time(attempt.resets_at),
        "inner_retries": attempt.inner_retries,
        "permission_denials": [asdict(d) for d in attempt.permission_denials],
        "usage": asdict(attempt.usage) if attempt.usage else None,
        "cost_usd": attempt.cost_usd,
        "reason_chosen": attempt.reason_chosen,
    }


def _error(record: TaskRecord) -> dict[str, object] | None:
    if record.error_code is None:
        return None
    last_of: dict[str, str] = {a.agent: a.message or "" for a in record.attempts if a.message}
    return error_response(
        ErrorCode(record.error_code),
        record.error_detail_code or "EXECUTION_FAILED",
        record.error_message or "",
        at=record.finished_at or record.created_at,
        request_id=request_id_of(record.task.id),
        details={"failures": last_of} if last_of else None,
        retry_after_s=record.retry_after_s,
    ).model_dump(exclude_none=True)
