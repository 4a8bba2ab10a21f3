"""`undaunted.roster`: which logins the settings and the stored keys make, and in what order."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent_requests import REQUEST
from undaunted.agents.agent import Agent
from undaunted.agents.cli_agent import CliAgent, CliContext
from undaunted.agents.process import run_process
from undaunted.config import AccountSettings, AgentSettings, Settings
from undaunted.descriptions import Description
from undaunted.roster import Keys, key_variables, logins, readers
from undaunted.tasks import AgentName

PLAN = {"CLAUDE_CODE_OAUTH_TOKEN": "plan-token"}


def agents(tmp_path: Path, settings: Settings, keys: Keys | None = None, **env: str) -> list[Agent]:
    context = CliContext(
        env={"HOME": str(tmp_path), "PATH": os.defpath, **env},
        data_folder=tmp_path,
        run_process=run_process,
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )
    return list(logins(settings, context, keys or Keys()))


def claudes(found: list[Agent]) -> list[str]:
    return [agent.key for agent in found if agent.name == "claude"]


def variables(agent: Agent) -> dict[str, str]:
    assert isinstance(agent, CliAgent)
    return dict(agent.account_environment())


def test_every_agent_has_a_login(tmp_path: Path) -> None:
    """Without accounts each agent has the one that it has by itself, the order's agents first."""
    found = agents(tmp_path, Settings(order=("codex",)))
    assert found[0].key == "codex"
    assert {agent.key for agent in found} == {*AgentName}


def test_accounts_take_the_place_of_the_usual_login(tmp_path: Path) -> None:
    """Once accounts are written they are all there are, in the order in which they are written."""
    written = {"claude": {"b": AccountSettings(), "a": AccountSettings()}}
    assert claudes(agents(tmp_path, Settings(accounts=written))) == ["claude/b", "claude/a"]


def test_a_plan_comes_before_a_key(tmp_path: Path) -> None:
    """An account with a paid key stands behind those with a subscription, unless it says else."""
    (tmp_path / "plan").mkdir()
    login = '{"claudeAiOauth": {"accessToken": "x"}}'
    (tmp_path / "plan" / ".credentials.json").write_text(login)
    paid = AccountSettings(key_from="SPARE")
    plan = AccountSettings(config_folder=tmp_path / "plan")
    settings = Settings(accounts={"claude": {"paid": paid, "plan": plan}})
    assert claudes(agents(tmp_path, settings, SPARE="k")) == ["claude/plan", "claude/paid"]
    preferred = paid.model_copy(update={"prefer_key": True})
    settings = Settings(accounts={"claude": {"paid": preferred, "plan": plan}})
    assert claudes(agents(tmp_path, settings, SPARE="k")) == ["claude/paid", "claude/plan"]


def test_what_an_account_hands_over(tmp_path: Path) -> None:
    """A folder and a key of an account reach the program in its own variables."""
    folder = AccountSettings(config_folder=tmp_path)
    settings = Settings(
        accounts={"claude": {"f": folder, "k": AccountSettings(key_from="SPARE")}},
    )
    found = {agent.key: agent for agent in agents(tmp_path, settings, SPARE="a-key")}
    assert variables(found["claude/f"]) == {"CLAUDE_CONFIG_DIR": str(tmp_path)}
    assert variables(found["claude/k"]) == {"ANTHROPIC_API_KEY": "a-key"}


def test_a_variable_that_is_not_set(tmp_path: Path) -> None:
    """An account without its key is out of order and says why; it does not use another login."""
    settings = Settings(accounts={"claude": {"k": AccountSettings(key_from="SPARE")}})
    found = agents(tmp_path, settings, **PLAN)
    availability = next(agent for agent in found if agent.name == "claude").availability()
    assert (availability.usable, availability.kind) == (False, "misconfigured")
    assert availability.reason == "account k: SPARE is not set in your environment"


def test_stored_keys_make_accounts(tmp_path: Path) -> None:
    """A stored key makes its account, in its own variable, and outranks the settings' variable."""
    keys = Keys({("claude", "spare"): ("ANTHROPIC_AUTH_TOKEN", "stored")})
    found = agents(tmp_path, Settings(), keys)
    assert claudes(found) == ["claude", "claude/spare"]
    spare = next(agent for agent in found if agent.key == "claude/spare")
    assert variables(spare) == {"ANTHROPIC_AUTH_TOKEN": "stored"}
    written = {"claude": {"spare": AccountSettings(key_from="SPARE")}}
    found = agents(tmp_path, Settings(accounts=written), keys, SPARE="other")
    assert variables(found[0]) == {"ANTHROPIC_AUTH_TOKEN": "stored"}


