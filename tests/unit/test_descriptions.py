"""A description is checked as it is read, and says what is wrong, where, and what would do."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from undaunted.config import Configuration, load_configuration
from undaunted.descriptions import Description
from undaunted.errors import ConfigurationError
from undaunted.failures import FailureKind

SMALLEST = '[described.robin]\ncommand = ["robin"]\npermissions.edit = []\n'
WITH_EVENTS = SMALLEST + 'output = "jsonl"\nanswer.path = "text"\n'


def load(tmp_path: Path, *, person: str = "", project: str = "") -> Configuration:
    for name, text in {"person": person, "project": project}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "undaunted.toml").write_text(text)
    (tmp_path / "project" / ".git").mkdir()
    return load_configuration(
        env={}, cwd=tmp_path / "project", person_folder=tmp_path / "person", flags={}
    )


def describe(toml: str) -> Description:
    """The description of `robin` in `toml`."""
    return Description.model_validate(tomllib.loads(toml)["described"]["robin"])


def test_the_smallest_description(tmp_path: Path) -> None:
    """A command and one level of permissions make an agent that can be named anywhere."""
    text = f'order = ["robin", "claude"]\n{SMALLEST}[agents.robin]\nmodel = "red"\nslots = 2\n'
    settings = load(tmp_path, person=text).settings
    assert settings.agent_names[-1] == "robin"
    assert settings.order == ("robin", "claude")
    assert settings.model_of("robin", "default") == "red"
    assert settings.slots_of("robin", "default") == 2
    assert settings.described["robin"].permissions.of("edit") == ()
    assert settings.described["robin"].permissions.of("full") is None


def test_without_a_description_nothing_is_new(tmp_path: Path) -> None:
    """Where none is described there are the agents that undaunted knows, and no settings more."""
    found = load(tmp_path)
    assert found.settings.described == {}
    assert not [name for name, _, _ in found.rows() if "described" in name]


def test_a_project_can_not_describe(tmp_path: Path) -> None:
    """What a project's file says of it is ignored, with one warning an agent."""
    project = SMALLEST + '[described.wren]\ncommand = ["wren"]\npermissions.edit = []\n'
    found = load(tmp_path, person=SMALLEST, project=project.replace('"robin"]', '"evil"]'))
    assert found.settings.described["robin"].command == ("robin",)
    assert list(found.settings.described) == ["robin"]
    assert [re.findall(r"described\.\w+", warning) for warning in found.warnings] == [
        ["described.robin"],
        ["described.wren"],
    ]


