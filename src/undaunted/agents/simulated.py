"""A scripted agent as a real child process: what rehearsals and tests run instead of a vendor's.

It goes the same way as a real one (environment, process, events, failures); only what it does is
written down beforehand.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from undaunted.agents.account import Account
from undaunted.agents.agent import AgentRequest, AgentResult, OutputSink, RunNotice
from undaunted.agents.cli_agent import CliAgent, CliContext
from undaunted.agents.reader import (
    Ending,
    JsonObject,
    OutputReader,
    as_object,
    as_text,
    whole_number,
)
from undaunted.agents.reset_times import MAX_AHEAD
from undaunted.agents.rules import Evidence, RuleSet, one_line
from undaunted.agents.simulated_script import Script, script_json
from undaunted.failures import Failure, FailureKind
from undaunted.tasks import DEFAULT_ACCOUNT, PermissionDenial, Permissions, Usage

__all__ = ["SimulatedAgent", "SimulatedReader"]

_CHILD = Path(__file__).with_name("simulated_child.py")
_NOTICE_MAX_CHARS = 160


class SimulatedAgent(CliAgent):
    """Plays a script in a child process.

    The first run plays the first script, and so on; further runs play the last one. So
    `SimulatedAgent(name, context, fault, fault, well)` fails twice and is well from then on. The
    count is the object's: tasks that share the agent share its scripts.

    Args:
        name: The agent's name.
        context: The world.
        first: What its first run does.
        others: What its further runs do.
        account: Which login it pretends to use.

    Attributes:
        runs: How many runs were begun.
    """

    def __init__(
        self,
        name: str,
        context: CliContext,
        first: Script,
        *others: Script,
        account: str = DEFAULT_ACCOUNT,
    ) -> None:
        # -I and -S: nothing of the caller's Python and no site-packages, which also starts fastest.
        program = (sys.executable, "-I", "-S", str(_CHILD))
        super().__init__(context, program=program, account=Account(name=account))
        self.name = name
        self.runs = 0
        self._scripts = (first, *others)

    def permission_flags(self, permissions: Permissions) -> tuple[str, ...]:
        """The child's own flag for `permissions`."""
        return ("--permissions", permissions)

    def arguments(self, request: AgentRequest) -> tuple[str, ...]:
        """The command line behind the program: the script of the run that was begun last."""
        script = self._scripts[min(self.runs, len(self._scripts)) - 1]
        model = ("--model", request.model) if request.model else ()
        return (
            script_json(script),
            *self.permission_flags(request.permissions),
            "--session-id",
            request.agent_session_id,
            *model,
        )

    def settings(self, request: AgentRequest) -> Mapping[str, str]:  # noqa: ARG002 - has none
        """The child needs no settings."""
        return {}

    def reader(self) -> OutputReader:
        """A fresh reader for one run."""
        return SimulatedReader()

    async def run(
        self, request: AgentRequest, *, sink: OutputSink, notify: Callable[[RunNotice], None]
    ) -> AgentResult:
        """Runs the next script and returns how it ended; see `Agent.run`."""
        # `arguments` follows before anything is awaited: parallel runs get scripts of their own.
        self.runs += 1
        return await super().run(request, sink=sink, notify=notify)


@dataclass
class SimulatedReader(OutputReader):
    """Reads the events of `simulated_child.py`.

    Its result event states the kind of a failure itself, so that there is no text to interpret;
    a run without a result is judged as every agent's is.
    """

    _parts: list[str] = field(default_factory=list)
    _answer: str | None = None
    _stated: Failure | None = None

    @property
    def rules(self) -> RuleSet:
        """None: the event states the kind."""
        return RuleSet(specific=())

    def feed_event(self, event: JsonObject) -> RunNotice | None:
        """Takes in one event; returns what is worth showing at once."""
        match event.get("type"):
            case "session":
                self.session_id = as_text(event.get("session_id"))
                self.model = as_text(event.get("model"))
                return RunNotice("session", self.session_id)
            case "text":
                text = as_text(event.get("text"))
                self._parts.append(text)
                return RunNotice("text", one_line(text, _NOTICE_MAX_CHARS))
            case "tool":
                return RunNotice("tool", as_text(event.get("tool")))
            case "denied":
                tool, detail = as_text(event.get("tool")), as_text(event.get("detail"))
                self.denials.append(PermissionDenial(tool, detail))
                return RunNotice("tool", f"{tool}: not allowed")
            case "retry":
                self.inner_retries += 1
                attempt, of = event.get("attempt"), event.get("max_retries")
                return RunNotice("inner_retry", f"{attempt} of {of}: {as_text(event.get('error'))}")
            case "result":
                self._read_result(event)
        return None

    def answer(self, ending: Ending) -> str | None:  # noqa: ARG002 - the result says all
        """The result's text; None where there was no result or it is a failure."""
        return self._answer

    def partial_answer(self) -> str | None:
        """The pieces that were printed."""
        return "".join(self._parts) or None

    def evidence(self, ending: Ending) -> Iterable[Evidence]:  # noqa: ARG002 - as in `answer`
        """Nothing: there are no texts to interpret."""
        return ()

    def conclude(
        self,
        ending: Ending,
        *,
        now: datetime,
        tz: tzinfo | None = None,
        max_ahead: timedelta = MAX_AHEAD,
    ) -> AgentResult:
        """How the run ended: by the failure that the result states, else as for every agent."""
        result = super().conclude(ending, now=now, tz=tz, max_ahead=max_ahead)
        if self._stated is None or result.failure is None:
            return result
        return replace(result, failure=_timed(self._stated, now))

    def _read_result(self, event: JsonObject) -> None:
        usage = as_object(event.get("usage"))
        self.usage = Usage(
            whole_number(usage.get("input_tokens")), whole_number(usage.get("output_tokens"))
        )
        self.cost_usd = _number(event.get("cost_usd"))
        if event.get("status") == "ok":
            self._answer = as_text(event.get("text"))
            return
        error = as_object(event.get("error"))
        stated = as_text(error.get("kind"))
        self._stated = Failure(
            _kind(stated),
            as_text(error.get("message")),
            evidence=f"result event: kind={stated}",
            retry_after_s=_number(error.get("retry_after_s")),
            resets_at=_instant(error.get("resets_at")),
            blames_task=error.get("blames_task") is True,
        )


def _timed(failure: Failure, now: datetime) -> Failure:
    """`failure` with both forms of its time, where it has one."""
    if failure.resets_at is not None and failure.retry_after_s is None:
        seconds = max((failure.resets_at - now).total_seconds(), 0.0)
        return replace(failure, retry_after_s=seconds)
    if failure.retry_after_s is not None and failure.resets_at is None:
        return replace(failure, resets_at=now + timedelta(seconds=failure.retry_after_s))
    return failure


def _kind(stated: str) -> FailureKind:
    try:
        return FailureKind(stated)
    except ValueError:
        return FailureKind.UNKNOWN


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None


def _instant(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(as_text(value))
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else None
