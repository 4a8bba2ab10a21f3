"""The environment of an agent's process: a list of what it may see, never a copy of everything."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from undaunted.errors import ConfigurationError

__all__ = [
    "ATTEMPT_VARIABLE",
    "DEPTH_VARIABLE",
    "MAX_DEPTH",
    "check_depth",
    "child_environment",
]

ATTEMPT_VARIABLE = "UNDAUNTED_ATTEMPT"
"""Marks every process of an attempt, so that one that left its session is still found."""

DEPTH_VARIABLE = "UNDAUNTED_DEPTH"
"""How many undaunted runs are above a process: 0 at a person's desk, 1 inside an agent."""

MAX_DEPTH = 1
"""Deepest undaunted that still runs agents. One level lets an agent work with undaunted (its tests,
a rehearsal); the second is an agent that calls itself, and would spend without end."""

_NAMES = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TERM", "SSH_AUTH_SOCK"}
    # Without these an agent behind a company's proxy can't reach its model.
    | {"NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    | {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
)
_PREFIXES = ("LC_", "XDG_")
# Compared in upper case: programs read either spelling, curl only the lower one.
_PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})


def child_environment(
    caller: Mapping[str, str],
    *,
    tmpdir: Path,
    token: str,
    agent_names: Collection[str] = (),
    agent_prefixes: Collection[str] = (),
    pass_names: Collection[str] = (),
    settings: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Returns the whole environment of an agent's process.

    A variable of the caller's is taken when it is on the common list (paths, locale, terminal,
    XDG, proxies, certificates), is one of the agent's own, or was named by the person. `settings`
    replace what was taken; TMPDIR, the attempt's mark and the depth replace everything.

    Inside an agent of another undaunted the mark is `outer/inner`: the outer run finds the inner
    one's processes as its own too.

    Args:
        caller: The environment to take from.
        tmpdir: The attempt's own folder for temporary files.
        token: The attempt's token, without a slash. No other attempt may have it: what carries it
            is ended with the attempt.
        agent_names: Names that the agent documents as its own.
        agent_prefixes: Beginnings of such names.
        pass_names: Names that the person added.
        settings: Fixed values of the agent's.
    """
    names = _NAMES | {*agent_names, *pass_names}
    prefixes = (*_PREFIXES, *agent_prefixes)
    taken = {
        name: value
        for name, value in caller.items()
        if name in names or name.startswith(prefixes) or name.upper() in _PROXIES
    }
    outer = caller.get(ATTEMPT_VARIABLE)
    return {
        **taken,
        **(settings or {}),
        "TMPDIR": str(tmpdir),
        ATTEMPT_VARIABLE: f"{outer}/{token}" if outer else token,
        DEPTH_VARIABLE: str(_depth(caller) + 1),
    }


def check_depth(caller: Mapping[str, str]) -> None:
    """Refuses to run agents too deep inside other agents.

    Args:
        caller: The environment that this undaunted was started with.

    Raises:
        ConfigurationError: More than `MAX_DEPTH` undaunted runs are above this one.
    """
    depth = _depth(caller)
    if depth > MAX_DEPTH:
        raise ConfigurationError(
            f"an agent started undaunted, whose agent started undaunted again ({DEPTH_VARIABLE}="
            f"{depth}, at most {MAX_DEPTH}): agents that call themselves would never end. "
            "Run the inner task without undaunted."
        )


def _depth(caller: Mapping[str, str]) -> int:
    text = caller.get(DEPTH_VARIABLE) or "0"
    # isdecimal alone takes digits of other scripts too, and so does int().
    if not (text.isascii() and text.isdecimal()):
        raise ConfigurationError(
            f"{DEPTH_VARIABLE} is {text!r} and not a number: undaunted sets it itself; unset it."
        )
    return int(text)