def test_what_is_said_is_shown_with_its_origin(tmp_path: Path) -> None:
    """`config show` has what a description says, and not its many defaults."""
    rows = load(tmp_path, person=WITH_EVENTS + 'error.path = "oops"\n').rows()
    of_robin = {name: value for name, value, _ in rows if name.startswith("described.")}
    assert of_robin == {
        "described.robin.command": ("robin",),
        "described.robin.permissions.edit": (),
        "described.robin.output": "jsonl",
        "described.robin.answer.path": "text",
        "described.robin.error": ({"path": "oops"},),
    }
    assert {o.split(" ")[0] for n, _, o in rows if n.startswith("described.")} == {"person"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("comand = []", r"described\.robin \(person .*no key 'comand' in it; did you mean command"),
        ("zzz = 1", r"described\.robin \(person .*no key 'zzz' in it; known are command, args"),
        ("answer.pth = 'x'", r"described\.robin\.answer \(person .*did you mean path"),
        ("args = '--json -v'", r'robin\.args = .* list of arguments is needed: \["--json", "-v"\]'),
        ("args = ['{modle}']", r"args has \{modle\}; what is filled in there: \{cwd\}"),
        ("args = ['{prompt}']", r"args has \{prompt\}"),
        ("model_args = ['--model']", r"model_args needs \{model\}"),
        ("session_args = ['--id']", r"session_args needs \{session\}"),
        ("permissions.read = ['{model}']", r"permissions\.read has \{model\}"),
        ("prompt = 'argv'", r"robin\.prompt = 'argv' .*'stdin', 'argument' or 'file'"),
        ("prompt = 'argument'", r"prompt_args needs \{prompt\}"),
        ("prompt = 'file'", r"prompt_args needs \{file\}"),
        ("output = 'xml'", r"robin\.output = 'xml' .*'text', 'json' or 'jsonl'"),
        ("output = 'json'", r'output is "json": needs answer\.path'),
        ("session.path = 'id'", r'output is "text": there are no events'),
        ("done.type = 'end'", r'output is "text": there are no events'),
        ("environment = { 'A B' = '1' }", r"'A B' is no name of a variable"),
        ("environment = { A = 1 }", r"robin\.environment\.A = 1 .*valid string"),
        ("pass = ['A-B']", r"robin\.pass = \['A-B'\] .*'A-B' is no name of a variable"),
        ("pass = ['*']", r"'' is no name of a variable"),
        ("statuses = { 429 = 'busy' }", r"robin\.statuses\.429 = 'busy' .*'overloaded'"),
        ("credentials = [{ kind = 'key' }]", r"credentials\.0 .*needs a variable or a file"),
        (
            "credentials = [{ kind = 'key', variable = 'A', file = 'a' }]",
            r"credentials\.0 .*needs a variable or a file, and not both",
        ),
        (
            "credentials = [{ kind = 'key', variable = 'A', path = 'a' }]",
            r"credentials\.0 .*has a path into no file",
        ),
        (
            "resume = { args = ['--on={session}'], lost = 'none such' }",
            r"resume needs session\.path, where the id is, or session_args",
        ),
        ("resume = { args = ['--on'], lost = 'x' }", r"resume\.args needs \{session\}"),
        ("resume = { args = ['{session}'] }", r"robin\.resume\.lost \(person .*Field required"),
        (
            "error = { where = { a = 1 } }",
            r"error\.0 .*needs the path of a text in an event, or a pattern",
        ),
        ("inner_retry = { where = { a = 1 }, pattern = 'x' }", r"inner_retry .*needs the path"),
        (
            "rules = [{ pattern = 'x', kind = 'busy' }]",
            r"rules\.0\.kind = 'busy' .*'rate_limited'",
        ),
        ("rules = [{ patern = 'x', kind = 'auth' }]", r"rules\.0 .*did you mean pattern"),
        ("rules = [{ pattern = 'x', kind = 'cancelled' }]", r"what a person does"),
        (
            "rules = [{ pattern = 'x', kind = 'auth', blames_task = true }]",
            r"blames_task goes with invalid_request only",
        ),
    ],
)
def test_wrong_descriptions(tmp_path: Path, text: str, message: str) -> None:
    """What is wrong is refused with its dotted name, its place, and what would do."""
    with pytest.raises(ConfigurationError, match=message):
        load(tmp_path, person=f"{SMALLEST}{text}\n")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "is no regular expression"),
        ("a{99999999999}", "is no regular expression"),
        ("x*", "matches a text of no characters"),
        ("", "matches a text of no characters"),
        ("x" * 1001, "has 1001 characters; at most 1000"),
        (r"(?:\w+\s*)+$", "repeats a group that ends with a repetition"),
    ],
)
def test_patterns_that_would_be_a_trap(pattern: str, message: str) -> None:
    """A pattern that is none, matches everything, or may never end is refused."""
    described = {"command": ["x"], "permissions": {"edit": []}}
    rule = {"pattern": pattern, "kind": "auth"}
    with pytest.raises(ValidationError, match=re.escape(message)):
        Description.model_validate(described | {"rules": [rule]})


def test_a_pattern_may_end_a_group_with_an_escaped_sign() -> None:
    """`\\+` is a plus and no repetition."""
    text = SMALLEST + "rules = [{ pattern = '(c\\+)+', kind = 'auth' }]"
    assert describe(text).rules[0].kind is FailureKind.AUTH


