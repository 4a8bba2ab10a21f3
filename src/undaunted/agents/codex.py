"""Codex: `codex exec`, its flags and its environment.

Source: recorded with 0.169.0; `docs/agents/codex.md` says how each fact was seen.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from undaunted.agents.account import Account
from undaunted.agents.agent import AgentRequest
from undaunted.agents.cli_agent import INNER_RETRIES, CliAgent, CliContext
from undaunted.agents.codex_output import CodexReader
from undaunted.agents.credentials import CredentialSource
from undaunted.agents.reader import JsonObject, as_object, as_text
from undaunted.tasks import Permissions

__all__ = ["CodexAgent"]

_PERMISSION_FLAGS: dict[Permissions, tuple[str, ...]] = {
    # In headless mode nothing asks. The sandbox keeps the commands; a command that the person's
    # rules allow would be run outside of it.
    "read": ("--sandbox", "read-only", "--ignore-rules"),
    # /tmp would be open to it as well. The attempt's own TMPDIR stays so.
    "edit": (
        "--sandbox",
        "workspace-write",
        "--config",
        "sandbox_workspace_write.exclude_slash_tmp=true",
    ),
    "full": ("--sandbox", "danger-full-access"),
}

_SESSION_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# A name that needs no quotes in a dotted path; the program understands no others there.
_PLAIN_NAME = re.compile(r"[\w-]+")


class CodexAgent(CliAgent):
    """Runs Codex.

    Its npm launcher hands signals on, and dies alone only by SIGKILL: the program is found with
    every other process of the attempt.
    """

    name = "codex"
    program = "codex"
    tested_version = "0.169.0"
    help_arguments = ("exec", "--help")
    env_prefixes = ("CODEX_", "OPENAI_")
    # Amazon Bedrock, which is built in.
    env_names = frozenset(
        {
            "AWS_ACCESS_KEY_ID",
            "AWS_BEARER_TOKEN_BEDROCK",
            "AWS_CONFIG_FILE",
            "AWS_DEFAULT_REGION",
            "AWS_PROFILE",
            "AWS_REGION",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_SHARED_CREDENTIALS_FILE",
        }
    )
    # Marks that a Codex sets for what it runs.
    env_withheld = frozenset(
        {
            "CODEX_CI",
            "CODEX_INTERNAL_ORIGINATOR_OVERRIDE",
            "CODEX_MANAGED_PACKAGE_ROOT",
            "CODEX_PERMISSION_PROFILE",
            "CODEX_SANDBOX",
            "CODEX_SANDBOX_NETWORK_DISABLED",
            "CODEX_SESSION_ID",
            "CODEX_THREAD_ID",
            "CODEX_TOOL_CALL_ID",
        }
    )
    # In the program's own order. OPENAI_API_KEY is not in it: the built-in provider ignores it.
    credentials: tuple[CredentialSource, ...] = (
        CredentialSource("key", "CODEX_API_KEY"),
        CredentialSource("subscription", "CODEX_ACCESS_TOKEN"),
        CredentialSource("subscription", file="auth.json", key_path=("tokens", "access_token")),
        CredentialSource("key", file="auth.json", key_path=("OPENAI_API_KEY",)),
        CredentialSource("login", file="auth.json"),
    )
    key_variable = "CODEX_API_KEY"
    config_variable = "CODEX_HOME"
    config_folder = ".codex"
    resumes = True

    def __init__(
        self,
        context: CliContext,
        *,
        program: tuple[str, ...] = (),
        extra_args: tuple[str, ...] = (),
        account: Account | None = None,
    ) -> None:
        super().__init__(context, program=program, extra_args=extra_args, account=account)
        self._provider, provider = _own_provider(self._folder / "config.toml")
        self._max_retries = min(INNER_RETRIES, _count(provider.get("stream_max_retries")))
        if key := as_text(provider.get("env_key")):
            self.key_variable = key
            self.env_names = self.env_names | {key}
            self.credentials = (CredentialSource("key", key),)

    def permission_flags(self, permissions: Permissions) -> tuple[str, ...]:
        """The agent's own flags for `permissions`."""
        return _PERMISSION_FLAGS[permissions]

    def arguments(self, request: AgentRequest) -> tuple[str, ...]:
        """The command line behind `codex`; `-` takes stdin for the prompt."""
        return (
            "exec",
            "--json",
            "--skip-git-repo-check",
            *self.permission_flags(request.permissions),
            *self._retry_limits(),
            *(("--model", request.model) if request.model else ()),
            *_resumed(request.resume_session_id),
            "-",
        )

    def settings(self, request: AgentRequest) -> Mapping[str, str]:  # noqa: ARG002 - none for any
        """None: the program takes its settings from its file and its flags."""
        return {}

    def reader(self) -> CodexReader:
        """A fresh reader for one run."""
        return CodexReader()

    @property
    def _folder(self) -> Path:
        """Where the program keeps its configuration and its login."""
        env = self._context.env
        usual = Path(env.get("HOME", "/nonexistent"), self.config_folder)
        return self._account.config_folder or Path(env.get(self.config_variable) or usual)

    def _retry_limits(self) -> tuple[str, ...]:
        """Few inner retries, each of them announced, where the provider is the person's own.

        By itself the program asks up to 30 times: five announced retries of five silent requests.
        Its built-in providers take no such setting: with one the program does not start.
        """
        if not _PLAIN_NAME.fullmatch(self._provider):
            return ()
        key = f"model_providers.{self._provider}"
        return (
            "--config",
            f"{key}.request_max_retries=0",
            "--config",
            f"{key}.stream_max_retries={self._max_retries}",
        )


def _resumed(session_id: str | None) -> tuple[str, ...]:
    """Where it is an id: for any other name the program begins anew, and says nothing of it."""
    return ("resume", session_id) if session_id and _SESSION_ID.fullmatch(session_id) else ()


def _own_provider(config: Path) -> tuple[str, JsonObject]:
    """Name and table of the provider that the person defined and chose; empty: a built-in one."""
    try:
        settings = tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "", {}  # none, or one with which the program will say itself what is wrong
    name = as_text(settings.get("model_provider"))
    provider = as_object(as_object(settings.get("model_providers")).get(name))
    return (name if provider else "", provider)


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else INNER_RETRIES
