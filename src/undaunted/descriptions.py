"""Agents that a person describes in `undaunted.toml`: the tables below `[described.NAME]`.

A description says how a program is started and what its output means; it is checked as it is read,
so that what is wrong in it is said before a task meets it. docs/agents/adding-one.md writes one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from undaunted.description_values import (
    Arguments,
    JsonPath,
    Pattern,
    Variable,
    Where,
    check_variable,
    placeholders,
)
from undaunted.failures import FailureKind
from undaunted.tasks import AgentName, Permissions

__all__ = [
    "CredentialPlace",
    "DescribedRule",
    "Description",
    "Descriptions",
    "ErrorPlace",
    "PermissionArguments",
    "Place",
    "RepeatedPlace",
    "ResumeArguments",
    "RetryPlace",
    "UsagePlaces",
]

_NAME = re.compile(r"[a-z][a-z0-9-]*")
# Beside the agents, the name under which recorded rehearsals are explained.
_TAKEN = frozenset({*AgentName, "simulated"})
# `--option=` in front of a prompt: whatever the prompt begins with, it is the option's value.
_PROMPT_IN_OPTION = re.compile(r"--?[A-Za-z0-9][\w-]*=\{prompt\}")

Take = Literal["last", "all"]
"""Of what is printed several times, the last counts, or all of it together."""


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, dict) else value


class _Table(BaseModel):
    # Deferred: the settings build all of these into their own validator, for every command's start.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, table: object) -> object:
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for key in table if isinstance(table, dict) else ():
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
                raise ValueError(f"there is no key {key!r} in it; {hint}")
        return table


class Place(_Table):
    """Where a value stands in the JSON that an agent prints.

    Attributes:
        where: What an event has to hold for the value to be looked for in it: a part of it, with
            the same keys and values; a list stands for any of its values. Empty: any event.
        path: Keys that lead to the value, with dots between them; a number is a place in a list
            (-1: the last), `*` is each of them.
    """

    where: Where = Field(default_factory=dict)
    path: JsonPath


class RepeatedPlace(Place):
    """Where a value stands that may be printed several times.

    Attributes:
        take: The last one counts, or all of them: texts joined, numbers added up.
    """

    take: Take = "last"


class UsagePlaces(_Table):
    """Where the numbers of tokens stand.

    Attributes:
        where: As for `Place`.
        input: JsonPath to the tokens of the prompt.
        output: JsonPath to the tokens of the answer.
        cached_input: JsonPath to those of the prompt that came out of a cache.
        take: The last ones count, or all of them added up.
    """

    where: Where = Field(default_factory=dict)
    input: JsonPath | None = None
    output: JsonPath | None = None
    cached_input: JsonPath | None = None
    take: Take = "last"


class RetryPlace(_Table):
    """A notice of the program's own retries: an event with a `path`, else a line of stderr.

    Attributes:
        where: As for `Place`.
        path: JsonPath to the notice's text.
        pattern: What the text has to match; needed for a line of stderr.
    """

    where: Where = Field(default_factory=dict)
    path: JsonPath | None = None
    pattern: Pattern | None = None

    @model_validator(mode="after")
    def _says_where(self) -> RetryPlace:
        if self.path is None and (self.where or self.pattern is None):
            raise ValueError("needs the path of a text in an event, or a pattern of stderr's lines")
        return self


class ErrorPlace(RetryPlace):
    """Where the program says that it failed: an event with a `path`, else a line of stderr.

    Attributes:
        status: JsonPath to the HTTP status in the same event.
        resets_at: JsonPath to the end of a limit in the same event, in seconds since 1970.
    """

    status: JsonPath | None = None
    resets_at: JsonPath | None = None


class DescribedRule(_Table):
    """A text that matches `pattern` (whatever its case) is a failure of `kind`.

    Attributes:
        pattern: A regular expression, looked for anywhere in the text.
        kind: What went wrong.
        blames_task: The prompt is at fault, so that no other agent would help; for
            `invalid_request` alone.
    """

    pattern: Pattern
    kind: FailureKind
    blames_task: bool = False

    @model_validator(mode="after")
    def _makes_sense(self) -> DescribedRule:
        if self.kind is FailureKind.CANCELLED:
            raise ValueError("cancelled is what a person does, never a program")
        if self.blames_task and self.kind is not FailureKind.INVALID_REQUEST:
            raise ValueError("blames_task goes with invalid_request only")
        return self


class PermissionArguments(_Table):
    """The arguments for each level of permissions; without them, the agent can't be run with it."""

    read: Arguments | None = None
    edit: Arguments | None = None
    full: Arguments | None = None

    def of(self, permissions: Permissions) -> tuple[str, ...] | None:
        """Those for `permissions`; None where none are described."""
        return {"read": self.read, "edit": self.edit, "full": self.full}[permissions]

    @model_validator(mode="after")
    def _any(self) -> PermissionArguments:
        if self.read is self.edit is self.full is None:
            raise ValueError("needs arguments for read, edit or full ([] where none are needed)")
        return self


class ResumeArguments(_Table):
    """How a session of the program's own is continued.

    Attributes:
        args: Arguments with `{session}` in them, in place of `session_args`.
        lost: What the program says (a pattern) when there is no such session, or it is locked.
    """

    args: Arguments
    lost: Pattern


class CredentialPlace(_Table):
    """A place in which the program looks for its login.

    Attributes:
        kind: `key` (every request is paid for), `subscription` (a plan) or `login` (either).
        variable: A variable of the environment.
        file: A file below `config_folder`.
        path: JsonPath to a value in that file's JSON, without which it holds no such login.
    """

    kind: Literal["key", "login", "subscription"]
    variable: Variable | None = None
    file: str | None = None
    path: JsonPath | None = None

    @model_validator(mode="after")
    def _one_place(self) -> CredentialPlace:
        if (self.variable is None) == (self.file is None):
            raise ValueError("needs a variable or a file, and not both")
        if self.path is not None and self.file is None:
            raise ValueError("has a path into no file")
        return self


