"""The task that the flags of `run` make."""

from __future__ import annotations

from io import BytesIO, TextIOWrapper

import pytest

from undaunted.cli.run_request import RunRequest, read_prompt
from undaunted.config import Settings
from undaunted.errors import ConfigurationError, InvalidTaskError
from undaunted.tasks import Task

KNOWN = {"claude", "gemini"}


def _task(settings: Settings | None = None, **given: object) -> Task:
    request = RunRequest(**given)  # type: ignore[arg-type]
    return request.task("Hello", settings or Settings(), known=KNOWN, env={"SET": "1"})


def test_models_and_arguments_split_at_a_known_name_only() -> None:
    """`claude=x` is for claude, all else is for everyone, equals sign or not."""
    task = _task(
        models=("claude=opus", "ft=mine"),
        agent_args=("--foo", "claude=--max-turns", "claude=3", "--key=value", "gemini="),
    )
    assert task.models == {"claude": "opus", "": "ft=mine"}
    assert task.agent_args == {
        "": ("--foo", "--key=value"),
        "claude": ("--max-turns", "3"),
        "gemini": ("",),
    }


def test_settings_are_the_tasks() -> None:
    """Limits, permissions and passed variables come from the settings in force."""
    settings = Settings.model_validate(
        {"timeout": "10m", "permissions": "read", "env": {"pass": ["A", "SET"]}, "attempts": 2}
    )
    task = _task(settings, env_names=("SET",), agents="gemini, claude", session_id="s")
    assert (task.timeout_s, task.permissions, task.attempts) == (600.0, "read", 2)
    assert task.env_names == ("A", "SET")
    assert (task.agents, task.session_id) == (("gemini", "claude"), "s")


def test_nothing_is_waited_for_unless_asked() -> None:
    """`max_wait` holds where waiting was asked for."""
    settings = Settings(max_wait=120.0)
    assert _task(settings).max_wait_s == 0.0
    assert _task(settings, waits=True).max_wait_s == 120.0


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"agents": "claude,,gemini"}, "comma"),
        ({"agents": ""}, "comma"),
        ({"env_names": ("A=B",)}, "name of a variable"),
        ({"env_names": ("1X",)}, "name of a variable"),
        ({"env_names": ("UNSET",)}, "not set in your environment"),
    ],
)
def test_a_wrong_flag_is_named(given: dict[str, object], hint: str) -> None:
    """The text says what would do."""
    with pytest.raises(ConfigurationError, match=hint):
        _task(**given)


def _stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(data), encoding="ascii"))


@pytest.mark.parametrize("typed", ["-", None])
def test_a_prompt_is_read_from_stdin_as_it_is(
    monkeypatch: pytest.MonkeyPatch, typed: str | None
) -> None:
    """As UTF-8 whatever the locale says, every newline kept."""
    _stdin(monkeypatch, " grüße\r\n\n".encode())
    assert read_prompt(typed) == " grüße\r\n\n"


def test_a_typed_prompt_leaves_stdin_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one too: it is refused later, with its reason."""
    _stdin(monkeypatch, b"not this")
    assert (read_prompt("this"), read_prompt("")) == ("this", "")


def test_bytes_that_are_no_text_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """From stdin, and from a command line in another encoding."""
    _stdin(monkeypatch, b"caf\xe9")
    with pytest.raises(InvalidTaskError, match="byte 4"):
        read_prompt("-")
    with pytest.raises(InvalidTaskError, match="byte 4"):
        read_prompt("caf\udce9")
