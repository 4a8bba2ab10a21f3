"""A stream without its secrets, however it is cut."""

from __future__ import annotations

import pytest

from undaunted.key_shapes import SHAPE_MAX_CHARS
from undaunted.redaction import REDACTED, Redactor
from undaunted.stream_redaction import StreamRedactor

SECRET = "correct-horse-battery-staple"
LINES = "first line of the secret\nsecond line\nlast"
PEM = (
    "-----BEGIN " + "PRIVATE KEY-----\n" + "A1b2C3d4" * 8 + "\n"
    "-----END " + "PRIVATE KEY-----\n"
)  # fmt: skip


def through(redactor: Redactor, *pieces: bytes) -> bytes:
    stream = StreamRedactor(redactor)
    return b"".join([*(stream.feed(piece) for piece in pieces), stream.close()])


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        (SECRET, f"say {SECRET}\n"),
        (LINES, f"say {LINES} and go on\n"),
        ("nothing here", f"a key:\n{PEM}and go on\n"),
        ("nothing here", "Authorization: Bearer abc0defghijklmnop\nand go on\n"),
    ],
)
def test_a_secret_that_is_cut_anywhere_is_found(secret: str, text: str) -> None:
    """Two pieces, cut at each place in turn, come out as the whole does."""
    redactor = Redactor([secret])
    expected = redactor.text(text).encode()
    assert REDACTED.encode() in expected
    data = text.encode()
    for cut in range(len(data) + 1):
        assert through(redactor, data[:cut], data[cut:]) == expected, cut
    assert through(redactor, *(bytes([byte]) for byte in data)) == expected


def test_whole_lines_are_given_on_at_once() -> None:
    """Nothing that can't belong to a secret waits for what comes next."""
    stream = StreamRedactor(Redactor([SECRET, LINES]))
    assert stream.feed(b"one\ntwo\nthr") == b"one\ntwo\n"
    assert stream.feed(b"ee\nfirst line of\n") == b"three\nfirst line of\n"


def test_what_a_secret_may_be_growing_in_is_held_back() -> None:
    """Of a secret of several lines, and of a private key, the lines that are there wait."""
    stream = StreamRedactor(Redactor([LINES]))
    first, second, _ = LINES.split("\n")
    assert stream.feed(f"say {first}\n".encode()) == b"say "
    assert stream.feed(f"{second}\n".encode()) == b""
    assert stream.feed(b"other\n") == f"{first}\n{second}\nother\n".encode()
    begin, *_ = PEM.split("\n")
    assert stream.feed(f"{begin}\n".encode()) == b""


@pytest.mark.parametrize("cut", [1, 100, SHAPE_MAX_CHARS - 5, SHAPE_MAX_CHARS, 4096])
def test_a_line_without_an_end_is_given_on_and_searched(cut: int) -> None:
    """An endless line is held in part only, and a secret at any place of it is found."""
    data = (b"x" * 30_000 + b" " + SECRET.encode() + b" ") * 20
    stream = StreamRedactor(Redactor([SECRET]))
    out, held_max = b"", 0
    for at in range(0, len(data), cut):
        out += stream.feed(data[at : at + cut])
        held_max = max(held_max, at + cut - len(out))
    assert held_max <= 3 * SHAPE_MAX_CHARS + 20 * len(SECRET)
    out += stream.close()
    assert out == data.replace(SECRET.encode(), REDACTED.encode())


def test_bytes_that_are_no_text_come_out_as_they_went_in() -> None:
    """Cut characters are put together again, and what is none is kept."""
    data = "grüße 世界 ".encode() + bytes(range(256)) + "é".encode()[:1]
    assert through(Redactor(), *(bytes([byte]) for byte in data)) == data
