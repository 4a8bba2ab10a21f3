"""Secrets do not get out."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest

from undaunted.redaction import REDACTED, Redactor

SECRET = 'pass/w+rd "grüße"\\%&='


@pytest.mark.parametrize(
    "key",
    [
        "sk-ant-" + "api03-abcdefghijklmnop",
        "sk-proj-" + "abcdefghijklmnopqrst",
        "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
        "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789",
        "AKIA" + "ABCDEFGHIJKLMNOP",
    ],
)
def test_key_shapes(key: str) -> None:
    """What looks like a vendor's key is taken out of everything but the answer."""
    assert Redactor().text(f"bad key {key}!") == f"bad key {REDACTED}!"
    assert Redactor().answer(f"use {key}") == f"use {key}"


def test_known_secrets_are_taken_out_everywhere() -> None:
    """A known secret leaves the answer too, the longer of two that overlap first."""
    redactor = Redactor(["hunter2hunter2", "hunter2hunter2-and-more"])
    assert redactor.answer("x hunter2hunter2-and-more y") == f"x {REDACTED} y"
    assert redactor.text("x hunter2hunter2 y") == f"x {REDACTED} y"


@pytest.mark.parametrize(
    "spelled",
    [
        SECRET,
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(SECRET))[3:-3],
        json.dumps(json.dumps(SECRET, ensure_ascii=False), ensure_ascii=False)[3:-3],
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        quote(SECRET),
        quote_plus(SECRET),
    ],
)
def test_a_known_secret_is_found_in_every_spelling(spelled: str) -> None:
    """As it is, in JSON, in JSON inside JSON, in a URL."""
    for clean in (Redactor([SECRET]).answer, Redactor([SECRET]).text):
        assert clean(f"<{spelled}>") == f"<{REDACTED}>"


@pytest.mark.parametrize("user", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_known_secret_is_found_in_basic_authentication(user: str, encode) -> None:
    """Wherever in the Base64 it begins, none but the characters that it shares with others stay."""
    secret = "correct?horse>battery~staple"
    encoded = encode(f"{user}:{secret}".encode()).decode()
    cleaned = Redactor([secret]).answer(f"header {encoded}")
    assert REDACTED in cleaned
    left = cleaned.removeprefix("header ").replace(REDACTED, "")
    assert encode(secret.encode()).decode()[4:-4] not in cleaned
    assert len(left) <= len(encode(f"{user}:".encode())) + 4


def test_what_overlaps_goes_together() -> None:
    """Nothing stays of two secrets that share letters, nor of a shape that ends in one."""
    assert Redactor(["abcdefghij", "fghijklmno"]).answer("-abcdefghijklmno-") == f"-{REDACTED}-"
    secret = "abcdefgh!and-the-rest"
    key = "ghp_" + "x1" * 15 + secret
    assert Redactor([secret]).text(f"<{key}>") == f"<{REDACTED}>"


def test_short_values_are_left() -> None:
    """A value that is an ordinary word is no secret to look for."""
    assert Redactor(["true", ""]).text("it is true") == "it is true"


def test_white_space_around_a_secret_does_not_hide_it() -> None:
    """A variable that was read from a file often ends in a newline; what is printed does not."""
    assert Redactor(["hunter2hunter2\n"]).answer("hunter2hunter2.") == f"{REDACTED}."


def test_headers() -> None:
    """The value of an authorization header is taken out, its name stays."""
    assert Redactor().text("Authorization: Bearer abcdefghijklmnop") == (
        f"Authorization: Bearer {REDACTED}"
    )
