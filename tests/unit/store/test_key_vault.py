"""Sealing and opening keys, without a database."""

from __future__ import annotations

import json

import pytest
from cryptography.fernet import Fernet

from undaunted.store.key_vault import KeyVault, StoredKey
from undaunted.store.master_key import MasterKeyError, MasterKeys, new_master_key

KEY = StoredKey("ANTHROPIC_API_KEY", "sk-test-grüße\nof two lines")
OLD, NEW = new_master_key(), new_master_key()


def vault(*keys: str) -> KeyVault:
    return KeyVault(MasterKeys(keys, "the test"))


def test_what_was_sealed_is_opened() -> None:
    """The same key comes back, and nothing of it can be seen in the token."""
    token = vault(OLD).seal("claude", "default", KEY)
    assert vault(OLD).open("claude", "default", KEY.variable, token) == KEY
    assert "sk-test" not in token
    assert vault(OLD).seal("claude", "default", KEY) != token


def test_another_master_key_opens_nothing() -> None:
    """The error says whose key it is, where the master key was read, and what to do."""
    token = vault(OLD).seal("claude", "work", KEY)
    with pytest.raises(MasterKeyError, match=r"claude/work.*the test.*keys delete claude/work"):
        vault(NEW).open("claude", "work", KEY.variable, token)
    with pytest.raises(MasterKeyError):
        vault(NEW).reseal(token)


@pytest.mark.parametrize(
    "change", [lambda t: t[:-8], lambda t: "A" + t[1:], lambda t: "", str.lower]
)
def test_an_altered_token_is_refused(change) -> None:
    """A token of which anything was changed is no token."""
    token = vault(OLD).seal("claude", "default", KEY)
    with pytest.raises(MasterKeyError):
        vault(OLD).open("claude", "default", KEY.variable, change(token))


@pytest.mark.parametrize(
    "place",
    [("gemini", "default", KEY.variable), ("claude", "work", KEY.variable),
     ("claude", "default", "OPENROUTER_API_KEY")],
)  # fmt: skip
def test_a_token_counts_for_its_own_row_only(place: tuple[str, str, str]) -> None:
    """Moved to another agent, account or variable it is refused: nobody else gets the key."""
    token = vault(OLD).seal("claude", "default", KEY)
    with pytest.raises(MasterKeyError, match=r"was altered.*stored for claude as ANTHROPIC"):
        vault(OLD).open(*place, token)


def test_the_first_master_key_encrypts_and_all_decrypt() -> None:
    """With the new one in front old tokens open; resealed they need the old one no more."""
    token = vault(OLD).seal("claude", "default", KEY)
    assert vault(NEW, OLD).open("claude", "default", KEY.variable, token) == KEY
    resealed = vault(NEW, OLD).reseal(token)
    assert vault(NEW).open("claude", "default", KEY.variable, resealed) == KEY
    assert json.loads(Fernet(NEW).decrypt(resealed))[-1] == KEY.value


def test_a_fingerprint_tells_values_apart_and_depends_on_the_master_key() -> None:
    """The same value has the same one, and nobody without the master key can make it."""
    other = StoredKey(KEY.variable, KEY.value + "x")
    first = vault(OLD).fingerprint(KEY)
    assert len(first) == 8
    assert int(first, 16) >= 0
    assert vault(OLD, NEW).fingerprint(KEY) == first
    assert len({first, vault(OLD).fingerprint(other), vault(NEW).fingerprint(KEY)}) == 3


def test_no_repr_shows_a_secret() -> None:
    """What lands in a log or a traceback says no value."""
    assert KEY.value not in repr(KEY)
    assert OLD not in repr(MasterKeys((OLD,), "x"))
