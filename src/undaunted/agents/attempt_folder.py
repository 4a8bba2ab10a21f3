"""An attempt's own folder for temporary files (its TMPDIR)."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from undaunted.agents.run_as import UserAccount

__all__ = ["attempt_folder"]

_log = logging.getLogger(__name__)

# Short: TMPDIR holds Unix sockets too, whose whole path may have 107 bytes on Linux (unix(7)).
_PREFIX = "undaunted-"


@asynccontextmanager
async def attempt_folder(
    parent: Path | None = None, *, owner: UserAccount | None = None
) -> AsyncGenerator[Path]:
    """Makes a fresh folder that only one user can enter, and removes it with all it holds.

    Agents leave conversations there (gemini writes its context into a file for every API error),
    so nothing of it may stay, however the attempt ended. What can't be removed is logged and left:
    a full disk or a foreign file is no reason to lose an answer.

    Args:
        parent: The folder to make it in, which must exist; None is the system's own.
        owner: The user that it is for (`run_as`), who has to be able to enter `parent`; None is
            ours. Another one takes root.

    Raises:
        OSError: The folder can't be made, or not be given to the user.
    """
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    try:
        if owner is not None:
            os.chown(folder, owner.user_id, owner.group_id)
        yield folder
    finally:
        # In a thread: an agent may have left gigabytes, and other tasks' timers run meanwhile.
        await asyncio.to_thread(_remove, folder)


def _remove(folder: Path) -> None:
    try:
        # Root needs no permission, and must not give any away: in a folder that is another user's,
        # a name can become a link to anything between a look at it and the change.
        if os.geteuid() != 0:
            _unlock(folder)
        shutil.rmtree(folder)
    except (OSError, RecursionError) as error:  # the latter: nested a thousand deep
        _log.warning("could not remove %s: %s", folder, error)


def _unlock(folder: Path) -> None:
    # Top down, and changed before it is entered: a read-only folder (a Go module cache is full of
    # them) keeps its files from being removed. A link's target is not ours to change.
    for path, names, _ in os.walk(folder):
        for inner in (Path(path, name) for name in names):
            if not inner.is_symlink():
                inner.chmod(stat.S_IRWXU)
