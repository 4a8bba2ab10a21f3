"""Another user for an agent to run as: who that is, and what the caller's is to it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from undaunted.agents.spawn_error import SpawnError
from undaunted.failures import FailureKind

__all__ = ["UserAccount", "user_account"]

# What is the caller's own beside the four that name a user: folders below its home and in /run, and
# an agent for keys that listens to nobody else.
_CALLERS_PREFIX = "XDG_"
_CALLERS_NAMES = frozenset({"SSH_AUTH_SOCK"})


@dataclass(frozen=True, slots=True)
class UserAccount:
    """A user of this machine.

    Attributes:
        name: Login name.
        user_id: Number of the user.
        group_id: Number of the primary group.
        group_ids: Numbers of all groups that it is in.
        home: Home folder.
        shell: Login shell.
    """

    name: str
    user_id: int
    group_id: int
    group_ids: tuple[int, ...]
    home: str
    shell: str

    def environment(self, caller: Mapping[str, str]) -> dict[str, str]:
        """The caller's environment as this user would have it, to make a child's from.

        HOME, USER, LOGNAME and SHELL are the user's; XDG folders and SSH_AUTH_SOCK are left out:
        they are the caller's, and would fail or be shared. The rest stays, PATH and keys included.

        Args:
            caller: The environment that undaunted was started with.
        """
        kept = {
            name: value
            for name, value in caller.items()
            if not name.startswith(_CALLERS_PREFIX) and name not in _CALLERS_NAMES
        }
        own = {"HOME": self.home, "USER": self.name, "LOGNAME": self.name, "SHELL": self.shell}
        return kept | own


def user_account(name: str) -> UserAccount:
    """The account of the user `name`, which this process may start programs as.

    Raises:
        SpawnError: There is none, or becoming another user is not ours to do (`misconfigured`).
    """
    import pwd  # noqa: PLC0415 - not on Windows, where this module can be imported all the same

    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        message = f"the user {name!r} (run_as) does not exist on this machine"
        raise SpawnError(FailureKind.MISCONFIGURED, message) from None
    if os.geteuid() not in {0, entry.pw_uid}:
        message = f"only root can start an agent as the user {name!r} (run_as)"
        raise SpawnError(FailureKind.MISCONFIGURED, message)
    return UserAccount(
        name=name,
        user_id=entry.pw_uid,
        group_id=entry.pw_gid,
        group_ids=tuple(os.getgrouplist(name, entry.pw_gid)),
        home=entry.pw_dir,
        shell=entry.pw_shell,
    )
