"""Secrets do not get out."""

from __future__ import annotations

import pytest

from undaunted.redaction import REDACTED, Redactor


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


def test_short_values_are_left() -> None:
    """A value that is an ordinary word is no secret to look for."""
    assert Redactor(["true", ""]).text("it is true") == "it is true"


def test_headers() -> None:
    """The value of an authorization header is taken out, its name stays."""
    assert Redactor().text("Authorization: Bearer abcdefghijklmnop") == (
        f"Authorization: Bearer {REDACTED}"
    )
