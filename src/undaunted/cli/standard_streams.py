"""The three standard streams, where one is closed or its reader goes away."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TextIO

__all__ = ["open_missing", "silence"]

_LAST_STANDARD = 2


def open_missing() -> None:
    """Opens the null device in the place of each standard stream that was closed (`>&-`).

    Else the next file that is opened, such as the database, would get the stream's number, and
    what is meant for the stream would be written into it.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= _LAST_STANDARD:
        pass  # it stays open: that is the point
    os.close(number)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # It stays open as long as the program runs, as the stream that it stands for would.
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def silence(stream: TextIO) -> None:
    """Points `stream` at the null device, so that nothing more that is written to it can fail."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
