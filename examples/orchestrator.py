"""A prompt for whichever agent can take it, from Python.

It runs the agents that are installed and logged in, which may cost money:

    python examples/orchestrator.py 'What does this repository do?'
"""

# ruff: noqa: T201 - an example talks to whoever runs it

import asyncio
import sys

from undaunted import AgentUnavailableError, CLIOrchestrator, Task, TaskExecutionError


async def main(prompt: str) -> int:
    """Prints the first answer and returns 0; else says how each agent failed and returns 1."""
    task = Task(prompt=prompt, permissions="read")
    try:
        response = await CLIOrchestrator().execute_task(task, session_id="example")
    except TaskExecutionError as error:
        tried = not isinstance(error, AgentUnavailableError)
        print("all agents failed:" if tried else "no agent can take it now:", file=sys.stderr)
        for agent, reason in error.failures.items():
            print(f"  {agent}: {reason}", file=sys.stderr)
        if error.retry_after_s is not None:
            print(f"  come back in {error.retry_after_s:.0f} s", file=sys.stderr)
        return 1
    print(f"{response.agent} says:\n{response.content}")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(" ".join(sys.argv[1:]) or "Say hello.")))
