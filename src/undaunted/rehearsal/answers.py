"""What the rehearsal's model says when nothing goes wrong: tool calls first, then a text."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass

__all__ = [
    "DEFAULT_TEXT",
    "Answer",
    "ToolCall",
    "Turn",
    "shell",
    "write_file",
]

DEFAULT_TEXT = "hello from the rehearsal"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A step of the script: the model asks the agent to use a tool.

    Attributes:
        inputs: The call's arguments by the name that the tool has in each agent that is expected;
            the first tool that the request offers is called.
    """

    inputs: Mapping[str, Mapping[str, object]]

    def name_among(self, offered: Collection[str]) -> str | None:
        """The tool to call, given the names that the request offers; None if it has none."""
        return next((name for name in self.inputs if name in offered), None)


@dataclass(frozen=True, slots=True)
class Turn:
    """What the model says in answer to one request: a text, or a call of the tool `tool_name`."""

    text: str = ""
    tool_name: str | None = None
    tool_input: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The model's script.

    Rule: a request that carries the results of n tool calls gets step n + 1; after the last step,
    or where the request does not offer the step's tool, it gets the text. The script is kept in
    the conversation, not here, so a request that is sent again gets the same turn again.

    Attributes:
        text: The text at the end.
        steps: The tool calls before it, in order.
    """

    text: str = DEFAULT_TEXT
    steps: tuple[ToolCall, ...] = ()

    def turn(self, *, offered_tools: Collection[str], tool_results: int) -> Turn:
        """What to say to a request that offers these tools and carries so many results."""
        if tool_results < len(self.steps):
            step = self.steps[tool_results]
            name = step.name_among(offered_tools)
            if name is not None:
                return Turn(tool_name=name, tool_input=step.inputs[name])
        return Turn(text=self.text)


def write_file(path: str, content: str) -> ToolCall:
    """A step that writes `content` to the new file `path` (absolute).

    Codex has no tool for it that takes JSON, and is asked for a shell command.
    """
    by_file_path = {"file_path": path, "content": content}
    command = f"printf %s {shlex.quote(content)} > {shlex.quote(path)}"
    return ToolCall(
        {
            "Write": by_file_path,  # Claude Code
            "write_file": by_file_path,  # Gemini CLI
            "create": {"path": path, "file_text": content},  # Copilot CLI
            "write": {"filePath": path, "content": content},  # opencode
            "exec_command": {"cmd": command},  # Codex
        }
    )


def shell(command: str) -> ToolCall:
    """A step that runs `command` in the agent's shell."""
    described = {"command": command, "description": "A step of the rehearsal"}
    return ToolCall(
        {
            "Bash": described,  # Claude Code
            "run_shell_command": described,  # Gemini CLI
            "bash": described,  # Copilot CLI, opencode
            "exec_command": {"cmd": command},  # Codex
        }
    )
