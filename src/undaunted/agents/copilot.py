"""GitHub Copilot CLI: `copilot` with the prompt on stdin, its flags and its environment.

Source: recorded with 1.0.102; `docs/agents/copilot.md` says how each fact was seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from undaunted.agents.agent import AgentRequest, AgentResult, OutputSink, RunNotice
from undaunted.agents.cli_agent import CliAgent
from undaunted.agents.copilot_output import CopilotReader
from undaunted.agents.credentials import Credential, CredentialSource
from undaunted.failures import Failure, FailureKind
from undaunted.tasks import Permissions

__all__ = ["CopilotAgent"]

_PERMISSION_FLAGS: dict[Permissions, tuple[str, ...]] = {
    # In headless mode nothing asks: what is not allowed is denied. A denial outranks every
    # approval, those that the person saved earlier included.
    "read": ("--deny-tool=write", "--deny-tool=shell"),
    "edit": ("--allow-tool=write",),
    "full": ("--allow-all",),
}

# A provider of the person's own: with its address set the program doesn't ask GitHub for a model.
_PROVIDER = "COPILOT_PROVIDER_BASE_URL"
_PROVIDER_KEYS = (
    "COPILOT_PROVIDER_BEARER_TOKEN",
    "COPILOT_PROVIDER_API_KEY_COMMAND",
    "COPILOT_PROVIDER_API_KEY",
)
# The only commands that it obeys in headless mode; a BOM counts as white space there.
_COMMAND = re.compile(r"[\s\ufeff]*(/(?:(?i:autopilot|goal)|compact))(?!\S)")


class CopilotAgent(CliAgent):
    """Runs GitHub Copilot CLI.

    Its npm launcher does not hand signals on, and is used all the same: whatever it leaves behind
    is found with every other process of the attempt.
    """

    name = "copilot"
    program = "copilot"
    tested_version = "1.0.102"
    env_prefixes = ("COPILOT_",)
    env_names = frozenset(
        {
            "GH_CONFIG_DIR",
            "GH_HOST",
            "GH_TOKEN",
            "GITHUB_TOKEN",
            "USE_BUILTIN_RIPGREP",
            "USE_TGREP",
        }
    )
    env_withheld = frozenset(
        {
            # They would grant more than was asked for.
            "COPILOT_ALLOW_ALL",
            "COPILOT_ASSISTED_APPROVAL",
            # Marks that a Copilot CLI sets for what it runs.
            "COPILOT_AGENT_SESSION_ID",
            "COPILOT_CLI",
            "COPILOT_CLI_BINARY_VERSION",
            "COPILOT_CLI_RESOLVED_DIST_DIR",
            "COPILOT_LOADER_PID",
        }
    )
    # In the program's own order; a GitHub CLI that is logged in comes after them.
    credentials = (
        *(CredentialSource("key", variable) for variable in _PROVIDER_KEYS),
        CredentialSource("login", _PROVIDER),
        CredentialSource("subscription", "COPILOT_GITHUB_TOKEN"),
        CredentialSource("subscription", "GH_TOKEN"),
        CredentialSource("subscription", "GITHUB_TOKEN"),
        # The token is in the system's keychain; this file is there after the first start.
        CredentialSource("login", file="config.json"),
    )
    key_variable = "COPILOT_GITHUB_TOKEN"
    config_variable = "COPILOT_HOME"
    config_folder = ".copilot"
    resumes = True

    def permission_flags(self, permissions: Permissions) -> tuple[str, ...]:
        """The agent's own flags for `permissions`."""
        return _PERMISSION_FLAGS[permissions]

    def arguments(self, request: AgentRequest) -> tuple[str, ...]:
        """The command line behind `copilot`; without `-p` it takes stdin for the prompt."""
        resumed = request.resume_session_id
        return (
            "--output-format=json",
            # Pieces of the answer as they come: else a long answer looks like a hang.
            "--stream=on",
            f"--resume={resumed}" if resumed else f"--session-id={request.agent_session_id}",
            *((f"--model={request.model}",) if request.model else ()),
            *self.permission_flags(request.permissions),
        )

    def refuse(self, request: AgentRequest) -> Failure | None:
        """Why the program would not hand the prompt on as typed; None if it would."""
        refusal = super().refuse(request)
        if refusal is not None or (command := _COMMAND.match(request.prompt)) is None:
            return refusal
        # Another agent may well take the prompt as it is, so the task is not to blame.
        return Failure(
            FailureKind.INVALID_REQUEST,
            f"Copilot CLI would not hand the prompt on as typed: it takes {command[1]} for a "
            "command of its own",
            "undaunted: validation of the prompt",
        )

    def settings(self, request: AgentRequest) -> Mapping[str, str]:  # noqa: ARG002 - the same for all
        """No update of itself in mid-task. Nothing limits its inner retries, five a request."""
        return {"COPILOT_AUTO_UPDATE": "false"}

    def reader(self) -> CopilotReader:
        """A fresh reader for one run."""
        return CopilotReader()

    def credential(self) -> Credential | None:
        """What the program would log in with, as far as can be seen; None: nothing was found.

        The address of a provider is a choice, not a key that happens to lie about: with it the key
        is used, or none, whatever there is of GitHub's.
        """
        env, account, used = self._context.env, self._account, super().credential()
        if used is None or not env.get(_PROVIDER):
            return used
        if account.key is None:
            source = next((v for v in _PROVIDER_KEYS if env.get(v)), _PROVIDER)
            return Credential("login" if source == _PROVIDER else "key", source)
        if account.key_variable in _PROVIDER_KEYS:
            return replace(used, withheld=tuple(v for v in used.withheld if v != _PROVIDER))
        return used

    async def _run_once(
        self, request: AgentRequest, sink: OutputSink, notify: Callable[[RunNotice], None]
    ) -> tuple[AgentResult, bool]:
        result, refused = await super()._run_once(request, sink, notify)
        # Its last event alone names the session. A run that was cut off had one if it came as far
        # as its first events, which name the model.
        if result.agent_session_id is None and result.model is not None:
            begun = request.resume_session_id or request.agent_session_id
            result = replace(result, agent_session_id=begun)
        return result, refused
