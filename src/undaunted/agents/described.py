"""An agent that a person described in `undaunted.toml`: its command line and its environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from undaunted.agents.account import Account
from undaunted.agents.agent import AgentRequest, AgentResult, OutputSink, RunNotice
from undaunted.agents.cli_agent import CliAgent, CliContext
from undaunted.agents.credentials import CredentialSource
from undaunted.agents.described_output import DescribedReader
from undaunted.agents.process import ProcessResult, ProcessSpec
from undaunted.agents.reader import OutputReader
from undaunted.agents.rules import one_line
from undaunted.description_values import filled
from undaunted.descriptions import Description
from undaunted.failures import Failure, FailureKind
from undaunted.tasks import Permissions

__all__ = ["ARGUMENT_MAX_BYTES", "DescribedAgent"]

ARGUMENT_MAX_BYTES = 131_071
"""Longest argument that Linux takes: MAX_ARG_STRLEN in execve(2), less the zero behind it."""


class DescribedAgent(CliAgent):
    """Runs the program that a description names.

    The command line is: `command`, `args`, the arguments of the session, of the model and of the
    permissions, the person's further arguments, `prompt_args`.

    Args:
        name: The name that the person gave it.
        description: What they said of it.
        context: The world.
        program: The command to run instead of the description's.
        extra_args: Further arguments, from the person's configuration.
        account: Which login is used.
    """

    def __init__(
        self,
        name: str,
        description: Description,
        context: CliContext,
        *,
        program: tuple[str, ...] = (),
        extra_args: tuple[str, ...] = (),
        account: Account | None = None,
    ) -> None:
        self.name = name
        self.program = description.command[0]
        self.credentials = tuple(
            CredentialSource(
                place.kind,
                variable=place.variable or "",
                file=place.file or "",
                key_path=tuple(place.path.split(".")) if place.path else (),
            )
            for place in description.credentials
        )
        self.key_variable = description.key_variable or ""
        self.config_variable = description.config_variable or ""
        self.config_folder = description.config_folder
        self.resumes = description.resume is not None
        passed = [n for n in description.pass_ if not n.endswith("*")]
        logins = [source.variable for source in self.credentials]
        own = {*passed, *logins, self.key_variable, self.config_variable}
        self.env_names = frozenset(own - {""})
        self.env_prefixes = tuple(n[:-1] for n in description.pass_ if n.endswith("*"))
        self._description = description
        super().__init__(
            context, program=program or description.command, extra_args=extra_args, account=account
        )

    def permission_flags(self, permissions: Permissions) -> tuple[str, ...]:
        """The described arguments for `permissions`; none where it can't be run with them."""
        return self._description.permissions.of(permissions) or ()

    def refuse(self, request: AgentRequest) -> Failure | None:
        """Why the description does not reach for this request, or its prompt can't be handed over.

        None of it blames the task: another agent may well take it.
        """
        refusal = super().refuse(request)
        if refusal is not None:
            return refusal
        described = self._description
        if described.permissions.of(request.permissions) is None:
            return self._unsaid(
                f"permissions.{request.permissions}",
                f"with which arguments it may {request.permissions} ([] if it needs none)",
            )
        if request.model and not described.model_args:
            return self._unsaid("model_args", f"how to ask for the model {request.model}")
        for value in (request.model, request.resume_session_id):
            if value is not None and value.startswith("-"):
                said = one_line(value, 60)
                return _refusal(FailureKind.MISCONFIGURED, f"it would take {said} for an option")
        return self._refuse_argument(request) if described.prompt == "argument" else None

    def _refuse_argument(self, request: AgentRequest) -> Failure | None:
        message = self.message(request).encode("utf-8", errors="surrogatepass")
        arguments = self._prompt_arguments(message, cwd=request.cwd)
        longest = max(len(os.fsencode(one)) for one in arguments)
        if longest > ARGUMENT_MAX_BYTES:
            why = f"{longest} bytes are too many for an argument (at most {ARGUMENT_MAX_BYTES})"
            return _refusal(FailureKind.INVALID_REQUEST, why)
        if b"\0" in message:
            return _refusal(FailureKind.INVALID_REQUEST, "an argument can't hold a zero byte")
        return None

    def arguments(self, request: AgentRequest) -> tuple[str, ...]:
        """The command line behind the program, without the prompt."""
        described = self._description
        session, id_ = described.session_args, request.agent_session_id
        if described.resume is not None and request.resume_session_id is not None:
            session, id_ = described.resume.args, request.resume_session_id
        model = described.model_args if request.model else ()
        return filled(
            (*described.args, *session, *model, *self.permission_flags(request.permissions)),
            {"cwd": request.cwd, "session": id_, "model": request.model or ""},
        )

    def settings(self, request: AgentRequest) -> Mapping[str, str]:  # noqa: ARG002 - the same for all
        """The described variables."""
        return self._description.environment

    def reader(self) -> DescribedReader:
        """A fresh reader for one run."""
        return DescribedReader(description=self._description)

    async def _run_once(
        self, request: AgentRequest, sink: OutputSink, notify: Callable[[RunNotice], None]
    ) -> tuple[AgentResult, bool]:
        result, refused = await super()._run_once(request, sink, notify)
        if result.agent_session_id is None and self._description.session_args:
            # A program that takes an id of ours need not repeat it.
            begun = request.resume_session_id or request.agent_session_id
            result = replace(result, agent_session_id=begun)
        return result, refused

    async def _run(
        self,
        spec: ProcessSpec,
        reader: OutputReader,
        sink: OutputSink,
        notify: Callable[[RunNotice], None],
    ) -> ProcessResult:
        return await super()._run(self._handed_over(spec), reader, sink, notify)

    def _handed_over(self, spec: ProcessSpec) -> ProcessSpec:
        """`spec` with the prompt, which it has on stdin, where the program wants it.

        Only now, so that the command line that is kept and shown is without it.
        """
        how, file = self._description.prompt, Path(spec.env["TMPDIR"], "prompt")
        if how == "file":
            _write_privately(file, spec.stdin)
        arguments = self._prompt_arguments(spec.stdin, cwd=spec.cwd, file=str(file))
        stdin = spec.stdin if how == "stdin" else b""
        return replace(spec, argv=(*spec.argv, *arguments), stdin=stdin)

    def _prompt_arguments(self, message: bytes, *, cwd: str, file: str = "") -> tuple[str, ...]:
        # As the file system's names: bytes that are no UTF-8 arrive as they are.
        values = {"cwd": cwd, "file": file, "prompt": os.fsdecode(message)}
        return filled(self._description.prompt_args, values)

    def _unsaid(self, key: str, what: str) -> Failure:
        why = f"described.{self.name}.{key} in undaunted.toml would have to say {what}"
        return _refusal(FailureKind.MISCONFIGURED, why)


def _refusal(kind: FailureKind, why: str) -> Failure:
    return Failure(kind, f"the agent can't take it: {why}", "undaunted: validation")


def _write_privately(path: Path, content: bytes) -> None:
    """Writes a file that only the folder's owner can read, which is who the agent runs as."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        os.fchown(handle, path.parent.stat().st_uid, -1)
        file.write(content)
