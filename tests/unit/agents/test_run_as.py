"""What of the caller's environment another user's agent is to see."""

from __future__ import annotations

from undaunted.agents.run_as import UserAccount

ACCOUNT = UserAccount("agent", 1001, 1001, (1001, 20), "/home/agent", "/bin/sh")


def test_the_users_own_replaces_the_callers() -> None:
    """HOME, USER, LOGNAME and SHELL are the user's, whether the caller has them or not."""
    own = {"HOME": "/home/agent", "USER": "agent", "LOGNAME": "agent", "SHELL": "/bin/sh"}
    assert ACCOUNT.environment({"HOME": "/root", "SHELL": "/bin/zsh", "USER": "root"}) == own
    assert ACCOUNT.environment({}) == own


def test_what_is_the_callers_alone_is_left_out() -> None:
    """Folders below the caller's home and its agent for keys are no use to another user."""
    caller = {"XDG_CONFIG_HOME": "/root/.config", "XDG_RUNTIME_DIR": "/run/user/0"}
    seen = ACCOUNT.environment(caller | {"SSH_AUTH_SOCK": "/run/agent"})
    assert {*seen} == {"HOME", "USER", "LOGNAME", "SHELL"}


def test_the_rest_stays() -> None:
    """PATH, the locale and keys are as the caller has them; the caller's own are not touched."""
    caller = {"PATH": "/bin", "LC_ALL": "C", "ANTHROPIC_API_KEY": "k", "HOME": "/root"}
    before = dict(caller)
    seen = ACCOUNT.environment(caller)
    assert (seen["PATH"], seen["LC_ALL"], seen["ANTHROPIC_API_KEY"]) == ("/bin", "C", "k")
    assert caller == before
