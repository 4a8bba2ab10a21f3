"""An undaunted-like program for the tests: runs commands with a `GuardedRunner` until it is killed.

`guarded_parent.py '{"cgroups": ..., "fork": ..., "scripts": [...]}'`: each script is run by `sh`,
the first at once, every further one at a line on stdin. What they print is told as JSON lines with
the guard's pid. At the end of stdin it ends in an orderly way.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from uuid import uuid4

from undaunted.agents.cgroup import find_cgroups
from undaunted.agents.environment import ATTEMPT_VARIABLE
from undaunted.agents.process import GuardedRunner, ProcessSpec


async def run(runner: GuardedRunner, script: str) -> None:
    spec = ProcessSpec(
        argv=("sh", "-c", script),
        env={"PATH": os.environ["PATH"], ATTEMPT_VARIABLE: uuid4().hex},
        cwd="/",
        stdin=b"the prompt\n",
        timeout_s=600,
        idle_timeout_s=600,
        grace_s=0.5,
        scratch=os.environ.get("SCRATCH"),
    )

    def tell(line: bytes) -> None:
        said = {"line": line.decode(), "guard": runner.guard_pid}
        print(json.dumps(said), flush=True)  # noqa: T201 (the test reads it)

    await runner(spec, on_stdout_line=tell)


async def main(scripts: list[str], *, cgroups: bool, fork: bool) -> None:
    runner = GuardedRunner(cgroups=find_cgroups(os.environ) if cgroups else None)
    runs = []
    for script in scripts:
        runs.append(asyncio.create_task(run(runner, script)))
        await asyncio.to_thread(sys.stdin.readline)
        if fork and os.fork() == 0:
            signal.pause()  # a copy of this process, with all of its files open
    for task in runs:
        task.cancel()
    await asyncio.wait(runs)
    await runner.aclose()


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    asyncio.run(main(wanted["scripts"], cgroups=wanted["cgroups"], fork=wanted["fork"]))