def test_a_stored_key_that_cannot_be_read(tmp_path: Path) -> None:
    """Without the master key only the logins with a stored key are out of order."""
    keys = Keys(unreadable={("claude", "default"): "no master key"})
    found = {agent.key: agent for agent in agents(tmp_path, Settings(), keys, **PLAN)}
    assert found["claude"].availability().reason == "account default: no master key"
    assert "no master key" not in found["gemini"].availability().reason
    assert "stored" not in repr(Keys({("a", "b"): ("V", "stored")}))


def test_another_user_that_there_is_not(tmp_path: Path) -> None:
    """An agent that is to run as nobody's user is out of order and says why."""
    settings = Settings(agents={"claude": AgentSettings(run_as="no-such-user")})
    reason = agents(tmp_path, settings)[0].availability().reason
    assert "'no-such-user' (run_as) does not exist" in reason


@pytest.mark.parametrize("name", ["mine", *AgentName])
def test_known_by_name(name: str) -> None:
    """Described agents and the five have a reader, and a word on their key's variable."""
    said = {"command": ["x"], "key_variable": "K", "permissions": {"read": []}}
    settings = Settings(described={"mine": Description.model_validate(said)})
    assert readers(settings)[name]() is not None
    assert name in key_variables(settings)


def environment(agent: Agent) -> dict[str, str]:
    assert isinstance(agent, CliAgent)
    return agent._environment(REQUEST, Path("attempt"))


@pytest.mark.parametrize("name", ["claude", "gemini", "copilot", "codex", "opencode"])
def test_a_folder_of_its_own_gets_no_foreign_key(tmp_path: Path, name: str) -> None:
    """An account in whose folder no login is seen is not run with the caller's key."""
    written = {name: {"work": AccountSettings(config_folder=tmp_path / "work")}}
    variables = ("ANTHROPIC_API_KEY", "GEMINI_API_KEY", "COPILOT_GITHUB_TOKEN", "CODEX_API_KEY")
    env = dict.fromkeys((*variables, "OPENCODE_API_KEY"), "the-callers-key")
    found = agents(tmp_path, Settings(accounts=written), None, **env)
    (work,) = (agent for agent in found if agent.key == f"{name}/work")
    assert "the-callers-key" not in environment(work).values()


def test_a_key_reaches_its_own_account_only(tmp_path: Path) -> None:
    """A variable named by `key_from` is not passed on because it begins like the agent's own."""
    written = {
        name: AccountSettings(key_from=f"ANTHROPIC_API_KEY_{name.upper()}")
        for name in ("home", "work")
    }
    values = {"ANTHROPIC_API_KEY_HOME": "key-of-home", "ANTHROPIC_API_KEY_WORK": "key-of-work"}
    context = CliContext(
        env={"HOME": str(tmp_path), **values},
        data_folder=tmp_path,
        run_process=run_process,
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        key_names=frozenset(values),
    )
    found = logins(Settings(accounts={"claude": written}), context, Keys())
    seen = {a.account: environment(a) for a in found if a.name == "claude"}
    assert {n: e["ANTHROPIC_API_KEY"] for n, e in seen.items()} == {
        "home": "key-of-home",
        "work": "key-of-work",
    }
    assert "key-of-work" not in seen["home"].values()
    assert "key-of-home" not in seen["work"].values()


def test_an_accounts_key_outranks_the_descriptions_environment(tmp_path: Path) -> None:
    """What a description sets for every login gives way to the login's own key and folder."""
    description = Description.model_validate(
        {
            "command": ["agent"],
            "output": "text",
            "permissions": {"edit": []},
            "key_variable": "MY_KEY",
            "config_variable": "MY_HOME",
            "environment": {"MY_KEY": "everybodys", "MY_HOME": "/everybodys"},
        }
    )
    written = {"my": {"work": AccountSettings(key_from="WORK", config_folder=tmp_path)}}
    settings = Settings(described={"my": description}, accounts=written)
    (work,) = (a for a in agents(tmp_path, settings, WORK="own") if a.name == "my")
    assert isinstance(work, CliAgent)
    assert (environment(work)["MY_KEY"], environment(work)["MY_HOME"]) == ("own", str(tmp_path))
    assert work.secrets() == ("own",)
