"""For any secret, in any text, in any spelling and with any cut: it is not in what is kept."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from urllib.parse import quote

from hypothesis import assume, given
from hypothesis import strategies as st

from undaunted.key_shapes import key_shaped
from undaunted.redaction import REDACTED, Redactor
from undaunted.stream_redaction import StreamRedactor

# Few letters, so that a secret overlaps itself and its surroundings.
NARROW = st.text(alphabet="ab\n-/é", min_size=8, max_size=40)
WIDE = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=8, max_size=60)
SECRETS = (NARROW | WIDE).map(str.strip).filter(lambda s: len(s) >= 8)
SPELLINGS = (
    str,
    lambda s: json.dumps(s)[1:-1],
    lambda s: json.dumps({"text": json.dumps(s, ensure_ascii=False)}, ensure_ascii=False),
    lambda s: quote(s, safe=""),
)


@st.composite
def cut_texts(draw: st.DrawFn) -> tuple[str, str, str, list[bytes]]:
    """A secret, how it is spelled, a text with it, and the text's bytes in pieces."""
    secret = draw(SECRETS)
    spelled = draw(st.sampled_from(SPELLINGS))(secret)
    filling = st.text(alphabet=st.sampled_from([*"ab\n- é", *secret]), max_size=60)
    parts = draw(st.lists(st.just(spelled) | filling, min_size=1, max_size=6))
    data = "".join(parts).encode()
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    pieces = [data[a:b] for a, b in pairwise([0, *cuts, len(data)])]
    return secret, spelled, "".join(parts), pieces


@given(cut_texts())
def test_no_secret_is_left_wherever_the_stream_is_cut(
    case: tuple[str, str, str, list[bytes]],
) -> None:
    """What comes out is what comes out of the whole, and holds the secret in no spelling."""
    secret, spelled, text, pieces = case
    # What the mark itself is made of can't be taken out of it.
    assume(
        not any(s in f"{a}{REDACTED}{b}" for s in (secret, spelled) for a in "ab-" for b in "ab-")
    )
    redactor = Redactor([secret])
    stream = StreamRedactor(redactor)
    kept = b"".join([*(stream.feed(piece) for piece in pieces), stream.close()]).decode()
    assert spelled not in kept
    assert secret not in kept
    # Marks side by side are one mark in the whole: how many there are says nothing.
    assert _folded(kept) == _folded(redactor.text(text))


def _folded(text: str) -> str:
    while REDACTED * 2 in text:
        text = text.replace(REDACTED * 2, REDACTED)
    return text


@given(st.binary(max_size=20), st.binary(min_size=8, max_size=40), st.binary(max_size=20))
def test_no_base64_decodes_to_the_secret(before: bytes, middle: bytes, behind: bytes) -> None:
    """Whatever stands before and behind it, no run of the Base64 that is left holds the secret."""
    secret = middle.hex()
    data = before + secret.encode() + behind
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(data).decode()
        start = 4 * (len(before) // 3) + 4
        inside = encoded[start : 4 * ((len(before) + len(secret)) // 3) - 4]
        assert inside not in Redactor([secret]).answer(encoded)


@given(
    st.lists(
        st.uuids().map(str)
        | st.binary(min_size=20, max_size=32).map(bytes.hex)
        | st.from_regex(r"[a-z]{1,12}([-_./ ][a-z]{1,12}){0,5}", fullmatch=True),
        max_size=10,
    ).map(" ".join)
)
def test_ids_hashes_and_names_are_no_keys(text: str) -> None:
    """UUIDs, digests of git and SHA-256, and names made of words are left alone."""
    assert list(key_shaped(text)) == []
