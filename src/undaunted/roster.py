"""The agents by name: which class each is, and the logins that settings and stored keys make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from undaunted.agents.account import Account
from undaunted.agents.agent import Agent
from undaunted.agents.claude import ClaudeAgent
from undaunted.agents.claude_output import ClaudeReader
from undaunted.agents.cli_agent import CliAgent, CliContext
from undaunted.agents.codex import CodexAgent
from undaunted.agents.codex_output import CodexReader
from undaunted.agents.copilot import CopilotAgent
from undaunted.agents.copilot_output import CopilotReader
from undaunted.agents.described import DescribedAgent
from undaunted.agents.described_output import DescribedReader
from undaunted.agents.gemini import GeminiAgent
from undaunted.agents.gemini_output import GeminiReader
from undaunted.agents.opencode import OpencodeAgent
from undaunted.agents.opencode_output import OpencodeReader
from undaunted.agents.reader import OutputReader
from undaunted.agents.run_as import user_account
from undaunted.agents.simulated import SimulatedReader
from undaunted.agents.spawn_error import SpawnError
from undaunted.config import AccountSettings, AgentSettings, Settings
from undaunted.tasks import DEFAULT_ACCOUNT, split_key

__all__ = ["Keys", "agent_of", "key_variables", "logins", "readers"]

_AGENTS: Mapping[str, type[CliAgent]] = {
    "claude": ClaudeAgent,
    "gemini": GeminiAgent,
    "copilot": CopilotAgent,
    "codex": CodexAgent,
    "opencode": OpencodeAgent,
}
_READERS: Mapping[str, Callable[[], OutputReader]] = {
    "claude": ClaudeReader,
    "gemini": GeminiReader,
    "copilot": CopilotReader,
    "codex": CodexReader,
    "opencode": OpencodeReader,
    "simulated": SimulatedReader,
}


@dataclass(frozen=True, slots=True)
class Keys:
    """The stored keys, as far as they can be read.

    Attributes:
        values: (variable, key) by (agent, account).
        unreadable: Why a stored key can't be read, by (agent, account).
    """

    values: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict, repr=False)
    unreadable: Mapping[tuple[str, str], str] = field(default_factory=dict)


def readers(settings: Settings | None = None) -> Mapping[str, Callable[[], OutputReader]]:
    """How each agent's output is read, by the agent's name."""
    described = settings.described if settings else {}
    return {
        **_READERS,
        **{name: partial(DescribedReader, description=d) for name, d in described.items()},
    }


def key_variables(settings: Settings) -> Mapping[str, str]:
    """The variable in which each agent's program expects a key; empty where it has none."""
    described = {name: d.key_variable or "" for name, d in settings.described.items()}
    return {**{name: agent.key_variable for name, agent in _AGENTS.items()}, **described}


def logins(settings: Settings, context: CliContext, keys: Keys) -> Iterator[Agent]:
    """Every login of every agent: in the settings' order, an agent's plans before its keys."""
    ordered = (split_key(key)[0] for key in settings.order)
    for name in dict.fromkeys((*ordered, *settings.agent_names)):
        written = settings.accounts.get(name, {})
        stored = [a for n, a in (*keys.values, *keys.unreadable) if n == name]
        names = dict.fromkeys((*(written or (DEFAULT_ACCOUNT,)), *stored))
        found = [
            agent_of(name, settings, context, _account(name, account, settings, context, keys))
            for account in names
        ]
        # A plan is paid for already; a key costs money. The sort keeps the written order otherwise.
        yield from sorted(found, key=lambda agent: _is_paid(agent, written))


def agent_of(name: str, settings: Settings, context: CliContext, account: Account) -> Agent:
    """The agent `name` with one of its logins.

    Raises:
        KeyError: There is no such agent.
    """
    own = settings.agents.get(name, AgentSettings())
    if own.run_as is not None:
        try:
            folder = _AGENTS[name].config_variable if name in _AGENTS else ""
            context = context.as_user(user_account(own.run_as), without=folder)
        except SpawnError as error:
            account = replace(account, problem=str(error))
    if name in settings.described:
        return DescribedAgent(
            name,
            settings.described[name],
            context,
            program=own.command,
            extra_args=own.args,
            account=account,
        )
    return _AGENTS[name](context, program=own.command, extra_args=own.args, account=account)


def _is_paid(agent: Agent, written: Mapping[str, AccountSettings]) -> bool:
    credential = agent.credential()
    prefers_key = written.get(agent.account, AccountSettings()).prefer_key
    return credential is not None and credential.kind == "key" and not prefers_key


def _account(agent: str, name: str, settings: Settings, context: CliContext, keys: Keys) -> Account:
    """The login: its stored key first, then the variable that the settings name."""
    written = settings.accounts.get(agent, {}).get(name, AccountSettings())
    variable, key = keys.values.get((agent, name), ("", ""))
    problem = keys.unreadable.get((agent, name), "")
    if not (key or problem) and written.key_from:
        key = context.env.get(written.key_from, "")
        problem = "" if key else f"{written.key_from} is not set in your environment"
    return Account(
        name=name,
        config_folder=written.config_folder,
        key=key or None,
        key_variable=variable,
        prefer_key=written.prefer_key,
        problem=problem,
    )
