"""Takes in all that a flooding agent prints, and says how much memory that took, for the tests.

`flooded_reader.py FOLDER MIB LINES`: the agent prints MIB of JSON lines like Claude Code's, or of
plain text without a line's end, and then its result. One JSON object is printed: `answer`,
`seen_mib`, `kept_mib` (of the transcript), `grown_mib`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from undaunted.agents.agent import AgentRequest
from undaunted.agents.claude import ClaudeAgent
from undaunted.agents.cli_agent import CliContext
from undaunted.agents.process import GuardedRunner
from undaunted.redaction import Redactor
from undaunted.transcripts import TranscriptRecorder

MIB = 1024 * 1024

FLOOD = """
import json, os, sys
mib, lines = int(sys.argv[1]), sys.argv[2] == "json"
line = json.dumps({"type": "user", "session_id": "s", "message": {"role": "user",
    "content": [{"type": "tool_result", "content": "def name(value): return None\\n" * 130}]}})
block = (line.encode() + b"\\n") * (2**20 // (len(line) + 1)) if lines else b"x" * 2**20
out = sys.stdout.buffer
printed = 0
while printed < mib * 2**20:
    printed += out.write(block)
result = {"type": "result", "subtype": "success", "is_error": False, "result": "Done."}
out.write(b"\\n" + json.dumps(result).encode() + b"\\n")
"""


class Store:
    """Counts what it would keep."""

    kept_bytes = 0

    async def append_transcript(
        self,
        task_id: str,
        number: int,
        chunks: list[tuple[Literal["stdout", "stderr"], bytes]],
        *,
        max_bytes: int,
    ) -> int:
        taken = sum(len(data) for _, data in chunks)
        self.kept_bytes += taken
        return taken


def memory_mib(field: str) -> float:
    """VmRSS or VmHWM, its peak. (A peak of `getrusage` would be inherited from our parent's.)"""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(row.split()[1]) / 1024 for row in status if row.startswith(f"{field}:"))


async def take_in(folder: str, mib: str, lines: str) -> dict[str, object]:
    runner = GuardedRunner()
    context = CliContext(
        env={"PATH": os.environ["PATH"], "HOME": folder},
        data_folder=Path(folder),
        run_process=runner,
        now=lambda: datetime.now(UTC),
    )
    agent = ClaudeAgent(context, program=(sys.executable, "-I", "-S", "-c", FLOOD, mib, lines))
    request = AgentRequest(
        prompt="go",
        cwd=folder,
        permissions="read",
        model=None,
        extra_args=(),
        env_names=(),
        agent_session_id="",
        token="flood",
        timeout_s=600,
        idle_timeout_s=600,
    )
    store = Store()
    seen_bytes = 0
    before = memory_mib("VmRSS")
    async with TranscriptRecorder(store, "task", redactor=Redactor(["a-secret-of-ours"])) as kept:
        keep = kept.attempt(1)

        def sink(stream: Literal["stdout", "stderr"], chunk: bytes) -> None:
            nonlocal seen_bytes
            seen_bytes += len(chunk)
            keep(stream, chunk)

        result = await agent.run(request, sink=sink, notify=lambda _: None)
    await runner.aclose()
    return {
        "answer": result.content,
        "seen_mib": seen_bytes / MIB,
        "kept_mib": store.kept_bytes / MIB,
        "grown_mib": memory_mib("VmHWM") - before,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(take_in(*sys.argv[1:]))))  # noqa: T201 (the test reads it)
