"""Starting a process as another user: what to ask the system for, and whether it can work there."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import DEVNULL
from typing import TypedDict

from undaunted.agents.run_as import user_account
from undaunted.agents.spawn_error import SpawnError
from undaunted.failures import FailureKind

__all__ = ["Credentials", "credentials_for"]


class Credentials(TypedDict, total=False):
    """The arguments of `subprocess.Popen` that say whose a process is; none of them: ours."""

    user: int
    group: int
    extra_groups: list[int]


async def credentials_for(user: str | None, *, cwd: str) -> Credentials:
    """What starts a process as `user`, who was seen to be able to work in `cwd`.

    Args:
        user: A login name; None is ours.
        cwd: The folder, absolute.

    Raises:
        SpawnError: There is no such user, we are not root, or the user can't enter the folder
            (all `misconfigured`).
    """
    if user is None:
        return {}
    account = user_account(user)
    if account.user_id == os.geteuid():
        return {}
    credentials = Credentials(
        user=account.user_id, group=account.group_id, extra_groups=list(account.group_ids)
    )
    # A child enters its folder before it gives up our rights, so that the kernel would not refuse.
    # A folder that is not there is no matter of rights: the start itself says so.
    if os.access(cwd, os.F_OK) and not await _may_enter(cwd, credentials):
        raise SpawnError(
            FailureKind.MISCONFIGURED,
            f"the user {account.name!r} (run_as) can't enter the working directory {cwd}",
        )
    return credentials


async def _may_enter(cwd: str, credentials: Credentials) -> bool:
    """Asks the kernel, in the user's own name: access lists and namespaces count as they are."""
    test = await asyncio.create_subprocess_exec(
        "test", "-x", cwd, env={}, cwd="/", stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL,
        **credentials,
    )  # fmt: skip
    return await test.wait() == 0
