"""opencode: `opencode run`, its flags, its environment and the configuration that it is given.

Source: recorded with 1.18.33; `docs/agents/opencode.md` says how each fact was seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from undaunted.agents.agent import AgentRequest
from undaunted.agents.cli_agent import CliAgent
from undaunted.agents.credentials import CredentialSource
from undaunted.agents.opencode_output import OpencodeReader
from undaunted.agents.reader import JsonObject, as_object
from undaunted.failures import Failure, FailureKind
from undaunted.tasks import Permissions

__all__ = ["OpencodeAgent", "merged_configuration"]

_CONFIGURATION = "OPENCODE_CONFIG_CONTENT"
_STORED_LOGINS = "OPENCODE_AUTH_CONTENT"

# Of the more than two hundred providers that it knows, those that its documentation leads with.
_KEYS = (
    "OPENCODE_API_KEY",
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_GENERATIVE_AI_API_KEY",
    "OPENROUTER_API_KEY",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AZURE_API_KEY",
    "CEREBRAS_API_KEY",
    "DEEPSEEK_API_KEY",
    "FIREWORKS_API_KEY",
    "GROQ_API_KEY",
    "MISTRAL_API_KEY",
    "MOONSHOT_API_KEY",
    "TOGETHER_API_KEY",
    "XAI_API_KEY",
    "ZHIPU_API_KEY",
)

# An agent of our own: the permissions of the person's own agents outrank the general ones, and may
# allow to write.
_READER = "undaunted-read"
_PERMISSION_FLAGS: dict[Permissions, tuple[str, ...]] = {
    "read": (f"--agent={_READER}",),
    "edit": (),
    "full": ("--auto",),
}
# The last rule that fits decides. What is denied altogether is not even offered to the model.
_READ_ONLY: JsonObject = {
    "*": "deny",
    "read": {"*": "allow", "*.env": "deny", "*.env.*": "deny", "*.env.example": "allow"},
    **dict.fromkeys(("glob", "grep", "list", "lsp", "skill", "todowrite"), "allow"),
}
_CONFIGURATIONS: dict[Permissions, JsonObject] = {
    "read": {"agent": {_READER: {"mode": "primary", "permission": _READ_ONLY}}},
    # Files are its own to edit by default, and shell commands too: those would have to be asked
    # for, and nobody answers.
    "edit": {"permission": {"bash": "ask"}},
    "full": {},
}
# Without it a denied tool ends the run: exit code 0, and no answer.
_GO_ON_WHEN_DENIED: JsonObject = {"experimental": {"continue_loop_on_deny": True}}


class OpencodeAgent(CliAgent):
    """Runs opencode."""

    name = "opencode"
    program = "opencode"
    tested_version = "1.18.33"
    help_arguments = ("run", "--help")
    env_prefixes = ("OPENCODE_",)
    env_names = frozenset(
        {
            *_KEYS,
            # Amazon Bedrock, Azure and Google Vertex AI
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_PROFILE",
            "AWS_REGION",
            "AZURE_RESOURCE_NAME",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "GOOGLE_CLOUD_PROJECT",
            "VERTEX_LOCATION",
        }
    )
    # Marks that an opencode sets for what it runs.
    env_withheld = frozenset({"OPENCODE_PID", "OPENCODE_WORKSPACE_ID"})
    # A stored login outranks the variable of the same provider.
    credentials = (
        CredentialSource("login", _STORED_LOGINS),
        CredentialSource("login", file="opencode/auth.json"),
        *(CredentialSource("key", variable) for variable in _KEYS),
    )
    key_variable = "OPENCODE_API_KEY"
    config_variable = "XDG_DATA_HOME"
    config_folder = ".local/share"
    resumes = True

    def permission_flags(self, permissions: Permissions) -> tuple[str, ...]:
        """The agent's own flags for `permissions`; for `edit` its configuration says it all."""
        return _PERMISSION_FLAGS[permissions]

    def arguments(self, request: AgentRequest) -> tuple[str, ...]:
        """The command line behind `opencode`; without a message it takes stdin for the prompt."""
        resumed = request.resume_session_id
        return (
            "run",
            "--format=json",
            # An empty title is the beginning of the prompt; without one a model is asked for it.
            f"--session={resumed}" if resumed else "--title=",
            *((f"--model={request.model}",) if request.model else ()),
            *self.permission_flags(request.permissions),
        )

    def refuse(self, request: AgentRequest) -> Failure | None:
        """Why this agent can't take the request as typed; None if it can."""
        refusal = super().refuse(request)
        if refusal is not None:
            return refusal
        if request.model is not None and "/" not in request.model:
            why = f"opencode names a model as provider/model, which {request.model!r} is not"
            return Failure(
                FailureKind.MISCONFIGURED, why, "undaunted: validation of the model's name"
            )
        try:
            self.settings(request)
        except (ValueError, RecursionError) as error:  # the latter: nested thousands deep
            why = f"{_CONFIGURATION} can't be added to, since it is no plain JSON: {error}"
            return Failure(FailureKind.MISCONFIGURED, why, "undaunted: validation of the settings")
        return None

    def settings(self, request: AgentRequest) -> Mapping[str, str]:
        """Its configuration, and a log on stderr, where alone it tells of its retries.

        Nothing limits those: five for each step of its work.
        """
        theirs = self._context.env.get(_CONFIGURATION) or "{}"
        return {
            _CONFIGURATION: json.dumps(merged_configuration(theirs, request.permissions)),
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_LOG_LEVEL": "INFO",
            "OPENCODE_PRINT_LOGS": "1",
        }

    def account_environment(self) -> Mapping[str, str]:
        """Variables by which the program uses the account's own folder and key.

        For a key of the account's own the stored logins are hidden, since they would outrank it.
        """
        hidden = {_STORED_LOGINS: "{}"} if self._account.key is not None else {}
        return {**super().account_environment(), **hidden}

    def reader(self) -> OpencodeReader:
        """A fresh reader for one run."""
        return OpencodeReader()


def merged_configuration(text: str, permissions: Permissions) -> JsonObject:
    """The configuration in `text` with what `permissions` takes on top.

    Raises:
        ValueError: `text` is no JSON.
    """
    theirs = _merged(as_object(json.loads(text)), _GO_ON_WHEN_DENIED)
    return _merged(theirs, _CONFIGURATIONS[permissions])


def _merged(below: JsonObject, above: JsonObject) -> JsonObject:
    merged = dict(below)
    for key, value in above.items():
        inner = isinstance(value, dict)
        merged[key] = _merged(as_object(below.get(key)), as_object(value)) if inner else value
    return merged
