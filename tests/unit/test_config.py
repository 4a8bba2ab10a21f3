"""Settings come from where they should, and wrong ones say what, where and what would do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from undaunted.config import Configuration, load_configuration
from undaunted.errors import ConfigurationError


def load(
    tmp_path: Path,
    *,
    person: str = "",
    project: str = "",
    env: dict[str, str] | None = None,
    flags: dict[str, object] | None = None,
) -> Configuration:
    folders = {"person": person, "project": project}
    for name, text in folders.items():
        (tmp_path / name / "inner").mkdir(parents=True)
        if text:
            (tmp_path / name / "undaunted.toml").write_text(text)
    (tmp_path / "project" / ".git").mkdir()
    return load_configuration(
        env=env or {},
        cwd=tmp_path / "project" / "inner",
        person_folder=tmp_path / "person",
        flags=flags,
    )


def test_defaults(tmp_path: Path) -> None:
    """Without any source the documented defaults hold, and say that they are defaults."""
    found = load(tmp_path)
    assert found.settings.order == ("claude", "gemini", "copilot", "codex", "opencode")
    assert found.settings.timeout == 1800
    assert found.settings.idle_timeout == 300
    assert found.settings.deadline == 7200
    assert {origin for _, _, origin in found.rows()} == {"default"}


def test_precedence(tmp_path: Path) -> None:
    """Flag beats environment beats project beats person."""
    found = load(
        tmp_path,
        person='timeout = "1m"\nattempts = 1\nslots = 1\nretry_max = 1',
        project="timeout = 120\nattempts = 2\nslots = 2",
        env={"UNDAUNTED_TIMEOUT": "3m", "UNDAUNTED_ATTEMPTS": "3"},
        flags={"timeout": "4m"},
    )
    values = found.settings
    assert (values.timeout, values.attempts, values.slots, values.retry_max) == (240, 3, 2, 1)
    origins = {name: origin.split(" ")[0] for name, _, origin in found.rows()}
    assert (origins["timeout"], origins["attempts"]) == ("flag", "environment")
    assert (origins["slots"], origins["retry_max"]) == ("project", "person")


def test_order_from_the_environment(tmp_path: Path) -> None:
    """A list in the environment is separated by commas."""
    assert load(tmp_path, env={"UNDAUNTED_ORDER": "gemini, claude"}).settings.order == (
        "gemini",
        "claude",
    )


def test_order_as_one_text(tmp_path: Path) -> None:
    """Names with commas between them are a list too."""
    assert load(tmp_path, person='order = "gemini, claude"').settings.order == ("gemini", "claude")


def test_a_project_can_not_say_what_is_run(tmp_path: Path) -> None:
    """Commands, arguments, passed variables and full permissions of a project are ignored."""
    found = load(
        tmp_path,
        project=(
            'permissions = "full"\n[env]\npass = ["AWS_SECRET_ACCESS_KEY"]\n'
            '[agents.claude]\ncommand = ["/bin/evil"]\nargs = ["--evil"]\nmodel = "opus"\n'
        ),
    )
    claude = found.settings.agents["claude"]
    assert (claude.command, claude.args, claude.model) == ((), (), "opus")
    assert found.settings.env.pass_ == ()
    assert found.settings.permissions == "edit"
    assert len(found.warnings) == 4
    assert all("undaunted.toml" in warning for warning in found.warnings)


def test_the_person_can(tmp_path: Path) -> None:
    """The same settings hold in the person's own file."""
    found = load(
        tmp_path,
        person='permissions = "full"\n[agents.claude]\ncommand = ["/opt/claude"]\n',
    )
    assert found.settings.agents["claude"].command == ("/opt/claude",)
    assert found.settings.permissions == "full"
    assert found.warnings == ()


