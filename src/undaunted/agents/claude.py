"""Claude Code: `claude -p`, its flags and its environment.

Source: recorded with 2.1.197; `docs/agents/claude.md` says how each fact was seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from undaunted.agents.agent import AgentRequest
from undaunted.agents.claude_output import ClaudeReader
from undaunted.agents.cli_agent import INNER_RETRIES, CliAgent
from undaunted.agents.credentials import Credential, CredentialSource
from undaunted.tasks import Permissions

__all__ = ["ClaudeAgent"]

_PERMISSION_FLAGS: dict[Permissions, tuple[str, ...]] = {
    # In headless mode nothing asks: what is not allowed is denied. The tools that change something
    # are taken away as well, since the person's own settings may allow them.
    "read": (
        "--permission-mode",
        "default",
        "--disallowedTools",
        "Bash,Edit,MultiEdit,NotebookEdit,Write",
    ),
    "edit": ("--permission-mode", "acceptEdits"),
    "full": ("--permission-mode", "bypassPermissions"),
}

# The requests go to a cloud, with that cloud's login: no other one is looked at.
_CLOUD_SWITCHES = (
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
)
_OFF = frozenset({"", "0", "false", "no", "off"})


class ClaudeAgent(CliAgent):
    """Runs Claude Code."""

    name = "claude"
    program = "claude"
    env_prefixes = ("ANTHROPIC_", "CLAUDE_", "DISABLE_", "BASH_")
    env_names = frozenset(
        {
            "API_TIMEOUT_MS",
            "IS_SANDBOX",
            "MAX_THINKING_TOKENS",
            "MCP_TIMEOUT",
            "MCP_TOOL_TIMEOUT",
            # Amazon Bedrock and Google Vertex AI
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_PROFILE",
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_CONFIG_FILE",
            "AWS_SHARED_CREDENTIALS_FILE",
            "AWS_BEARER_TOKEN_BEDROCK",
            "CLOUD_ML_REGION",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "GOOGLE_CLOUD_PROJECT",
        }
    )
    # Marks that a Claude Code sets for what it runs: inherited, they make ours think it is a child.
    env_withheld = frozenset(
        {
            "CLAUDECODE",
            "CLAUDE_CODE_CHILD_SESSION",
            "CLAUDE_CODE_ENTRYPOINT",
            "CLAUDE_CODE_SESSION_ID",
            "CLAUDE_CODE_SSE_PORT",
        }
    )
    # In the program's own order (its documentation's table of precedence).
    credentials = (
        CredentialSource("key", "ANTHROPIC_AUTH_TOKEN"),
        CredentialSource("key", "ANTHROPIC_API_KEY"),
        CredentialSource("key", file="settings.json", key_path=("apiKeyHelper",)),
        CredentialSource("subscription", "CLAUDE_CODE_OAUTH_TOKEN"),
        CredentialSource(
            "subscription", file=".credentials.json", key_path=("claudeAiOauth", "accessToken")
        ),
        CredentialSource("login", file=".credentials.json"),
        CredentialSource("key", "AWS_BEARER_TOKEN_BEDROCK"),
    )
    key_variable = "ANTHROPIC_API_KEY"
    config_variable = "CLAUDE_CONFIG_DIR"
    config_folder = ".claude"
    resumes = True
    tested_version = "2.1.197"

    def permission_flags(self, permissions: Permissions) -> tuple[str, ...]:
        """The agent's own flags for `permissions`."""
        return _PERMISSION_FLAGS[permissions]

    def arguments(self, request: AgentRequest) -> tuple[str, ...]:
        """The command line behind `claude`, without the prompt."""
        model = ("--model", request.model) if request.model else ()
        return (
            "-p",
            "--input-format",
            "stream-json",
            "--output-format",
            "stream-json",
            "--verbose",
            # Pieces of the answer as they come: else a long answer looks like a hang.
            "--include-partial-messages",
            *_session(request),
            *model,
            *self.permission_flags(request.permissions),
        )

    def stdin(self, request: AgentRequest) -> bytes:
        """The prompt as one message of two blocks, the second one blank.

        The program looks for commands (`/clear`) and files (`@name`) in the last block of a message
        only, and drops a blank one: so the prompt reaches the model as it was typed. As plain text
        `/clear` would be obeyed, `/nosuch` be answered with a success, and `@name` read the file.
        """
        blocks = [{"type": "text", "text": self.message(request)}, {"type": "text", "text": " "}]
        message = {"type": "user", "message": {"role": "user", "content": blocks}}
        return json.dumps(message).encode() + b"\n"

    def settings(self, request: AgentRequest) -> Mapping[str, str]:  # noqa: ARG002 - the same for all
        """Few inner retries, and no update of itself in mid-task."""
        return {
            "CLAUDE_CODE_MAX_RETRIES": str(INNER_RETRIES),
            "DISABLE_AUTOUPDATER": "1",
        }

    def credential(self) -> Credential | None:
        """What the program would log in with, as far as can be seen; None: nothing was found.

        With the person's own address for the API, their variable is what belongs to it: a login
        made for the vendor must not be shown to anybody else.
        """
        env = self._context.env
        if self._account.key is None:
            for switch in _CLOUD_SWITCHES:
                if env.get(switch, "").lower() not in _OFF:
                    return Credential("key", switch)
            if env.get("ANTHROPIC_BASE_URL"):
                for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"):
                    if env.get(name):
                        return Credential("key", name)
        return super().credential()

    def reader(self) -> ClaudeReader:
        """A fresh reader for one run."""
        return ClaudeReader()


def _session(request: AgentRequest) -> tuple[str, ...]:
    """One that is continued keeps its id; a new one gets ours. `=`: an id is never a flag."""
    if request.resume_session_id is not None:
        return (f"--resume={request.resume_session_id}",)
    return ("--session-id", request.agent_session_id)
