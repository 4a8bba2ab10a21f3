"""`python -m undaunted.rehearsal --port 8399 --fault 429:2`: the model API until Ctrl+C."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence

from undaunted.errors import UndauntedError
from undaunted.events import iso
from undaunted.rehearsal.answers import DEFAULT_TEXT
from undaunted.rehearsal.faults import Fault, FaultError
from undaunted.rehearsal.recording import RecordedRequest

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGINT or SIGTERM; returns the exit status.

    The URL goes to stdout, one line a request to stderr.
    """
    parser = argparse.ArgumentParser(
        prog="python -m undaunted.rehearsal",
        description="A model API on 127.0.0.1 that fails on purpose.",
    )
    parser.add_argument("--port", type=int, default=8399, help="0 takes a free one")
    parser.add_argument("--fault", default="ok", help="for example 429:2, cut, hang, slow:0.5")
    parser.add_argument("--answer", default=DEFAULT_TEXT, help="what the model says")
    options = parser.parse_args(arguments)
    try:
        fault = Fault.parse(options.fault)
    except FaultError as error:
        parser.error(str(error))
    try:
        asyncio.run(_serve(options.port, fault, options.answer))
    except (UndauntedError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _serve(port: int, fault: Fault, answer: str) -> None:
    # Here and not above: the options can be read, and wrong ones refused, without the extra.
    from undaunted.rehearsal.server import RehearsalServer  # noqa: PLC0415

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with RehearsalServer(port=port, fault=fault, answer=answer, on_request=_tell) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        await stopped.wait()


def _tell(request: RecordedRequest) -> None:
    line = f"{iso(request.received_at)} {request.method} {request.path} {request.body_bytes} bytes"
    if request.is_model_request:
        line += f", {request.model}{', streamed' if request.stream else ''}: {request.fault}"
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
