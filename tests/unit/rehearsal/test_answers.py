"""The model's script."""

from __future__ import annotations

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


def test_first_candidate_on_offer_is_called() -> None:
    """The order of the candidates decides, not that of the offer."""
    call = ToolCall(("b", "a"), {})
    assert call.name_among(["a", "b"]) == "b"


def test_steps_carry_their_arguments() -> None:
    """The arguments are the ones both agents' tools understand."""
    assert write_file("/w/a", "1").input == {"file_path": "/w/a", "content": "1"}
    assert shell("true").input["command"] == "true"
