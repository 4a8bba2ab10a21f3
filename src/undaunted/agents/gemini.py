"""Gemini CLI: `gemini`, its flags, its environment and the settings file that limits its retries.

Source: recorded with 0.61.0; `docs/agents/gemini.md` says how each fact was seen.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from undaunted.agents.agent import AgentRequest
from undaunted.agents.cli_agent import CliAgent
from undaunted.agents.credentials import Credential, CredentialSource
from undaunted.agents.gemini_login import GeminiLogin, gemini_login, selected_type
from undaunted.agents.gemini_output import GeminiReader
from undaunted.agents.gemini_settings import merged_settings, open_to_others, read_settings
from undaunted.agents.reader import JsonObject
from undaunted.agents.rules import one_line
from undaunted.failures import Failure, FailureKind
from undaunted.tasks import Permissions

__all__ = ["GeminiAgent"]

_SETTINGS_VARIABLE = "GEMINI_CLI_SYSTEM_SETTINGS_PATH"
# Where Gemini CLI itself looks for the machine's settings on Linux.
_SYSTEM_SETTINGS = "/etc/gemini-cli/settings.json"

_PERMISSION_FLAGS: dict[Permissions, tuple[str, ...]] = {
    # In headless mode nothing asks: in "default" whatever would have to be asked is denied.
    "read": ("--approval-mode", "default"),
    "edit": ("--approval-mode", "auto_edit"),
    "full": ("--approval-mode", "yolo"),
}
# The tools that change something. The settings of the person, or of the working directory, may
# allow them whatever the approval mode (`tools.allowed`); an exclusion outranks that.
_CHANGING_TOOLS = ("replace", "run_shell_command", "write_file")

_MENTION = re.compile(r"(?<!\\)@([^\s,;!?()\[\]{}@]+)")
_SUB_AGENTS = frozenset({"codebase_investigator", "cli_help", "generalist"})


class GeminiAgent(CliAgent):
    """Runs Gemini CLI."""

    name = "gemini"
    program = "gemini"
    env_prefixes = ("GEMINI_", "GOOGLE_", "CLOUDSDK_")
    env_names = frozenset({"CODE_ASSIST_ENDPOINT", "SEATBELT_PROFILE"})
    # Marks that a Gemini CLI sets for what it runs.
    env_withheld = frozenset({"GEMINI_CLI", "GEMINI_CLI_ACTIVITY_LOG_TARGET"})
    # Which one is used is the program's settings' to say: see `gemini_login`.
    credentials = (
        CredentialSource("key", "GEMINI_API_KEY"),
        CredentialSource("key", "GOOGLE_API_KEY"),
        CredentialSource("key", "GOOGLE_APPLICATION_CREDENTIALS"),
        CredentialSource("login", "GOOGLE_CLOUD_PROJECT"),
        CredentialSource("subscription", file=".gemini/oauth_creds.json"),
        CredentialSource("login", file=".gemini/gemini-credentials.json"),
        CredentialSource("login", file=".gemini/.env"),
        CredentialSource("login", file=".gemini/settings.json"),
    )
    key_variable = "GEMINI_API_KEY"
    # It stands for HOME: the program's own folder is `.gemini` below it.
    config_variable = "GEMINI_CLI_HOME"
    resumes = True
    tested_version = "0.61.0"

    def permission_flags(self, permissions: Permissions) -> tuple[str, ...]:
        """The agent's own flags for `permissions`."""
        return _PERMISSION_FLAGS[permissions]

    def arguments(self, request: AgentRequest) -> tuple[str, ...]:
        """The command line behind `gemini`; without `-p` it takes stdin for the prompt."""
        model = ("--model", request.model) if request.model else ()
        return (
            "--output-format",
            "stream-json",
            *_session(request),
            *model,
            *self.permission_flags(request.permissions),
        )

    def refuse(self, request: AgentRequest) -> Failure | None:
        """Why the program would not hand the prompt on as typed; None if it would.

        It runs what begins with a slash as a command of its own (`//` and `/*` apart), and rewrites
        or reads an `@name` that is a file or folder of the working directory, or one of its
        sub-agents. Nothing that we could add would keep the text as it is.
        """
        refusal = super().refuse(request)
        if refusal is not None:
            return refusal
        folder = self._settings_folder
        if request.permissions == "read" and self._context.user is not None:
            return Failure(
                FailureKind.MISCONFIGURED,
                f"Gemini CLI could not read the settings that keep it from writing: they lie in "
                f"{folder}, which {self._context.user.name} (run_as) may not enter",
                "undaunted: validation of the data folder",
            )
        if request.permissions == "read" and (open_one := open_to_others(folder)) is not None:
            return Failure(
                FailureKind.MISCONFIGURED,
                f"Gemini CLI would ignore the settings that keep it from writing: {open_one} is "
                f"writable by others, and {folder} lies below it. Set UNDAUNTED_DATA_DIR to a "
                "folder of your own.",
                "undaunted: validation of the data folder",
            )
        if re.match(r"/(?![/*])", request.prompt):
            said = request.prompt.split(maxsplit=1)[0]
            return _refusal(f"it takes {one_line(said, 40)} for a command of its own")
        for name in _MENTION.findall(request.prompt):
            if name in _SUB_AGENTS or _exists(Path(request.cwd), name):
                return _refusal(f"it takes @{one_line(name, 40)} for a request to read or delegate")
        return None

    def settings(self, request: AgentRequest) -> Mapping[str, str]:
        """One process instead of a launcher that ignores signals, few retries, a trusted folder.

        To run a task in a folder is the person's word for that folder; without it the program
        refuses to run headless at all (exit code 55).
        """
        ours = {
            "GEMINI_CLI_NO_RELAUNCH": "true",
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
            **self._login().variables,
        }
        if self._context.user is not None:
            return ours  # it could not read a file in a folder of ours
        return {**ours, _SETTINGS_VARIABLE: str(self._write_settings(request.permissions))}

    def credential(self) -> Credential | None:
        """What the program would log in with, as far as can be seen; None: nothing was found."""
        return self._login().credential

    def reader(self) -> GeminiReader:
        """A fresh reader for one run."""
        return GeminiReader()

    @property
    def _settings_folder(self) -> Path:
        return self._context.data_folder / "agents"

    @property
    def _home(self) -> Path:
        """The folder that holds the program's `.gemini`."""
        env = self._context.env
        usual = env.get(self.config_variable) or env.get("HOME", "/nonexistent")
        return self._account.config_folder or Path(usual)

    @property
    def _machines_settings(self) -> JsonObject:
        path = Path(self._context.env.get(_SETTINGS_VARIABLE, _SYSTEM_SETTINGS))
        return read_settings(path)

    def _login(self) -> GeminiLogin:
        persons = read_settings(self._home / ".gemini" / "settings.json")
        # The machine's settings outrank the person's.
        selected = selected_type(self._machines_settings) or selected_type(persons)
        return gemini_login(selected, env=self._context.env, home=self._home, account=self._account)

    def _write_settings(self, permissions: Permissions) -> Path:
        """The machine's settings with ours on top, in a folder that only the person can enter.

        The program skips the file if others may write to any folder above it.
        """
        folder = self._settings_folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{self.key.replace('/', '-')}-settings-{permissions}.json"
        merged = merged_settings(
            self._machines_settings,
            excluded_tools=_CHANGING_TOOLS if permissions == "read" else (),
            selected_type=self._login().selected_type,
        )
        content = json.dumps(merged, indent=2)
        # Replaced in one step: another run may be reading it now.
        handle, name = tempfile.mkstemp(dir=folder, prefix=".gemini-settings-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        Path(name).replace(path)
        return path


def _refusal(why: str) -> Failure:
    # Another agent may well take the prompt as it is, so the task is not to blame.
    return Failure(
        FailureKind.INVALID_REQUEST,
        f"Gemini CLI would not hand the prompt on as typed: {why}",
        "undaunted: validation of the prompt",
    )


def _exists(folder: Path, name: str) -> bool:
    try:
        path = (folder / name.rstrip(".:'\"")).resolve()
        return path.exists() and path.is_relative_to(folder.resolve())
    except (OSError, ValueError):  # too long for a name, or no name at all
        return False


def _session(request: AgentRequest) -> tuple[str, ...]:
    """One that is continued keeps its id; a new one gets ours. `=`: an id is never a flag."""
    if request.resume_session_id is not None:
        return (f"--resume={request.resume_session_id}",)
    return ("--session-id", request.agent_session_id)
