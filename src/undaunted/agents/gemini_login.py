"""Which of its ways of logging in Gemini CLI takes, and how it takes the one that it should.

The program goes by `security.auth.selectedType` in its settings; without one, by variables. A key
in the environment would then be billed although the person has logged in with their Google account:
so the login is asked for by its own variable. What the settings say is left as it is, unless the
account has a key of its own or prefers one.

Source: read in the program, 0.61.0, and recorded: `docs/agents/gemini.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from undaunted.agents.account import Account
from undaunted.agents.credentials import Credential
from undaunted.agents.reader import JsonObject, as_object, as_text

__all__ = ["GeminiLogin", "gemini_login", "selected_type"]

_KEY = "GEMINI_API_KEY"
_VERTEX_KEY = "GOOGLE_API_KEY"
_USE_GOOGLE_ACCOUNT = "GOOGLE_GENAI_USE_GCA"
_USE_VERTEX = "GOOGLE_GENAI_USE_VERTEXAI"
_ENDPOINT = "GOOGLE_GEMINI_BASE_URL"

_GOOGLE_ACCOUNT = "oauth-personal"
_LOGINS = (".gemini/oauth_creds.json", ".gemini/gemini-credentials.json")


@dataclass(frozen=True, slots=True)
class GeminiLogin:
    """How the program is to log in.

    Attributes:
        credential: What it logs in with; None where nothing was found.
        variables: Variables to set for that.
        selected_type: What to set as `security.auth.selectedType`; empty leaves the person's.
    """

    credential: Credential | None
    variables: Mapping[str, str] = field(default_factory=dict)
    selected_type: str = ""


def gemini_login(
    selected: str, *, env: Mapping[str, str], home: Path, account: Account
) -> GeminiLogin:
    """How the program is to log in.

    Args:
        selected: The `selectedType` of the person's settings; empty for none.
        env: The caller's environment.
        home: The folder that holds the program's `.gemini`.
        account: The account.
    """
    keys = tuple(name for name in (_KEY, _VERTEX_KEY) if env.get(name))
    own_folder = account.config_folder is not None and not account.prefer_key
    if own_folder:  # that is the account's login; the caller's keys are not
        env = {name: value for name, value in env.items() if name not in keys}
    if account.key is not None:
        way = "vertex-ai" if account.key_variable == _VERTEX_KEY else "gemini-api-key"
        own = Credential("key", "the account's own key", keys)
        return GeminiLogin(own, selected_type=way)
    if account.prefer_key and _KEY in keys:
        return GeminiLogin(Credential("key", _KEY), selected_type="gemini-api-key")
    there = [name for name in _LOGINS if (home / name).is_file()]
    way = selected or _type_by_variables(env)
    if way == _GOOGLE_ACCOUNT or (there and not selected and way in {"", "gemini-api-key"}):
        plan = Credential("subscription", there[0], keys) if there else None
        return GeminiLogin(plan, {} if way == _GOOGLE_ACCOUNT else {_USE_GOOGLE_ACCOUNT: "true"})
    found = _credential(way, env, home)
    return GeminiLogin(replace(found, withheld=keys) if found and own_folder else found)


def selected_type(settings: JsonObject) -> str:
    """The way of logging in that `settings` ask for; empty for none."""
    security = as_object(settings.get("security"))
    return as_text(as_object(security.get("auth")).get("selectedType"))


def _type_by_variables(env: Mapping[str, str]) -> str:
    """The program's own order, where its settings say nothing."""
    if env.get(_USE_GOOGLE_ACCOUNT) == "true":
        return _GOOGLE_ACCOUNT
    if env.get(_USE_VERTEX) == "true":
        return "vertex-ai"
    if env.get(_ENDPOINT):
        return "gateway"
    return "gemini-api-key" if env.get(_KEY) else ""


def _credential(way: str, env: Mapping[str, str], home: Path) -> Credential | None:
    variables = (
        (_VERTEX_KEY, "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT")
        if way == "vertex-ai"
        else (_KEY, _ENDPOINT)
    )
    named = next((name for name in variables if env.get(name)), None)
    if named is not None:
        return Credential("key", named)
    kept = next((name for name in (".gemini/.env", *_LOGINS) if (home / name).is_file()), None)
    return Credential("login", kept) if kept else None