@pytest.mark.parametrize("path", ["", ".", "a..b", "a.", "a" * 201])
def test_wrong_paths(path: str) -> None:
    """A path has a key on each side of each dot."""
    described = {"command": ["x"], "permissions": {"edit": []}, "output": "json"}
    with pytest.raises(ValidationError, match="is no path"):
        Description.model_validate(described | {"answer": {"path": path}})


@pytest.mark.parametrize(
    "arguments",
    [
        ["{prompt}"],
        ["--message", "{prompt}"],
        ["x", "{prompt}"],
        ["{prompt}", "--"],
        ["--", "--{prompt}"],
        ["-m{prompt}"],
        ["{prompt}=x"],
        ["--m={prompt}", "{prompt}"],
    ],
)
def test_a_prompt_that_could_become_an_option(arguments: list[str]) -> None:
    """A prompt as an argument stands behind `--option=` or `--`, else it is refused."""
    described = {"command": ["x"], "permissions": {"edit": []}, "prompt": "argument"}
    with pytest.raises(ValidationError, match="must never become an option"):
        Description.model_validate(described | {"prompt_args": arguments})


@pytest.mark.parametrize(
    "arguments",
    [["--message={prompt}"], ["-m={prompt}"], ["--", "{prompt}"], ["--", "x", "{prompt}"]],
)
def test_a_prompt_that_can_not_become_an_option(arguments: list[str]) -> None:
    """Both ways of handing a prompt over as an argument are taken."""
    described = {"command": ["x"], "permissions": {"edit": []}, "prompt": "argument"}
    taken = Description.model_validate(described | {"prompt_args": arguments})
    assert taken.prompt_args == tuple(arguments)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("claude", "'claude' is taken by an agent"),
        ("simulated", "'simulated' is taken by an agent"),
        ("Robin", "'Robin' is no name"),
        ("9lives", "'9lives' is no name"),
        ('"a/b"', "'a/b' is no name"),
        ('"a=b"', "'a=b' is no name"),
        ('"a,b"', "'a,b' is no name"),
    ],
)
def test_names(tmp_path: Path, name: str, message: str) -> None:
    """A name is the agent's own, and fits where names are listed and divided."""
    with pytest.raises(ConfigurationError, match=message):
        load(tmp_path, person=SMALLEST.replace("robin", name, 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('order = ["robbin"]\n' + SMALLEST, r"order = .*no agent 'robbin'; known are .*, robin"),
        (
            SMALLEST + "[agents.robbin]\nslots = 1",
            r"agents\.robbin\.slots .*agents\.robin\.slots\?",
        ),
        (SMALLEST + "[agents.robin]\nslts = 1", r"agents\.robin\.slts .*agents\.robin\.slots\?"),
        ("[described.robin]\ncommand = []\n", r"robin\.command = \[\] .*at least 1"),
        ('[described.robin]\ncommand = ["x"]\n', r"robin\.permissions \(person .*Field required"),
        ("[described]\nrobin = 5\n", r"described\.robin = 5 \(person"),
    ],
)
def test_wrong_settings_around_a_description(tmp_path: Path, text: str, message: str) -> None:
    """Names of described agents are known where names are, and what is missing is said."""
    with pytest.raises(ConfigurationError, match=message):
        load(tmp_path, person=text)


def test_where_has_tables_in_tables(tmp_path: Path) -> None:
    """A dotted key of TOML means the same in a table and in a list of tables."""
    where = 'where = { type = "item", item.type = "message" }, path = "text"'
    table = load(tmp_path, person=f"{WITH_EVENTS}error = {{ {where} }}\n").settings
    assert describe(f"{WITH_EVENTS}error = [{{ {where} }}]\n") == table.described["robin"]
    assert table.described["robin"].error[0].where == {"type": "item", "item": {"type": "message"}}


def test_a_quoted_dot_in_where_is_refused() -> None:
    """A key with a dot in it would be looked for as it stands, and never be found."""
    with pytest.raises(ValidationError, match=r"has the key 'item\.type': write it without quotes"):
        describe(WITH_EVENTS + 'error = [{ where = { "item.type" = "x" }, path = "text" }]')
