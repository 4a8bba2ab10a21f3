"""What `undaunted run` does: one task, told while it runs, its answer at the end."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from undaunted.cli.answer_file import AnswerFile
from undaunted.cli.doors import Doors
from undaunted.cli.exit_codes import ExitCode, of_record, of_signal
from undaunted.cli.interruption import Interruption, SignalledError
from undaunted.cli.narration import Narration
from undaunted.cli.opening import open_service
from undaunted.cli.plan import show_plan
from undaunted.cli.run_request import RunRequest, read_prompt
from undaunted.cli.stdout import StdoutError, as_json, write_answer, write_json, write_line
from undaunted.cli.summary import tell_end
from undaunted.cli.terminal import Terminal
from undaunted.config import Configuration
from undaunted.errors import AnswerNotRecordedError, NotFoundError
from undaunted.events import AgentSkipped, Event
from undaunted.task_object import task_object
from undaunted.tasks import Task, TaskRecord, agent_key

if TYPE_CHECKING:
    from undaunted.service import Service  # brings the database with it

__all__ = ["Form", "execute"]

Form = Literal["answer", "json", "events"]
"""What is printed: the answer alone, the task as one JSON object, or its events line by line."""

# Of the prompt, in the command that a rehearsal ends with.
_PROMPT_SHOWN_CHARS = 200


def execute(
    doors: Doors,
    request: RunRequest,
    *,
    form: Form,
    output: Path | None,
    quiet: bool,
    plan: bool,
    rehearsal: bool = False,
    faults: Mapping[str, str] | None = None,
) -> int:
    """Runs the task of `request`, or says what would be done, and returns the exit status.

    Args:
        doors: The product.
        request: What was asked for.
        form: What is printed.
        output: The file that the answer goes to; None is stdout.
        quiet: Tell errors only.
        plan: Say which agents would be tried, and run nothing.
        rehearsal: Simulated agents.
        faults: How the agents' models fail, by agent: the real programs on the rehearsal's model
            API. None is the real models.

    Raises:
        UndauntedError: The task was not accepted.
    """
    configuration = doors.configuration(request.folder(), request.settings)
    file = AnswerFile(output) if output is not None else None
    prompt = read_prompt(request.prompt)
    run = _Run(doors, configuration, form, file, Terminal(quiet=quiet))
    return asyncio.run(run.go(request, prompt, plan=plan, rehearsal=rehearsal, faults=faults))


class _Run:
    """One call of the command."""

    def __init__(
        self,
        doors: Doors,
        configuration: Configuration,
        form: Form,
        file: AnswerFile | None,
        terminal: Terminal,
    ) -> None:
        self._doors = doors
        self._configuration = configuration
        self._form = form
        self._file = file
        self._terminal = terminal
        self._narration = Narration(terminal)
        self._passed_over: dict[str, str] = {}
        self._unprinted: StdoutError | None = None

    async def go(
        self,
        request: RunRequest,
        prompt: str,
        *,
        plan: bool,
        rehearsal: bool,
        faults: Mapping[str, str] | None,
    ) -> int:
        """Runs the task; returns the exit status."""
        async with (
            Interruption(self._tell_signal) as interruption,
            open_service(
                self._doors,
                self._configuration,
                self._terminal,
                rehearsal=rehearsal,
                faults=faults,
                emit=self._listen,
            ) as service,
        ):
            known = {
                name for report in await service.agents() for name in (report.name, report.key)
            }
            task = request.task(
                prompt, self._configuration.settings, known=known, env=self._doors.env
            )
            if plan:
                show_plan(await service.plan(task), as_json=self._form == "json")
                return ExitCode.DONE
            try:
                record, code = await self._run(service, task, interruption)
            except AnswerNotRecordedError as error:
                # With --json and --events it is in the error's body.
                if self._form == "answer" and not (
                    self._file is not None and self._written(self._file, error.content)
                ):
                    write_answer(error.content)
                raise
        if self._unprinted is not None:
            raise self._unprinted
        self._deliver(record)
        tell_end(
            self._terminal,
            record,
            code,
            passed_over=self._passed_over,
            now=self._doors.now(),
            kept=faults is None,
        )
        if (rehearsal or faults is not None) and self._form == "answer":
            self._terminal.note(
                "\nThat was a rehearsal. With real agents, which cost what they cost:\n"
                f"  {_real_command(prompt)}"
            )
        return code

    async def _run(
        self, service: Service, task: Task, interruption: Interruption
    ) -> tuple[TaskRecord, ExitCode]:
        try:
            record = await interruption.run(service.run(task))
        except SignalledError as error:
            try:
                return await service.task(task.id), of_signal(error.number)
            except NotFoundError:
                raise error from None  # it came before the task was accepted
        return record, of_record(record)

    def _listen(self, event: Event) -> None:
        if self._form == "events":
            try:
                write_json(event.to_dict())
            except StdoutError as error:
                self._unprinted = error  # the task goes on; it is told at the end
        if isinstance(event, AgentSkipped):
            self._passed_over[agent_key(event.agent, event.account)] = event.reason
        self._narration(event)

    def _deliver(self, record: TaskRecord) -> None:
        """Puts the answer, or the JSON, where it was asked for."""
        if self._form == "events":
            write_json({"type": "task", "task": task_object(record)})
        if self._form == "json":
            text = as_json(task_object(record))
        elif record.content is not None:
            text = record.content
        else:
            return
        if self._file is not None and self._written(self._file, text):
            return
        if self._form == "json":
            write_line(text)
        elif self._form == "answer":
            write_answer(text)

    def _written(self, file: AnswerFile, text: str) -> bool:
        try:
            file.write(text)
        except OSError as error:
            # The answer must not be lost for it.
            self._terminal.error(f"--output: {error}: the answer is on stdout instead", "red")
            return False
        return True

    def _tell_signal(self, number: signal.Signals, first: bool) -> None:  # noqa: FBT001 - a callback
        if first:
            self._terminal.note(f"{number.name}: ends the agent and writes the task down")
        else:
            self._terminal.note(f"{number.name}: is ending already")


def _real_command(prompt: str) -> str:
    if len(prompt) > _PROMPT_SHOWN_CHARS:
        prompt = prompt[:_PROMPT_SHOWN_CHARS] + "…"
    # As it was started, where a shell would not find it by its name (`make run`, say).
    started = Path(sys.argv[0])
    found = shutil.which("undaunted") is not None or started.name != "undaunted"
    program = "undaunted" if found else str(started)
    return shlex.join([program, "run", *(["--"] if prompt.startswith("-") else []), prompt])
