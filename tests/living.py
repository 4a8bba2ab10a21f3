"""Which processes are alive, read from /proc without the product's own code."""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_alive", "marked"]


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(b")")[2].split()[0] not in {b"Z", b"X"}


def marked(token: str) -> list[int]:
    """The living processes whose attempt's mark begins with `token`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environ = (process / "environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if f"UNDAUNTED_ATTEMPT={token}".encode() in environ and is_alive(int(process.name)):
            found.append(int(process.name))
    return found
