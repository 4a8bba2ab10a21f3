"""A home in which a real agent talks to the rehearsal's model API, and to nobody else.

Source: what claude 2.1.197, gemini 0.61.0, copilot 1.0.102, codex 0.169.0 and opencode 1.18.33 were
seen to read and to connect to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from undaunted.errors import ConfigurationError

__all__ = ["AGENTS_WITH_HOMES", "rehearsal_model", "throwaway_home"]

# Nothing listens on the discard port: what would leave this machine through a proxy fails there.
_DEAD_END = "http://127.0.0.1:9"

_KEY = "none"

# The rehearsal answers to any name; Codex warns of one that it has no metadata for.
_MODEL = "rehearsal-model"
_CODEX_MODEL = "gpt-5.5"


@dataclass(frozen=True, slots=True)
class _Home:
    """What makes a home: the variables that lead to the API, and the files in it by their path."""

    variables: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)


def _claude(url: str, _: Path) -> _Home:
    return _Home(
        variables={
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": f"sk-ant-{_KEY}",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "DISABLE_TELEMETRY": "1",
        }
    )


def _gemini(url: str, _: Path) -> _Home:
    settings = {
        # The one way of logging in with which it asks the address in its environment.
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
        "general": {"enableAutoUpdate": False},
    }
    return _Home(
        files={".gemini/settings.json": json.dumps(settings)},
        variables={
            "GOOGLE_GEMINI_BASE_URL": url,
            "GEMINI_API_KEY": _KEY,
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
        },
    )


def _copilot(url: str, cache: Path) -> _Home:
    return _Home(
        variables={
            "COPILOT_PROVIDER_BASE_URL": f"{url}/v1",
            "COPILOT_PROVIDER_API_KEY": _KEY,
            "COPILOT_MODEL": _MODEL,
            "COPILOT_OFFLINE": "true",
            "COPILOT_AUTO_UPDATE": "false",
            # It unpacks beside the place and renames, so that many may start at once.
            "COPILOT_PKG_CACHE_HOME": str(cache),
        }
    )


def _codex(url: str, _: Path) -> _Home:
    config = f"""\
model = "{_CODEX_MODEL}"
model_provider = "rehearsal"
check_for_update_on_startup = false

[model_providers.rehearsal]
name = "rehearsal"
base_url = "{url}/v1"
env_key = "CODEX_API_KEY"
wire_api = "responses"
supports_websockets = false

[analytics]
enabled = false

# Both come from github.com and chatgpt.com.
[features]
apps = false
plugins = false
"""
    return _Home(files={".codex/config.toml": config}, variables={"CODEX_API_KEY": _KEY})


def _opencode(url: str, _: Path) -> _Home:
    model = f"rehearsal/{_MODEL}"
    config = {
        "provider": {
            "rehearsal": {
                "npm": "@ai-sdk/openai-compatible",
                "name": "rehearsal",
                "options": {"baseURL": f"{url}/v1", "apiKey": _KEY},
                "models": {_MODEL: {"name": _MODEL}},
            }
        },
        "enabled_providers": ["rehearsal"],
        "model": model,
        "small_model": model,  # it names the session
        "share": "disabled",
    }
    # It installs the package for writing plugins into its configuration folder, from the network,
    # unless the lock there says that this was done.
    lock = {"packages": {"": {"dependencies": {"@opencode-ai/plugin": "*"}}}}
    folder = ".config/opencode"
    return _Home(
        files={
            f"{folder}/opencode.json": json.dumps(config),
            f"{folder}/package-lock.json": json.dumps(lock),
            f"{folder}/node_modules/.package-lock.json": "{}",
        },
        variables={
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
        },
    )


_HOMES: Mapping[str, Callable[[str, Path], _Home]] = {
    "claude": _claude,
    "gemini": _gemini,
    "copilot": _copilot,
    "codex": _codex,
    "opencode": _opencode,
}

AGENTS_WITH_HOMES = tuple(_HOMES)
"""The agents that a home can be made for."""


def throwaway_home(
    agent: str, url: str, home: Path, *, cache: Path | None = None
) -> Mapping[str, str]:
    """Furnishes `home` and returns the variables that make the agent live there.

    Beside them the program needs PATH, and nothing else of the caller's: the caller's environment
    may hold keys and addresses that would lead elsewhere. With these every one of the programs was
    seen to connect to the API's address and to no other, by its system calls.

    Args:
        agent: One of `AGENTS_WITH_HOMES`.
        url: The rehearsal API's, without a slash at its end.
        home: A folder, made where it is missing; for Gemini CLI one that nobody else may write to.
        cache: Where programs that unpack themselves do so; None for a folder inside `home`. Many
            homes may share one: Copilot CLI puts 235 MB there, the first time.

    Raises:
        ConfigurationError: No such agent is known here.
    """
    make = _HOMES.get(agent)
    if make is None:
        raise ConfigurationError(
            f"no throw-away home for {agent!r}; there is one for {', '.join(_HOMES)}"
        )
    made = make(url, cache or home / ".cache")
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in made.files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "XDG_STATE_HOME": str(home / ".local" / "state"),
        "HTTP_PROXY": _DEAD_END,
        "HTTPS_PROXY": _DEAD_END,
        "NO_PROXY": urlsplit(url).hostname or "",
        **made.variables,
    }


def rehearsal_model(agent: str) -> str | None:
    """The model that the agent must be asked for by name, or None if its home names one.

    Without a name Gemini CLI asks another model first which one to use.
    """
    return "gemini-2.5-flash" if agent == "gemini" else None
