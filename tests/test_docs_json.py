"""docs/json.md has the fields that the code prints: their names, their order and their types."""

from __future__ import annotations

import re
import types
import typing
from datetime import UTC, datetime
from functools import partial

import pytest

from documents import table
from needs import ROOT
from undaunted import events
from undaunted.agents.explain import Explanation
from undaunted.error_response import error_response
from undaunted.errors import ErrorCode
from undaunted.events import Event, iso
from undaunted.failures import FailureKind
from undaunted.task_object import task_object
from undaunted.tasks import (
    Attempt,
    AttemptOutcome,
    PermissionDenial,
    Task,
    TaskRecord,
    TaskState,
    Usage,
)

PAGE = ROOT / "docs" / "json.md"
NOW = datetime(2026, 11, 23, 14, 47, tzinfo=UTC)
EVENTS = [
    event
    for event in vars(events).values()  # in the order of their definition
    if isinstance(event, type) and issubclass(event, Event) and event is not Event
]


def _type_of(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str() if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value):
            return "time"
        case str():
            return "string"
        case list() | tuple():
            return "array"
        case _:
            return "object"


def _assert_fields(heading: str, full: dict[str, object], bare: dict[str, object]) -> None:
    """The table has the keys of `full` in their order; its types are those of both objects."""
    rows = table(PAGE, heading)
    assert [row["field"].strip("`") for row in rows] == list(full)
    for row in rows:
        name = row["field"].strip("`")
        kinds = [_type_of(full[name])]
        if name not in bare:
            assert row["type"] == f"{kinds[0]}, may be missing", name
            continue
        if _type_of(bare[name]) != kinds[0]:
            kinds.append(_type_of(bare[name]))
        assert row["type"] == " or ".join(kinds), name


BARE_ATTEMPT = Attempt(1, "a", "default", None, "token", NOW, "first")
FULL_ATTEMPT = Attempt(
    number=2,
    agent="b",
    account="default",
    model="m",
    token="token",
    started_at=NOW,
    reason_chosen="next",
    duration_s=0.5,
    outcome=AttemptOutcome.FAILED,
    kind="rate_limited",
    action="retry",
    message="no",
    evidence="stderr",
    exit_code=1,
    retry_after_s=2.0,
    resets_at=NOW,
    permission_denials=(PermissionDenial("Bash"),),
    usage=Usage(1, 2, 3),
    cost_usd=0.5,
)
BARE_TASK = TaskRecord(Task("p"), TaskState.QUEUED, NOW)
FULL_TASK = TaskRecord(
    task=Task("p", cwd="/", session_id="s"),
    state=TaskState.FAILED,
    created_at=NOW,
    attempts=(BARE_ATTEMPT, FULL_ATTEMPT),
    agent="b",
    account="default",
    model="m",
    content="c",
    agent_session_id="s",
    finished_at=NOW,
    error_code=ErrorCode.TASK_EXECUTION_ERROR,
    error_message="all failed",
    retry_after_s=1.5,
)


def test_task_object() -> None:
    """The fields of a task, of an attempt and of its tokens."""
    full = task_object(FULL_TASK)
    bare_attempt, full_attempt = typing.cast("list[dict[str, object]]", full["attempts"])
    _assert_fields("Task", full, task_object(BARE_TASK))
    _assert_fields("Attempt", full_attempt, bare_attempt)
    usage = typing.cast("dict[str, object]", full["usage"])
    _assert_fields("Usage", usage, dict.fromkeys(usage))  # each may be unknown


def test_error_object() -> None:
    """The fields of an error; what has no value is missing."""
    make = partial(error_response, ErrorCode.NOT_FOUND, "X", "text", at=NOW, request_id="req_1")
    full = make(field="prompt", details={"failures": {}}, retry_after_s=1.5)
    bare = make().model_dump(exclude_none=True)
    _assert_fields("Error", full.model_dump(), bare)
    _assert_fields("Error details", full.details.model_dump(), bare["details"])


def test_error_codes() -> None:
    """Each pair of codes is one that the code can give."""
    source = "".join(p.read_text() for p in (ROOT / "src").rglob("*.py"))
    known = {*re.findall(r'"([A-Z_]+)"', source), *(kind.upper() for kind in FailureKind)}
    for row in table(PAGE, "Error codes"):
        assert row["`error_code`"].strip("`") in {*ErrorCode}
        assert row["`details.code`"].strip("`") in known


def test_explanation_object() -> None:
    """The fields of what `explain --json` prints."""
    full = Explanation("k", "a", retry_after_s=1.0, resets_at=NOW).to_dict()
    _assert_fields("Explanation", dict(full), dict(Explanation("k", "a").to_dict()))


_JSON_TYPES = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    datetime: "time",
    tuple: "array",
}


def _documented_type(annotation: object) -> str:
    if isinstance(annotation, types.UnionType):
        inner = [a for a in typing.get_args(annotation) if a is not types.NoneType]
        return f"{_documented_type(inner[0])} or null"
    return _JSON_TYPES[typing.get_origin(annotation) or annotation]  # type: ignore[index]


def _own_fields(event: type[Event]) -> dict[str, object]:
    return {n: a for n, a in typing.get_type_hints(event).items() if n not in {"at", "task_id"}}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type_name())
def test_event(event: type[Event]) -> None:
    """The fields of the event behind type, at and task_id, in order, with their types."""
    rows = table(PAGE, event.type_name())
    assert [(row["field"], row["type"]) for row in rows] == [
        (f"`{name}`", _documented_type(hint)) for name, hint in _own_fields(event).items()
    ]


def test_every_event_is_documented_and_no_other() -> None:
    """The headings under "Events" are the types, in the order in which they are defined."""
    section = PAGE.read_text().split("## Events\n")[1]
    written = re.findall(r"^### (\w+)$", section, re.MULTILINE)
    assert written == [event.type_name() for event in EVENTS]


def test_a_time_is_written_as_the_page_says() -> None:
    """The example of a time has the form that instants get."""
    assert f"`{iso(datetime(2026, 11, 23, 18, tzinfo=UTC))}`" in PAGE.read_text()
