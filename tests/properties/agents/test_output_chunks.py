"""However a stream is cut into chunks, the same is understood of it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from undaunted.agents.captured_output import CapturedOutput
from undaunted.agents.line_reader import LineReader

STREAMS = st.lists(st.sampled_from([b"\n", b"a", b"bc", b"\r", b"\xff", b"x" * 20])).map(b"".join)


@st.composite
def cut_streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A stream, and the same in chunks."""
    stream = draw(STREAMS)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)))))
    return stream, [stream[a:b] for a, b in pairwise([0, *cuts, len(stream)])]


@given(cut_streams(), st.integers(1, 30))
def test_any_cut_gives_the_same_lines(cut: tuple[bytes, list[bytes]], limit: int) -> None:
    """The lines are those of the whole stream, without the oversize ones, which are counted."""
    stream, chunks = cut
    lines: list[bytes] = []
    reader = LineReader(lines.append, line_max_bytes=limit)
    for chunk in chunks:
        reader.feed(chunk)
    reader.close()
    *whole, last = stream.split(b"\n")
    expected = [*whole, last] if last else whole
    assert lines == [line for line in expected if len(line) <= limit]
    assert reader.oversize_lines == sum(len(line) > limit for line in expected)


@given(cut_streams(), st.integers(0, 20), st.integers(1, 20))
def test_any_cut_keeps_the_same_ends(cut: tuple[bytes, list[bytes]], head: int, tail: int) -> None:
    """Head and tail are the stream's own ends, and with the omitted bytes all of it."""
    stream, chunks = cut
    output = CapturedOutput(head_max_bytes=head, tail_max_bytes=tail)
    for chunk in chunks:
        output.add(chunk)
    assert output.head == stream[:head]
    assert output.tail == stream[head:][-tail:]
    assert output.total_bytes == len(stream)
    assert len(output.head) + output.omitted_bytes + len(output.tail) == len(stream)
