"""Lines out of chunks."""

from __future__ import annotations

import pytest

from undaunted.agents.line_reader import LineReader


def lines_of(*chunks: bytes, line_max_bytes: int = 100) -> tuple[list[bytes], int]:
    lines: list[bytes] = []
    reader = LineReader(lines.append, line_max_bytes=line_max_bytes)
    for chunk in chunks:
        reader.feed(chunk)
    reader.close()
    return lines, reader.oversize_lines


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ((), []),
        ((b"",), []),
        ((b"a\n",), [b"a"]),
        ((b"a\nb\n",), [b"a", b"b"]),
        ((b"a", b"b\nc", b"\n"), [b"ab", b"c"]),
        ((b"a\n\nb\n",), [b"a", b"", b"b"]),
        ((b"a\r\nb",), [b"a\r", b"b"]),
        ((b"no end",), [b"no end"]),
        ((b"\xff\xfe\n",), [b"\xff\xfe"]),
    ],
)
def test_chunks_become_lines(chunks: tuple[bytes, ...], lines: list[bytes]) -> None:
    """Only a newline ends a line; the last line needs none."""
    assert lines_of(*chunks) == (lines, 0)


def test_a_line_comes_with_its_newline() -> None:
    """A line is delivered by the chunk that completes it."""
    lines: list[bytes] = []
    reader = LineReader(lines.append)
    reader.feed(b"a\nb")
    assert lines == [b"a"]
    reader.feed(b"\n")
    assert lines == [b"a", b"b"]


def test_the_limit_itself_is_allowed() -> None:
    """A line of exactly the limit is delivered, one byte more is not."""
    assert lines_of(b"abcd\n", line_max_bytes=4) == ([b"abcd"], 0)
    assert lines_of(b"abcde\n", line_max_bytes=4) == ([], 1)


def test_an_oversize_line_ends_with_its_newline() -> None:
    """The line after an oversize one is delivered; a last oversize line without end counts too."""
    assert lines_of(b"abc", b"def", b"ghi\nok\n", b"tooolong", line_max_bytes=4) == ([b"ok"], 2)


def test_an_endless_line_takes_no_memory() -> None:
    """What belongs to an oversize line is not kept."""
    reader = LineReader(lambda line: None, line_max_bytes=10)
    for _ in range(1000):
        reader.feed(b"x" * 1000)
    assert sum(map(len, reader._pieces)) <= 10


def test_closing_twice_delivers_once() -> None:
    """A reader that was closed has nothing more to deliver."""
    lines: list[bytes] = []
    reader = LineReader(lines.append)
    reader.feed(b"last")
    reader.close()
    reader.close()
    assert lines == [b"last"]


def test_a_line_that_chokes_the_caller_is_not_delivered_again() -> None:
    """After an error in the caller, the next line is the next line."""
    lines: list[bytes] = []

    def choke_on_a(line: bytes) -> None:
        if line == b"a":
            raise ValueError(line)
        lines.append(line)

    reader = LineReader(choke_on_a)
    with pytest.raises(ValueError, match="a"):
        reader.feed(b"a\n")
    reader.feed(b"b\n")
    assert lines == [b"b"]
