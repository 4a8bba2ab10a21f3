"""The program that a simulated agent runs: reads a prompt, plays a script, prints JSON lines.

    python -I -S simulated_child.py SCRIPT [--permissions P] [--session-id ID] [--model NAME]

It is started as a file, without site-packages, and imports nothing of undaunted: a rehearsal of
hundreds of runs should spend its time on runs (a start takes about 20 ms).

Its output, one JSON object a line:

    {"type": "session", "session_id": ..., "model": ...}      first
    {"type": "text", "text": ...}                             a piece of the answer
    {"type": "tool", "tool": ..., "detail": ...}              a tool was used
    {"type": "denied", "tool": ..., "detail": ...}            a tool was not allowed
    {"type": "retry", "attempt": n, "max_retries": n, "error": ...}
    {"type": "result", "status": "ok", "text": ..., "usage": {...}, "cost_usd": ...}      last, or
    {"type": "result", "status": "error", "error": {"kind": ..., "message": ..., ...}}
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from itertools import pairwise

_PROMPT_START_CHARS = 60


class _Player:
    """Plays a script's steps: one method per step, named by its verb.

    Args:
        prompt: What stands on stdin.
        options: `--permissions`, `--session-id`, `--model`.
    """

    def __init__(self, prompt: str, options: dict[str, str]) -> None:
        self._prompt = prompt
        self._permissions = options.get("--permissions", "read")
        self._print(
            "session",
            session_id=options.get("--session-id", "none"),
            model=options.get("--model", "simulated-1"),
        )

    def play(self, script: list[dict[str, object]]) -> None:
        """Plays one step after another."""
        for step in script:
            details = {name: value for name, value in step.items() if name != "do"}
            getattr(self, str(step["do"]))(**details)

    def say(self, text: str) -> None:
        self._print("text", text=self._filled(text))

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def complain(self, text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def retry_inside(self, error: str, attempt: int, max_retries: int) -> None:
        self._print("retry", error=error, attempt=attempt, max_retries=max_retries)

    def write_file(self, path: str, content: str) -> None:
        folder = os.path.realpath(".")
        target = os.path.realpath(path)
        inside = os.path.commonpath([folder, target]) == folder
        if self._permissions == "full" or (self._permissions == "edit" and inside):
            # pathlib would double the time of the start.
            with open(target, "w", encoding="utf-8") as file:  # noqa: PTH123
                file.write(self._filled(content))
            self._print("tool", tool="write_file", detail=path)
        else:
            self._print("denied", tool="write_file", detail=path)

    def leave_behind(self, seconds: float) -> None:
        program = [sys.executable, "-I", "-S", "-c", f"import time; time.sleep({seconds})"]
        pid = os.posix_spawn(sys.executable, program, os.environ, setsid=True)
        self._print("tool", tool="leave_behind", detail=str(pid))

    def flood(self, size_bytes: int) -> None:
        line = b"x" * 99 + b"\n"
        whole, rest = divmod(size_bytes, len(line))
        for _ in range(whole):
            _write(line)
        _write(line[-rest:] if rest else b"")

    def long_line(self, size_bytes: int) -> None:
        _write(b"x" * size_bytes + b"\n")

    def answer(self, text: str, input_tokens: int, output_tokens: int, cost_usd: float) -> None:
        usage = {"input_tokens": input_tokens, "output_tokens": output_tokens}
        self._print("result", status="ok", text=self._filled(text), usage=usage, cost_usd=cost_usd)
        raise SystemExit(0)

    def fail(self, **error: object) -> None:
        self._print("result", status="error", error=error)
        raise SystemExit(1)

    def crash(self, message: str) -> None:
        raise RuntimeError(message)

    def die(self, **step: int) -> None:
        os.kill(os.getpid(), step["signal"])

    def exit(self, status: int) -> None:
        raise SystemExit(status)

    def hang(self, *, ignore_term: bool) -> None:
        if ignore_term:
            signal.signal(
                signal.SIGTERM, lambda *_: self._print("tool", tool="hang", detail="TERM")
            )
        self._print("tool", tool="hang", detail="deaf" if ignore_term else "")
        while True:
            signal.pause()

    def _filled(self, text: str) -> str:
        start = self._prompt.strip().partition("\n")[0][:_PROMPT_START_CHARS]
        # Cut at one mark before the other is filled in: a prompt may hold either of them.
        pieces = [piece.replace("{prompt_start}", start) for piece in text.split("{prompt}")]
        return self._prompt.join(pieces)

    @staticmethod
    def _print(kind: str, **details: object) -> None:
        # Not through sys.stdout: a signal handler may not print into a print that it interrupted.
        _write((json.dumps({"type": kind, **details}) + "\n").encode())


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _main(script: str, *arguments: str) -> None:
    prompt = sys.stdin.buffer.read().decode("utf-8", errors="surrogatepass")
    options = {name: value for name, value in pairwise(arguments) if name.startswith("--")}
    _Player(prompt, options).play(json.loads(script))


if __name__ == "__main__":
    _main(*sys.argv[1:])
