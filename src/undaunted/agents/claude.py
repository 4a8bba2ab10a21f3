"""Claude Code: `claude -p`, its flags and its environment.

Source: recorded with 2.1.197; `docs/agents/claude.md` says how each fact was seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from undaunted.agents.agent import AgentRequest
from undaunted.agents.claude_output import ClaudeReader
from undaunted.agents.cli_agent import INNER_RETRIES, CliAgent
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
    credential_names = (
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "AWS_BEARER_TOKEN_BEDROCK",
    )
    credential_files = (".claude/.credentials.json",)

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
            "--session-id",
            request.agent_session_id,
            *model,
            *self.permission_flags(request.permissions),
        )

    def stdin(self, request: AgentRequest) -> bytes:
        """The prompt as one message of two blocks, the second one blank.

        The program looks for commands (`/clear`) and files (`@name`) in the last block of a message
        only, and drops a blank one: so the prompt reaches the model as it was typed. As plain text
        `/clear` would be obeyed, `/nosuch` be answered with a success, and `@name` read the file.
        """
        blocks = [{"type": "text", "text": request.prompt}, {"type": "text", "text": " "}]
        message = {"type": "user", "message": {"role": "user", "content": blocks}}
        return json.dumps(message).encode() + b"\n"

    def settings(self, request: AgentRequest) -> Mapping[str, str]:  # noqa: ARG002 - the same for all
        """Few inner retries, and no update of itself in mid-task."""
        return {
            "CLAUDE_CODE_MAX_RETRIES": str(INNER_RETRIES),
            "DISABLE_AUTOUPDATER": "1",
        }

    def reader(self) -> ClaudeReader:
        """A fresh reader for one run."""
        return ClaudeReader()