def test_the_search_ends_at_the_repository(tmp_path: Path) -> None:
    """A file above the repository is not the project's."""
    (tmp_path / "undaunted.toml").write_text("attempts = 9")
    assert load(tmp_path).settings.attempts == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("timeuot = 5", r"unknown setting timeuot \(person .*did you mean timeout\?"),
        ("timeout = -5", r"timeout = -5 \(person .*\): .*is no duration"),
        ("timeout = 0", r"timeout = 0 \(person .*greater than 0"),
        ("attempts = 'many'", r"attempts = 'many' \(person"),
        ("permissions = 'all'", r"permissions = 'all' \(person .*'read', 'edit' or 'full'"),
        ("[agents.claude]\nmodle = 'x'", r"unknown setting agents.claude.modle .*\.model\?"),
        ("[agents.cluade]\nmodel = 'x'", r"unknown setting agents.cluade.model .*claude.model\?"),
        ("timeout = ", "is no valid TOML"),
        ("breaker_open = 1e12", r"breaker_open = .*less than or equal to"),
        ("order = []", r"order = \[\] .*names no agent"),
        ('order = ["claude", "claude"]', "names an agent twice"),
        ('order = ["cluade"]', "there is no agent 'cluade'; known are claude, gemini"),
        ('[env]\npass = ["A=B"]', "'A=B' is no name of a variable"),
    ],
)
def test_wrong_settings(tmp_path: Path, text: str, message: str) -> None:
    """A wrong setting is refused with its name, its place and what would do."""
    with pytest.raises(ConfigurationError, match=message):
        load(tmp_path, person=text)


def test_wrong_environment(tmp_path: Path) -> None:
    """A wrong variable is named as what it is."""
    with pytest.raises(ConfigurationError, match=r"timeout = 'soon' \(environment\)"):
        load(tmp_path, env={"UNDAUNTED_TIMEOUT": "soon"})


def test_an_account_that_is_only_named(tmp_path: Path) -> None:
    """An empty table is an account, too: so the usual login stays among the others."""
    person = "[accounts.claude.default]\n[accounts.claude.work]\nslots = 2\n[agents.claude]\n"
    assert list(load(tmp_path, person=person).settings.accounts["claude"]) == ["default", "work"]


def test_a_table_in_which_nothing_stands_counts(tmp_path: Path) -> None:
    """`[accounts.claude.default]` keeps the usual login; a wrong empty table is told."""
    person = "[accounts.claude.default]\n[accounts.claude.spare]\nkey_from = 'SPARE'\n[env]\n"
    found = load(tmp_path / "right", person=person)
    assert list(found.settings.accounts["claude"]) == ["default", "spare"]
    for number, wrong in enumerate(("acounts.claude.default", "accounts.clyde.default")):
        with pytest.raises(ConfigurationError, match="did you mean"):
            load(tmp_path / str(number), person=f"[{wrong}]")
    with pytest.raises(ConfigurationError, match=r"described\.parrot"):
        load(tmp_path / "described", person="[described.parrot]")


def test_an_empty_table_takes_nothing_away(tmp_path: Path) -> None:
    """A project's empty table leaves what the person's file says in it."""
    person = "[agents.claude]\nmodel = 'opus'"
    found = load(tmp_path, person=person, project="[agents.claude]")
    assert found.settings.agents["claude"].model == "opus"


def test_an_order_may_name_an_account_that_a_stored_key_makes(tmp_path: Path) -> None:
    """The settings don't know the stored keys; only a name that none can have is refused."""
    found = load(tmp_path / "right", person='order = ["claude/spare"]')
    assert found.settings.order == ("claude/spare",)
    with pytest.raises(ConfigurationError, match="no name of an account"):
        load(tmp_path / "wrong", person='order = ["claude/"]')


def test_rows_can_be_written_as_json(tmp_path: Path) -> None:
    """Folders too: `config show` prints every value so."""
    found = load(tmp_path, person="[accounts.claude.work]\nconfig_folder = '/srv/claude'")
    shown = {name: json.dumps(value) for name, value, _ in found.rows()}
    assert shown["accounts.claude.work.config_folder"] == '"/srv/claude"'
