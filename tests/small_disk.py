"""A small file system of its own, to be filled."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["small_disk"]


@contextmanager
def small_disk(folder: Path, *, size_mib: int) -> Iterator[Path]:
    """Mounts a file system of so many MiB in a new folder of `folder`; needs root."""
    disk = folder / "disk"
    disk.mkdir()
    size = f"size={size_mib}m"
    mount = [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", size, "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run([shutil.which("umount") or "umount", "--lazy", str(disk)], check=True)
