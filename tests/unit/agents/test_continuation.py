"""What an agent is told when its run is continued."""

from __future__ import annotations

from undaunted.agents.continuation import REPEATED_MAX_CHARS, continuation


def test_the_prompt_is_repeated_letter_by_letter() -> None:
    """A prompt of usual length stands at the end, unchanged."""
    prompt = "  Fix it.\n\n```\n{x}\n``` "
    assert continuation(prompt).endswith(f"\n\n{prompt}")


def test_a_long_prompt_is_referred_to() -> None:
    """A prompt that would fill the context twice is not sent again."""
    longest, longer = "x" * REPEATED_MAX_CHARS, "x" * (REPEATED_MAX_CHARS + 1)
    assert longest in continuation(longest)
    assert len(continuation(longer)) < 500
    assert "beginning of this conversation" in continuation(longer)


def test_it_begins_with_words_of_ours() -> None:
    """Whatever the prompt begins with, the message begins with a sentence: never a command."""
    for prompt in ("/clear", "@file", "-x", "!ls", "", "x" * 20_000):
        assert continuation(prompt).startswith("The run before this one")
