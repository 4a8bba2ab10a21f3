"""Which of its ways of logging in Gemini CLI is led to."""

from __future__ import annotations

from pathlib import Path

import pytest

from undaunted.agents.account import Account
from undaunted.agents.credentials import Credential
from undaunted.agents.gemini_login import GeminiLogin, gemini_login, selected_type

GOOGLE = {"GOOGLE_GENAI_USE_GCA": "true"}


@pytest.fixture
def logged_in(tmp_path: Path) -> Path:
    """A home in which somebody has logged in with their Google account."""
    (tmp_path / ".gemini").mkdir()
    (tmp_path / ".gemini" / "oauth_creds.json").write_text("{}")
    return tmp_path


def login(
    home: Path, selected: str = "", account: Account | None = None, **env: str
) -> GeminiLogin:
    return gemini_login(selected, env=env, home=home, account=account or Account())


def test_a_key_alone(tmp_path: Path) -> None:
    """With a key and no login the key is used, and nothing is changed."""
    assert login(tmp_path, GEMINI_API_KEY="k") == GeminiLogin(Credential("key", "GEMINI_API_KEY"))


def test_nothing(tmp_path: Path) -> None:
    """Where there is nothing, nothing is made up."""
    assert login(tmp_path) == GeminiLogin(None)
    assert login(tmp_path, "oauth-personal") == GeminiLogin(None)
    assert login(tmp_path, "gemini-api-key") == GeminiLogin(None)


def test_a_key_does_not_replace_the_google_account(logged_in: Path) -> None:
    """Without a choice in the settings the login is asked for by its variable."""
    plan = Credential("subscription", ".gemini/oauth_creds.json", ("GEMINI_API_KEY",))
    assert login(logged_in, GEMINI_API_KEY="k") == GeminiLogin(plan, GOOGLE)
    assert login(logged_in, "oauth-personal", GEMINI_API_KEY="k") == GeminiLogin(plan)
    assert login(logged_in).variables == GOOGLE


def test_the_settings_choice_holds(logged_in: Path) -> None:
    """Who chose the key, or Vertex AI, in the program's settings gets it."""
    chosen = login(logged_in, "gemini-api-key", GEMINI_API_KEY="k")
    assert chosen == GeminiLogin(Credential("key", "GEMINI_API_KEY"))
    chosen = login(logged_in, "vertex-ai", GOOGLE_CLOUD_PROJECT="p", GEMINI_API_KEY="k")
    assert chosen == GeminiLogin(Credential("key", "GOOGLE_CLOUD_PROJECT"))


@pytest.mark.parametrize(
    ("env", "source"),
    [
        ({"GOOGLE_GENAI_USE_VERTEXAI": "true", "GOOGLE_API_KEY": "k"}, "GOOGLE_API_KEY"),
        ({"GOOGLE_GEMINI_BASE_URL": "u", "GEMINI_API_KEY": "k"}, "GEMINI_API_KEY"),
        ({"GOOGLE_GEMINI_BASE_URL": "u"}, "GOOGLE_GEMINI_BASE_URL"),
    ],
)
def test_the_variables_choice_holds(logged_in: Path, env: dict[str, str], source: str) -> None:
    """Who leads the program elsewhere by a variable has no Google login shown there."""
    assert login(logged_in, **env) == GeminiLogin(Credential("key", source))


@pytest.mark.parametrize("selected", ["", "oauth-personal"])
def test_the_accounts_key_is_used_whatever_was_selected(logged_in: Path, selected: str) -> None:
    """A key of the account's own, or one that it prefers, is selected in the settings."""
    own = login(logged_in, selected, Account(key="own"), GEMINI_API_KEY="k")
    assert own.selected_type == "gemini-api-key"
    assert own.credential == Credential("key", "the account's own key", ("GEMINI_API_KEY",))
    preferred = login(logged_in, selected, Account(prefer_key=True), GEMINI_API_KEY="k")
    assert preferred.selected_type == "gemini-api-key"
    assert preferred.credential == Credential("key", "GEMINI_API_KEY")


def test_a_key_for_vertex_ai(tmp_path: Path) -> None:
    """A key that goes into Vertex AI's variable selects Vertex AI."""
    account = Account(key="own", key_variable="GOOGLE_API_KEY")
    assert login(tmp_path, account=account).selected_type == "vertex-ai"


def test_a_key_that_the_program_keeps(tmp_path: Path) -> None:
    """A file in which the program may find a key is a login of its own."""
    (tmp_path / ".gemini").mkdir()
    (tmp_path / ".gemini" / ".env").write_text("GEMINI_API_KEY=k")
    kept = Credential("login", ".gemini/.env")
    assert login(tmp_path, "gemini-api-key") == GeminiLogin(kept)


@pytest.mark.parametrize(
    "settings", [{}, {"security": []}, {"security": {"auth": 7}}, {"security": {"auth": {}}}]
)
def test_settings_without_a_choice(settings: dict[str, object]) -> None:
    """Whatever stands in the settings, no choice is an empty one."""
    assert selected_type(settings) == ""
    assert selected_type({"security": {"auth": {"selectedType": "x"}}}) == "x"
