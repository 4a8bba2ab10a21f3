"""The person's own command lines on the rehearsal's model APIs: `undaunted rehearse`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from undaunted.agents.agent import Agent
from undaunted.agents.cli_agent import CliContext
from undaunted.rehearsal.faults import Fault
from undaunted.rehearsal.homes import throwaway_home
from undaunted.rehearsal.server import RehearsalServer

__all__ = ["rehearsing"]

# Beside what a throw-away home says; everything else of the caller's may lead to a real model.
_KEPT = ("LANG", "LC_ALL", "LC_CTYPE", "PATH", "TERM", "TZ", "UNDAUNTED_DEPTH", "USER")


@asynccontextmanager
async def rehearsing(
    names: Sequence[str],
    faults: Mapping[str, Fault],
    *,
    context: CliContext,
    make_agent: Callable[[str, CliContext], Agent],
    homes: Path,
    cache: Path,
) -> AsyncGenerator[tuple[Agent, ...]]:
    """The agents `names`, each in a home of its own and with a model API of its own that fails.

    Args:
        names: The agents, in order.
        faults: What goes wrong with an agent's model; nothing with those that are not named.
        context: The world; its environment is replaced.
        make_agent: Makes the agent of a name in a world.
        homes: An empty folder for the homes, which nobody else may write to.
        cache: Where programs unpack themselves; may be kept.

    Raises:
        ConfigurationError: There is no throw-away home for one of them.
        MissingExtraError: The model API needs what is not installed.
    """
    kept = {name: context.env[name] for name in _KEPT if name in context.env}
    async with AsyncExitStack() as stack:
        agents = []
        for name in names:
            answer = f"This is {name}, rehearsing: the program was real, its model was not."
            fault = faults.get(name, Fault())
            api = await stack.enter_async_context(RehearsalServer(fault=fault, answer=answer))
            home = throwaway_home(name, api.url, homes / name, cache=cache)
            agents.append(make_agent(name, replace(context, env={**kept, **home}, pass_names=())))
        yield tuple(agents)
