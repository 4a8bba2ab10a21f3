"""The command `undaunted`: its commands put together, and what becomes of their errors."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from undaunted import __version__
from undaunted.cli.agents import agents_commands
from undaunted.cli.config import config_commands
from undaunted.cli.doctor import doctor
from undaunted.cli.doors import Doors
from undaunted.cli.exit_codes import ExitCode, of_error, of_signal
from undaunted.cli.explain import explain
from undaunted.cli.interruption import SignalledError
from undaunted.cli.keys import keys_commands
from undaunted.cli.plain_text import plain
from undaunted.cli.rehearse import rehearse
from undaunted.cli.run import EPILOG, run
from undaunted.cli.show import show
from undaunted.cli.standard_streams import open_missing, silence
from undaunted.cli.stdout import write_json, write_line
from undaunted.cli.tasks import tasks
from undaunted.error_response import error_response
from undaunted.errors import (
    AnswerNotRecordedError,
    ErrorCode,
    InvalidTaskError,
    UndauntedError,
)

__all__ = ["DEBUG_VARIABLE", "run_command_line"]

DEBUG_VARIABLE = "UNDAUNTED_DEBUG"
"""Set to 1, an error that nobody expected shows its traceback."""

_EXAMPLES = """\b
Examples:
  undaunted run 'Fix the failing test'
  git diff | undaunted run --permissions read --agents gemini,claude -
  undaunted run --plan 'Fix the failing test'
  undaunted run --rehearsal 'See what happens when agents fail'
  undaunted show last --transcript
"""


def run_command_line(doors: Doors, argv: Sequence[str]) -> int:
    """Runs the command line `argv` (without the program's name) and returns the exit status.

    An error is told on stderr; with `--json` stdout holds the error body of S16 then, so that a
    program that reads JSON gets JSON in any case.
    """
    open_missing()
    errors = _Errors(doors, argv)
    try:
        status: object = typer.main.get_command(_commands()).main(
            args=list(argv), prog_name="undaunted", standalone_mode=False, obj=doors
        )
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "undaunted"
        # Typer hands parsers to pydantic, whose prefix says nothing to a person.
        said = error.format_message().replace("Value error, ", "")
        text = f"{said}\nTry: {path} --help"
        return errors.tell(text, ErrorCode.VALIDATION_ERROR, "INVALID_USAGE", ExitCode.USAGE)
    except UndauntedError as error:
        field = error.field if isinstance(error, InvalidTaskError) else None
        code = of_error(error)
        content = error.content if isinstance(error, AnswerNotRecordedError) else None
        return errors.tell(
            str(error), error.code, error.detail_code, code, field=field, content=content
        )
    except SignalledError as error:
        return errors.tell_interrupted(of_signal(error.number))
    except KeyboardInterrupt:
        return errors.tell_interrupted(ExitCode.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - a person gets a sentence, not a traceback
        if isinstance(error, OSError) and error.filename is None:
            silence(sys.stdout)  # `--help` on a full disk: every other file has a name
        if doors.env.get(DEBUG_VARIABLE) == "1":
            traceback.print_exc()
        text = (
            f"an error inside undaunted: {type(error).__name__}: {error}\n"
            f"Run it again with {DEBUG_VARIABLE}=1 and report what it shows."
        )
        code = ExitCode.OUR_FAULT
        return errors.tell(text, ErrorCode.INTERNAL_ERROR, "UNEXPECTED_ERROR", code)
    return status if isinstance(status, int) else ExitCode.DONE


class _Errors:
    """Tells the error that kept a command from its end, to a person and to a program."""

    def __init__(self, doors: Doors, argv: Sequence[str]) -> None:
        self._doors = doors
        flags = argv[: argv.index("--")] if "--" in argv else argv
        self._as_json = "--json" in flags or "--events" in flags

    def tell_interrupted(self, status: ExitCode) -> ExitCode:
        """Tells that a signal came before there was a task, and returns `status`."""
        text = "interrupted before the task was accepted"
        return self.tell(text, ErrorCode.TASK_EXECUTION_ERROR, "INTERRUPTED", status)

    def tell(
        self,
        text: str,
        code: ErrorCode,
        detail_code: str,
        status: ExitCode,
        *,
        field: str | None = None,
        content: str | None = None,
    ) -> ExitCode:
        """Tells it and returns `status`; `content` is an answer that came all the same."""
        try:
            print(f"Error: {plain(text)}", file=sys.stderr)  # noqa: T201 - this is the command line
        except OSError:
            silence(sys.stderr)  # nobody reads it, or it can't be written (a full disk)
        if self._as_json:
            body = error_response(
                code,
                detail_code,
                text,
                at=self._doors.now(),
                request_id="req_" + self._doors.new_id().replace("-", "")[:12],
                field=field,
                details=None if content is None else {"content": content},
            )
            write_json(body.model_dump(exclude_none=True))
        return status


def _commands() -> typer.Typer:
    """All commands; built anew for each command line, so that nothing outlives one."""
    commands = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help: the same everywhere, and quick
        no_args_is_help=True,
        epilog=_EXAMPLES,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    commands.callback()(_undaunted)
    commands.command(epilog=EPILOG)(run)
    commands.add_typer(agents_commands(), name="agents")
    commands.command()(tasks)
    commands.command()(show)
    commands.command()(explain)
    commands.command()(doctor)
    commands.command()(rehearse)
    commands.add_typer(keys_commands(), name="keys")
    commands.add_typer(config_commands(), name="config")
    return commands


def _version(asked: bool) -> None:  # noqa: FBT001 - Typer calls it with the flag's value
    if asked:
        write_line(f"undaunted {__version__}")
        raise typer.Exit


def _undaunted(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_version, help="Show the version."),
    ] = False,
) -> None:
    """Run a task on one coding agent after another until it is done."""
