"""Head and tail of a stream."""

from __future__ import annotations

from undaunted.agents.captured_output import CapturedOutput


def captured(*chunks: bytes, head: int = 3, tail: int = 4) -> CapturedOutput:
    output = CapturedOutput(head_max_bytes=head, tail_max_bytes=tail)
    for chunk in chunks:
        output.add(chunk)
    return output


def test_a_short_stream_is_kept_whole() -> None:
    """What fits into head and tail reads as it was printed."""
    output = captured(b"ab", b"cdefg")
    assert (output.head, output.tail, output.omitted_bytes) == (b"abc", b"defg", 0)
    assert output.text == "abcdefg"


def test_the_middle_is_left_out_and_said_so() -> None:
    """Of a long stream the middle is missing, with a line that says how much."""
    output = captured(b"abcdefghijkl")
    assert (output.head, output.tail, output.omitted_bytes) == (b"abc", b"ijkl", 5)
    assert output.text == "abc\n[... 5 bytes left out ...]\nijkl"


def test_a_flood_is_counted_and_not_kept() -> None:
    """However much comes, the memory is bounded and the count is right."""
    output = captured(*[b"0123456789"] * 10_000)
    assert output.total_bytes == 100_000
    assert len(output._tail) <= 2 * 4
    assert (output.head, output.tail) == (b"012", b"6789")


def test_a_character_across_head_and_tail_stays_one() -> None:
    """A character whose bytes lie on both sides is decoded when nothing is missing."""
    assert captured("abé!".encode()).text == "abé!"


def test_undecodable_bytes_are_replaced() -> None:
    """Bytes that are no UTF-8 don't break the text."""
    assert captured(b"a\xffb").text == "a\ufffdb"


def test_nothing_is_the_empty_text() -> None:
    """A stream without a byte is an empty text."""
    assert captured().text == ""
