"""What an agent prints can't steer the terminal that shows it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undaunted.cli.plain_text import one_line, plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain grüße 世界\twith\nlines", "plain grüße 世界\twith\nlines"),
        ("\x1b[31;1mred\x1b[0m", "red"),
        ("\x1b]0;a title\x07kept", "kept"),
        ("\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1$q\x1b\\kept", "kept"),
        ("\x9b2Jkept", "kept"),
        ("\x1b(Bkept\x1b7", "kept"),
        ("a\x08b\x07c\x00d\x7f", "abcd"),
        ("one\r\ntwo\rover", "one\ntwoover"),
        ("\u202eabc\u2066", "abc"),
        ("cut off: \x1b]0;never ended", "cut off: "),
        ("[bold]kept[/bold]", "[bold]kept[/bold]"),
    ],
)
def test_escapes_and_control_characters_go(text: str, expected: str) -> None:
    """Text stays, what a terminal would obey goes."""
    assert plain(text) == expected


@given(st.text(alphabet=st.sampled_from("\x1b\x9b[]0;mP\\\x07\x08\r\n\tab\u202e\x9d"), max_size=40))
def test_nothing_that_steers_is_left(text: str) -> None:
    """Whatever it is made of, no control character but tab and newline survives."""
    assert not [c for c in plain(text) if c not in "\t\n" and (ord(c) < 32 or 126 < ord(c) < 160)]


def test_one_line_folds_and_cuts() -> None:
    """White space becomes one space; what is too long ends in an ellipsis."""
    assert one_line("  two\r\n\n\twords \x1b[0m ") == "two words"
    assert one_line("abcdef", 4) == "abc…"
    assert one_line("abcd", 4) == "abcd"
