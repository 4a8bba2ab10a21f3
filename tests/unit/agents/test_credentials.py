"""Which credential is used, and what is withheld so that it is the one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from undaunted.agents.account import Account
from undaunted.agents.credentials import Credential, Credentials, CredentialSource

KEY = CredentialSource("key", "VENDOR_KEY")
TOKEN = CredentialSource("key", "VENDOR_TOKEN")
PLAN_TOKEN = CredentialSource("subscription", "VENDOR_PLAN")
PLAN = CredentialSource("subscription", file="login.json", key_path=("plan", "token"))
LOGIN = CredentialSource("login", file="login.json")
ALL = (KEY, TOKEN, PLAN_TOKEN, PLAN, LOGIN)

PLAN_FILE = json.dumps({"plan": {"token": "t"}})


def credentials(folder: Path, account: Account | None = None, **env: str) -> Credentials:
    return Credentials(ALL, env=env, folder=folder, account=account or Account())


def test_nothing_is_found(tmp_path: Path) -> None:
    """Without a variable, a file or a key there is no credential; an empty variable is none."""
    assert credentials(tmp_path).used() is None
    assert credentials(tmp_path, VENDOR_KEY="").used() is None


def test_a_key_alone_is_used(tmp_path: Path) -> None:
    """The first variable in the program's order is what it uses; nothing has to be withheld."""
    used = credentials(tmp_path, VENDOR_KEY="k", VENDOR_TOKEN="t").used()
    assert used == Credential("key", "VENDOR_KEY")


@pytest.mark.parametrize("env", [{"VENDOR_PLAN": "p"}, {}], ids=["variable", "file"])
def test_a_key_does_not_replace_a_subscription(tmp_path: Path, env: dict[str, str]) -> None:
    """With a subscription every paid key is withheld, though the program would take it first."""
    if not env:
        (tmp_path / "login.json").write_text(PLAN_FILE)
    used = credentials(tmp_path, **env, VENDOR_KEY="k", VENDOR_TOKEN="t").used()
    assert used == Credential(
        "subscription", "VENDOR_PLAN" if env else "login.json", ("VENDOR_KEY", "VENDOR_TOKEN")
    )


def test_a_key_that_cant_be_withheld_is_said(tmp_path: Path) -> None:
    """Where the program would take a key from a file before the plan, that is what it uses."""
    (tmp_path / "login.json").write_text(PLAN_FILE)
    (tmp_path / "helper").write_text("")
    sources = (KEY, CredentialSource("key", file="helper"), PLAN)
    for env, used in (({}, "helper"), ({"VENDOR_KEY": "k"}, "VENDOR_KEY")):
        found = Credentials(sources, env=env, folder=tmp_path, account=Account())
        assert found.used() == Credential("key", used)


def test_an_account_may_prefer_its_key(tmp_path: Path) -> None:
    """The person's word makes the program's own order hold."""
    (tmp_path / "login.json").write_text(PLAN_FILE)
    account = Account(name="work", prefer_key=True)
    assert credentials(tmp_path, account, VENDOR_KEY="k").used() == Credential("key", "VENDOR_KEY")
    assert credentials(tmp_path, account).used() == Credential("subscription", "login.json")


def test_the_accounts_own_key_comes_first(tmp_path: Path) -> None:
    """A key that is stored for the account is used, and no variable of the caller's is seen."""
    (tmp_path / "login.json").write_text(PLAN_FILE)
    account = Account(name="work", key="own")
    used = credentials(tmp_path, account, VENDOR_PLAN="p", VENDOR_KEY="k", OTHER="x").used()
    assert used is not None
    assert (used.kind, used.withheld) == ("key", ("VENDOR_KEY", "VENDOR_PLAN"))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PLAN_FILE, "subscription"),
        ('{"plan": {"token": ""}}', "login"),
        ('{"plan": []}', "login"),
        ("[]", "login"),
        ("no JSON", "login"),
        ("[" * 100_000, "login"),
        (json.dumps({"plan": {"token": "t"}, "x": "x" * 1024 * 1024}), "subscription"),
    ],
)
def test_what_a_login_file_holds(tmp_path: Path, content: str, kind: str) -> None:
    """A file counts as a subscription only with its token in it; a huge one is not read."""
    (tmp_path / "login.json").write_text(content)
    used = credentials(tmp_path).used()
    assert used is not None
    assert (used.kind, used.source) == (kind, "login.json")


def test_a_folder_is_no_login(tmp_path: Path) -> None:
    """A folder with the file's name is passed over."""
    (tmp_path / "login.json").mkdir()
    assert credentials(tmp_path).used() is None


def test_an_agent_of_which_nothing_is_known() -> None:
    """A program whose places are not described logs in by itself."""
    unknown = Credentials((), env={}, folder=Path("/nonexistent"), account=Account())
    assert unknown.used() == Credential("login", "its own")


def test_the_mark_changes_with_each_of_them(tmp_path: Path) -> None:
    """A changed key, variable or login file is another mark, and the same one is the same."""
    marks = [credentials(tmp_path).mark()]
    marks.append(credentials(tmp_path, VENDOR_KEY="k").mark())
    marks.append(credentials(tmp_path, VENDOR_TOKEN="k").mark())
    marks.append(credentials(tmp_path, Account(key="k")).mark())
    login = tmp_path / "login.json"
    login.write_text(PLAN_FILE)
    marks.append(credentials(tmp_path).mark())
    os.utime(login, ns=(1, 1))
    marks.append(credentials(tmp_path).mark())
    login.write_text(PLAN_FILE + " ")
    os.utime(login, ns=(1, 1))
    marks.append(credentials(tmp_path).mark())
    assert len(set(marks)) == len(marks)
    assert credentials(tmp_path, OTHER="x").mark() == marks[-1]


def test_no_secret_is_shown() -> None:
    """An account's key is in no text that is made of it."""
    assert "s3cret" not in repr(Account(key="s3cret"))


def test_a_folder_without_a_login_that_can_be_seen(tmp_path: Path) -> None:
    """Its login may be in a keychain: the caller's variables stay away from the program, too."""
    of_folder = credentials(tmp_path, Account(config_folder=tmp_path), VENDOR_KEY="k")
    assert of_folder.used() is None
    assert of_folder.foreign() == ("VENDOR_KEY",)
    assert credentials(tmp_path, VENDOR_KEY="k").foreign() == ()
