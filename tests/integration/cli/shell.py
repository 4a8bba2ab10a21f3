"""The command line as a real process, and the fake agents that it drives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Doorbell", "Shell", "ended"]

FAKE_CLAUDE = Path(__file__).with_name("fake_claude.py")

# A process that hangs fails its test; nothing here takes more than some seconds by itself.
_PATIENCE_S = 120.0


@dataclass
class Shell:
    """Runs `undaunted` as a person with these folders and this environment would."""

    folder: Path
    env: dict[str, str]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "undaunted", *arguments]

    def run(
        self,
        *arguments: str,
        stdin: str | bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """The command, run to its end; without `stdin` it is the null device."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
        done = subprocess.run(
            self.argv(*arguments),
            env={**self.env, **(env or {})},
            cwd=self.folder,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
            **given,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    def json(self, *arguments: str) -> Any:
        """What a command that succeeds prints with `--json`."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(
        self, *arguments: str, ignoring: signal.Signals | None = None
    ) -> subprocess.Popen[bytes]:
        """The command, started; ended with the test if it still runs then."""

        def prepare() -> None:
            # pytest may itself have been started with SIGINT ignored, as a shell does for what it
            # puts in the background; then so would this process.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            if ignoring is not None:
                signal.signal(ignoring, signal.SIG_IGN)

        process = subprocess.Popen(
            self.argv(*arguments),
            env=self.env,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=prepare,  # noqa: PLW1509 - no thread runs here
        )
        self.started.append(process)
        return process

    def configure(self, text: str) -> None:
        """Writes the person's settings."""
        folder = Path(self.env["UNDAUNTED_CONFIG_DIR"])
        folder.mkdir(exist_ok=True)
        (folder / "undaunted.toml").write_text(text)

    def fake(self, **scripts: list[str]) -> None:
        """Puts the fake in the place of agents: `fake(claude=["answer", "Hi"])`."""
        tables = [
            f"[agents.{name}]\ncommand = {json.dumps([sys.executable, str(FAKE_CLAUDE), *words])}"
            for name, words in scripts.items()
        ]
        order = json.dumps(list(scripts))
        self.configure("\n".join([f"order = {order}", 'retry_base = "10ms"', *tables]))


@dataclass
class Doorbell:
    """Waits, without sleeping, until a fake that hangs has begun to."""

    path: Path

    def pid(self) -> int:
        """The fake's process id, once it runs."""
        return int(self.path.read_text())


@contextmanager
def ended(pid: int) -> Iterator[None]:
    """Ends the process at last, if nobody did."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
