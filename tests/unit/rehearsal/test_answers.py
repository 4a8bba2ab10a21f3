"""The model's script."""

from __future__ import annotations

import pytest

from undaunted.rehearsal.answers import Answer, ToolCall, Turn, shell, write_file


def test_text_alone_is_said_at_once() -> None:
    """Without steps the first request gets the text."""
    assert Answer("done").turn(offered_tools=["Write"], tool_results=0) == Turn(text="done")


def test_steps_follow_the_results_in_the_conversation() -> None:
    """n results mean that step n + 1 is next, and after the last step comes the text."""
    answer = Answer("done", (write_file("/w/a", "1"), shell("true")))
    said = [answer.turn(offered_tools=["Bash", "Write"], tool_results=n) for n in range(4)]
    assert [turn.tool_name for turn in said] == ["Write", "Bash", None, None]
    assert [turn.text for turn in said] == ["", "", "done", "done"]


def test_each_agent_is_asked_by_its_own_tool_name() -> None:
    """The same steps call Gemini CLI's tools where those are offered."""
    answer = Answer("done", (write_file("/w/a", "1"), shell("true")))
    offered = ["run_shell_command", "write_file"]
    said = [answer.turn(offered_tools=offered, tool_results=n).tool_name for n in range(2)]
    assert said == ["write_file", "run_shell_command"]


def test_tool_that_is_not_offered_is_not_called() -> None:
    """A request without the step's tool gets the text."""
    answer = Answer("done", (write_file("/w/a", "1"),))
    assert answer.turn(offered_tools=["Read"], tool_results=0) == Turn(text="done")


def test_first_tool_on_offer_is_called() -> None:
    """The order of the step decides, not that of the offer; the arguments go with the name."""
    answer = Answer("done", (ToolCall({"b": {"b": 1}, "a": {"a": 1}}),))
    turn = answer.turn(offered_tools=["a", "b"], tool_results=0)
    assert turn == Turn(tool_name="b", tool_input={"b": 1})


@pytest.mark.parametrize(
    ("offered", "tool_input"),
    [
        ("Write", {"file_path": "/w/a", "content": "it's"}),
        ("write_file", {"file_path": "/w/a", "content": "it's"}),
        ("create", {"path": "/w/a", "file_text": "it's"}),
        ("write", {"filePath": "/w/a", "content": "it's"}),
        ("exec_command", {"cmd": "printf %s 'it'\"'\"'s' > /w/a"}),
    ],
)
def test_files_are_written_in_each_agents_words(
    offered: str, tool_input: dict[str, object]
) -> None:
    """Each agent's own tool gets the arguments it takes; Codex, which has none, a command."""
    turn = Answer("", (write_file("/w/a", "it's"),)).turn(offered_tools=[offered], tool_results=0)
    assert turn == Turn(tool_name=offered, tool_input=tool_input)


@pytest.mark.parametrize(
    ("offered", "argument"),
    [
        ("Bash", "command"),
        ("run_shell_command", "command"),
        ("bash", "command"),
        ("exec_command", "cmd"),
    ],
)
def test_commands_are_run_in_each_agents_words(offered: str, argument: str) -> None:
    """Each agent's shell gets the command under the name that it reads."""
    turn = Answer("", (shell("true"),)).turn(offered_tools=[offered], tool_results=0)
    assert turn.tool_name == offered
    assert turn.tool_input is not None
    assert turn.tool_input[argument] == "true"
