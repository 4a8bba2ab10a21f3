"""The three simulated agents of `run --rehearsal`: one limited, one crashing, one well."""

from __future__ import annotations

from undaunted.agents.cli_agent import CliContext
from undaunted.agents.simulated import SimulatedAgent
from undaunted.agents.simulated_script import Answer, Crash, Fail, Say, Script, Sleep
from undaunted.failures import FailureKind

__all__ = ["rehearsal_agents"]

# Longer than a retry waits for (60 s), so that the task moves on; short enough that a rehearsal
# some minutes later shows it again.
_RATE_LIMIT_S = 120.0

_LIMITED: Script = (
    Sleep(0.2),
    Fail(
        FailureKind.RATE_LIMITED,
        "Rate limit reached. Try again in 2 minutes.",
        retry_after_s=_RATE_LIMIT_S,
    ),
)

_CRASHING: Script = (
    Say("Let me have a look. "),
    Sleep(0.2),
    Crash("the simulated agent lost its footing"),
)

_WELL: Script = (
    Say("Reading the task. "),
    Sleep(0.3),
    Say("Thinking about it. "),
    Sleep(0.3),
    Say("Writing the answer. "),
    Sleep(0.3),
    Answer(
        "You asked: “{prompt_start}”. This is a rehearsal: no model was asked and nothing was "
        "changed, but everything between the question and this answer was real.",
        input_tokens=120,
        output_tokens=36,
    ),
)


def rehearsal_agents(context: CliContext) -> tuple[SimulatedAgent, ...]:
    """Returns the agents in the order in which they are tried.

    `sim-limited` is rate limited for two minutes, so the task moves on at once; `sim-crashing`
    crashes, is retried once and left; `sim-well` answers in about a second.

    Args:
        context: What the world gives to them.
    """
    return (
        SimulatedAgent("sim-limited", context, _LIMITED),
        SimulatedAgent("sim-crashing", context, _CRASHING),
        SimulatedAgent("sim-well", context, _WELL),
    )
