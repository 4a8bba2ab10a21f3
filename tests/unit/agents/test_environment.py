"""What an agent's process may see of the caller's environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from undaunted.agents.environment import (
    ATTEMPT_VARIABLE,
    DEPTH_VARIABLE,
    check_depth,
    child_environment,
)
from undaunted.errors import ConfigurationError

OURS = {"TMPDIR": "/t", ATTEMPT_VARIABLE: "tok", DEPTH_VARIABLE: "1"}


def env_of(caller: dict[str, str], **settings: object) -> dict[str, str]:
    return child_environment(caller, tmpdir=Path("/t"), token="tok", **settings)  # type: ignore[arg-type]  # any setting


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TERM", "SSH_AUTH_SOCK"),
        *("LC_ALL", "LC_CTYPE", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"),
        *("HTTP_PROXY", "https_proxy", "No_Proxy", "all_proxy"),
        *("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    ],
)
def test_what_every_agent_needs_is_passed(name: str) -> None:
    """Paths, locale, terminal, XDG, proxies in either case and certificates are passed on."""
    assert env_of({name: "v"}) == {name: "v"} | OURS


@pytest.mark.parametrize(
    "name",
    [
        *("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "MY_PATH", "PATHS", "path"),
        *("LD_PRELOAD", "PYTHONPATH", "SOME_PROXY", "UNDAUNTED_DATA_DIR", "LC", "CLAUDE"),
    ],
)
def test_everything_else_stays_here(name: str) -> None:
    """What is not on the list is not passed on, however close its name comes."""
    assert env_of({name: "v"}, agent_prefixes=("CLAUDE_",)) == OURS


def test_the_agents_own_and_the_persons_names_are_passed() -> None:
    """An agent's names and prefixes and the person's names add to the list."""
    caller = {"KEY_A": "1", "AGENT_X": "2", "MINE": "3", "OTHER": "4"}
    env = env_of(caller, agent_names={"KEY_A"}, agent_prefixes=("AGENT_",), pass_names=["MINE"])
    assert env == {"KEY_A": "1", "AGENT_X": "2", "MINE": "3"} | OURS


def test_a_name_that_is_not_set_is_left_out() -> None:
    """A name that the caller has no value for is not made up."""
    assert env_of({}, pass_names=["MISSING"]) == OURS


def test_settings_win_over_the_caller() -> None:
    """An agent's fixed value replaces the caller's."""
    assert env_of({"TERM": "xterm"}, settings={"TERM": "dumb"})["TERM"] == "dumb"


def test_nothing_wins_over_the_attempts_own() -> None:
    """TMPDIR, mark and depth are ours, whatever the caller, the person or the agent says."""
    caller = {"TMPDIR": "/x", DEPTH_VARIABLE: "0"}
    env = env_of(caller, pass_names=[*OURS], settings=dict.fromkeys(OURS, "theirs"))
    assert env == OURS


def test_inside_an_agent_the_mark_nests() -> None:
    """The outer attempt's mark stays in front: the outer run finds the inner's processes."""
    env = env_of({ATTEMPT_VARIABLE: "outer", DEPTH_VARIABLE: "1"})
    assert (env[ATTEMPT_VARIABLE], env[DEPTH_VARIABLE]) == ("outer/tok", "2")


def test_the_callers_mapping_is_not_changed() -> None:
    """The given environment is read only."""
    caller = {"PATH": "/bin"}
    env_of(caller, settings={"PATH": "/other"})
    assert caller == {"PATH": "/bin"}


@pytest.mark.parametrize("depth", [None, "", "0", "1"])
def test_one_level_of_nesting_is_allowed(depth: str | None) -> None:
    """A person's undaunted runs agents, and so does one inside an agent."""
    check_depth({} if depth is None else {DEPTH_VARIABLE: depth})


@pytest.mark.parametrize("depth", ["2", "17"])
def test_deeper_nesting_is_refused(depth: str) -> None:
    """An agent that calls itself through undaunted is stopped, and told why."""
    with pytest.raises(ConfigurationError, match=f"UNDAUNTED_DEPTH={depth}, at most 1"):
        check_depth({DEPTH_VARIABLE: depth})


@pytest.mark.parametrize("depth", ["-1", "one", "1.0", " 1", "\u0661"])
def test_a_depth_that_is_no_number_is_refused(depth: str) -> None:
    """A depth that somebody tampered with does not count as 0."""
    with pytest.raises(ConfigurationError, match="not a number"):
        check_depth({DEPTH_VARIABLE: depth})
