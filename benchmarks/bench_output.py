"""How fast an agent's output is taken in, against a loop that only `json.loads` each line.

The whole way of real output: a process prints events as Claude Code does, its pipe is read, head
and tail are kept, the transcript is redacted and kept, lines are cut and understood. Both ways read
the same lines, in turn, in CPU time of the thread, so that other processes of the machine don't
count; the loop has its lines in memory already. The way fails below 60 % of the loop's rate.

Run: python benchmarks/bench_output.py
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Literal

from undaunted.agents.agent import AgentRequest
from undaunted.agents.claude import ClaudeAgent
from undaunted.agents.cli_agent import CliContext
from undaunted.agents.process import run_process
from undaunted.redaction import Redactor
from undaunted.resilience.clock import SystemClock
from undaunted.transcripts import TranscriptRecorder

MIB = 1024 * 1024
SIZE_MIB = 96
ROUNDS = 5
BOUND = 0.60

PRINT = """
import os, sys
block = open(sys.argv[1], "rb").read()
for _ in range(int(sys.argv[2])): sys.stdout.buffer.write(block)
sys.stdout.buffer.write(open(sys.argv[3], "rb").read())
"""


def events() -> list[dict[str, object]]:
    """A turn of an agent at work: deltas, a message, a tool's result of some size."""
    session = {"session_id": "12345678-1234-4234-a234-123456789abc", "uuid": "u" * 36}
    text = 'The test fails because "parse" returns None for an empty line.\n' * 8
    source = "".join(f"{n:6}\tdef name_{n}(value: int) -> int:\n" for n in range(60))
    deltas: list[dict[str, object]] = [
        {
            "type": "stream_event",
            "event": {"type": "content_block_delta", "index": 0, "delta": {"text": word}},
            **session,
        }
        for word in text.split()[:24]
    ]
    content = [
        {"type": "text", "text": text},
        {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"file_path": "/a/b.py"}},
    ]
    usage = {"input_tokens": 4000, "output_tokens": 150, "cache_read_input_tokens": 3000}
    message = {"role": "assistant", "model": "claude", "content": content, "usage": usage}
    result = {"role": "user", "content": [{"type": "tool_result", "content": source}]}
    return [
        *deltas,
        {"type": "assistant", "message": message, "parent_tool_use_id": None, **session},
        {"type": "user", "message": result, "parent_tool_use_id": None, **session},
    ]


END = {"type": "result", "subtype": "success", "is_error": False, "result": "Done.", "usage": {}}


class Nowhere:
    """Takes transcripts without a database: what it would keep is a hundredth of them."""

    async def append_transcript(
        self,
        task_id: str,  # noqa: ARG002 - the store's signature
        number: int,  # noqa: ARG002
        chunks: list[tuple[Literal["stdout", "stderr"], bytes]],
        *,
        max_bytes: int,  # noqa: ARG002
    ) -> int:
        return sum(len(data) for _, data in chunks)


async def whole_way_s(folder: Path, blocks: int) -> tuple[float, float]:
    """(CPU, real) seconds for everything that the agent prints."""
    program = (
        *(sys.executable, "-I", "-S", "-c", PRINT, str(folder / "block")),
        *(str(blocks), str(folder / "end")),
    )
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "ANTHROPIC_API_KEY": "sk-ant-" + "x" * 40}
    context = CliContext(
        env=env, data_folder=folder, run_process=run_process, now=SystemClock().now
    )
    agent = ClaudeAgent(context, program=program)
    request = AgentRequest(
        prompt="go", cwd=str(folder), permissions="read", model=None, extra_args=(), env_names=(),
        agent_session_id="", timeout_s=600, idle_timeout_s=600,
        token="benchmark",  # noqa: S106 - the attempt's mark
    )  # fmt: skip
    redactor = Redactor([env["ANTHROPIC_API_KEY"]])
    began = time.perf_counter()
    cpu = time.thread_time()
    async with TranscriptRecorder(Nowhere(), "task", redactor=redactor) as transcripts:
        result = await agent.run(request, sink=transcripts.attempt(1), notify=lambda _: None)
    assert result.content == "Done.", result
    return time.thread_time() - cpu, time.perf_counter() - began


def loop_s(lines: list[bytes], blocks: int) -> float:
    """CPU seconds for decoding the same lines."""
    cpu = time.thread_time()
    for _ in range(blocks):
        for line in lines:
            json.loads(line)
    return time.thread_time() - cpu


def main() -> int:
    """Prints the rounds and their median; fails if the median is under the bound."""
    lines = [json.dumps(event).encode() for event in events()] * 16
    block = b"".join(line + b"\n" for line in lines)
    blocks = SIZE_MIB * MIB // len(block)
    size_mib = blocks * len(block) / MIB
    print(f"{size_mib:.0f} MiB, {blocks * len(lines)} lines of {len(block) // len(lines)} bytes")
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "block").write_bytes(block)
        (folder / "end").write_bytes(json.dumps(END).encode() + b"\n")
        for _ in range(ROUNDS):
            gc.collect()
            loop = loop_s(lines, blocks)
            whole, real = asyncio.run(whole_way_s(folder, blocks))
            ratios.append(loop / whole)
            print(
                f"json.loads alone {size_mib / loop:5.0f} MiB/s, whole way {size_mib / whole:5.0f}"
                f" MiB/s of CPU, {size_mib / real:5.0f} MiB/s of time: {ratios[-1]:.0%}"
            )
    print(f"output is taken in at {median(ratios):.0%} of json.loads alone (median of {ROUNDS})")
    return 0 if median(ratios) >= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
