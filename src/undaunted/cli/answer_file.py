"""`--output FILE`: the answer in a file, whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from undaunted.errors import ConfigurationError

__all__ = ["AnswerFile"]


class AnswerFile:
    """A file that is replaced in one step when the answer is there.

    A link is followed. What is no regular file (`/dev/null`, a pipe) is written to as it stands.

    Args:
        path: Where the answer goes.

    Raises:
        ConfigurationError: It could not be written there.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.lstat()
        except FileNotFoundError:
            pass  # it will be made
        except OSError as error:
            raise ConfigurationError(f"--output {path}: {error.strerror}") from error
        if path.is_dir():
            raise ConfigurationError(f"--output {path}: is a folder")
        self._special = path.exists() and not path.is_file()
        self._path = path if self._special else path.resolve()
        folder = self._path.parent
        if not folder.is_dir():
            raise ConfigurationError(f"--output {path}: there is no folder {folder}")
        if not os.access(self._path if self._special else folder, os.W_OK):
            raise ConfigurationError(f"--output {path}: can't be written")

    def write(self, text: str) -> None:
        """Writes `text`, ended by a newline.

        Raises:
            OSError: It can't be written after all; then what was there before still is.
        """
        data = (text if text.endswith("\n") else text + "\n").encode("utf-8", errors="replace")
        if self._special:
            self._path.write_bytes(data)
            return
        # In the same folder, since only within one file system a rename is a single step.
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if self._path.exists():
                shutil.copymode(self._path, temporary)
            temporary.replace(self._path)
        finally:
            temporary.unlink(missing_ok=True)
