"""Which keys can be stored, and under which name; what is refused never reaches the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from undaunted.errors import ConfigurationError
from undaunted.key_service import KEY_MAX_CHARS, KeyService
from undaunted.store.master_key import MasterKeySource

VARIABLES = {"claude": "ANTHROPIC_API_KEY", "opencode": ""}


class NoStore:
    """A store that nobody may use."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked for")


@pytest.fixture
def keys(tmp_path: Path) -> KeyService:
    """Keys for two agents, on a store that is not to be used."""
    source = MasterKeySource({}, config_folder=tmp_path / "config", data_folder=tmp_path)
    return KeyService(NoStore(), source, variables=VARIABLES)


@pytest.mark.parametrize(
    ("login", "named", "variable"),
    [
        ("claude", None, "ANTHROPIC_API_KEY"),
        ("claude/work", None, "ANTHROPIC_API_KEY"),
        ("claude/w-1_x", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_AUTH_TOKEN"),
        ("opencode", "OPENROUTER_API_KEY", "OPENROUTER_API_KEY"),
    ],
)
def test_the_variable_is_the_named_one_or_the_agents_own(
    keys: KeyService, login: str, named: str | None, variable: str
) -> None:
    """An agent with one variable for keys needs no name."""
    assert keys.variable(login, named) == variable


@pytest.mark.parametrize(
    ("login", "named", "says"),
    [
        ("clyde", None, "no agent 'clyde'; known are claude, opencode"),
        ("", None, "no agent ''"),
        ("claude/", None, "claude/work"),
        ("claude/a b", None, "letters, digits"),
        ("claude/../x", None, "letters, digits"),
        ("claude", "NO-NAME", "is no name of a variable"),
        ("claude", "A=B", "is no name of a variable"),
        ("opencode", None, "name the variable, for example --name"),
    ],
)
def test_a_wrong_name_is_told(keys: KeyService, login: str, named: str | None, says: str) -> None:
    """With the known ones, or with what would do."""
    with pytest.raises(ConfigurationError, match=says):
        keys.variable(login, named)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("x" * (KEY_MAX_CHARS + 1), "longer than 65536"),
        ("a\0b", "NUL"),
    ],
)
async def test_a_value_that_no_variable_can_hold_is_refused(
    keys: KeyService, value: str, says: str
) -> None:
    """Before the store or the master key is touched."""
    with pytest.raises(ConfigurationError, match=says):
        await keys.set("claude", value)