class Description(_Table):
    """`[described.NAME]`: an agent as a person describes it.

    Attributes:
        command: The program and its first arguments.
        args: The arguments behind them. `{cwd}` is the working directory, here and in all others.
        model_args: Those that ask for a model, `{model}`.
        session_args: Those that begin a session with an id of ours, `{session}`, a UUID.
        prompt: How the program gets the prompt.
        prompt_args: The last arguments: with `{prompt}` for `argument`, `{file}` for `file`.
        output: What it prints on stdout: the answer itself, one JSON document, or JSON lines.
        success_exit_codes: Exit codes with which an answer counts.
        answer: Where the answer stands; needed unless the output is text.
        done: What an event holds that ends every success; a run without it has failed.
        session: Where the id of the program's session stands.
        model: Where the model that it used is named.
        usage: Where the tokens are counted.
        cost: Where the cost stands.
        error: Where it says why it failed; one place, or several.
        inner_retry: Where it tells of its own retries.
        rules: What its words mean, before what every provider says.
        statuses: What an HTTP status means to it, where that is not the usual.
        permissions: Its arguments for each level of permissions.
        resume: How it continues a session.
        environment: Variables that are set for it.
        pass_: Names of the caller's variables that it sees; `NAME_*` are all that begin so.
        credentials: The places in which it looks for a login, in its own order.
        key_variable: The variable that it takes a key from.
        config_variable: The variable that moves its configuration folder.
        config_folder: That folder's usual place below HOME.
    """

    command: Annotated[Arguments, Field(min_length=1)]
    args: Arguments = ()
    model_args: Arguments = ()
    session_args: Arguments = ()
    prompt: Literal["stdin", "argument", "file"] = "stdin"
    prompt_args: Arguments = ()
    output: Literal["text", "json", "jsonl"] = "text"
    success_exit_codes: tuple[int, ...] = (0,)
    answer: RepeatedPlace | None = None
    done: Where = Field(default_factory=dict)
    session: Place | None = None
    model: Place | None = None
    usage: UsagePlaces | None = None
    cost: RepeatedPlace | None = None
    error: Annotated[tuple[ErrorPlace, ...], BeforeValidator(_one_or_more)] = ()
    inner_retry: RetryPlace | None = None
    rules: tuple[DescribedRule, ...] = ()
    statuses: dict[int, FailureKind] = Field(default_factory=dict)
    permissions: PermissionArguments
    resume: ResumeArguments | None = None
    environment: dict[Variable, str] = Field(default_factory=dict)
    pass_: tuple[str, ...] = Field(default=(), alias="pass")
    credentials: tuple[CredentialPlace, ...] = ()
    key_variable: Variable | None = None
    config_variable: Variable | None = None
    config_folder: str = ""

    @field_validator("pass_")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            check_variable(name.removesuffix("*"))
        return names

    @model_validator(mode="after")
    def _fits_together(self) -> Description:
        """Raises ValueError where what is said in one place does not go with another."""
        self._check_placeholders()
        self._check_prompt()
        found = (self.answer, self.session, self.model, self.usage, self.cost, self.done or None)
        if self.output == "text" and any(place is not None for place in found):
            raise ValueError('output is "text": there are no events in which to look for values')
        if self.output != "text" and self.answer is None:
            raise ValueError(f'output is "{self.output}": needs answer.path, where the answer is')
        if self.resume is not None and self.session is None and not self.session_args:
            raise ValueError("resume needs session.path, where the id is, or session_args")
        return self

    def _check_placeholders(self) -> None:
        has: dict[str, tuple[Iterable[str], str, bool]] = {
            "args": (self.args, "", False),
            "model_args": (self.model_args, "model", bool(self.model_args)),
            "session_args": (self.session_args, "session", bool(self.session_args)),
        }
        if self.resume is not None:
            has["resume.args"] = (self.resume.args, "session", True)
        prompt = {"stdin": "", "argument": "prompt", "file": "file"}[self.prompt]
        has["prompt_args"] = (self.prompt_args, prompt, bool(prompt))
        for level in ("read", "edit", "full"):
            has[f"permissions.{level}"] = (getattr(self.permissions, level) or (), "", False)
        for name, (arguments, own, needed) in has.items():
            used = placeholders(arguments)
            if strange := sorted(used - {"cwd", own}):
                allowed = " and ".join(f"{{{n}}}" for n in sorted({"cwd", own} - {""}))
                raise ValueError(f"{name} has {{{strange[0]}}}; what is filled in there: {allowed}")
            if needed and own not in used:
                raise ValueError(f"{name} needs {{{own}}}")

    def _check_prompt(self) -> None:
        if self.prompt != "argument":
            return
        holding = [n for n, one in enumerate(self.prompt_args) if "{prompt}" in one]
        for n in holding:
            behind = self.prompt_args[n] == "{prompt}" and "--" in self.prompt_args[:n]
            if not behind and _PROMPT_IN_OPTION.fullmatch(self.prompt_args[n]) is None:
                raise ValueError(
                    'a prompt must never become an option: write prompt_args as ["--", "{prompt}"]'
                    ' or ["--message={prompt}"]'
                )


def _named(described: dict[str, Description]) -> dict[str, Description]:
    for name in described:
        if name in _TAKEN:
            raise ValueError(f"the name {name!r} is taken by an agent that undaunted knows")
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is no name: a to z, 0 to 9 and -, with a letter first")
    return described


Descriptions = Annotated[dict[str, Description], AfterValidator(_named)]
