"""How opencode is asked, what it is given to read, and what its steps, log and words mean."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent_requests import REQUEST, not_run
from undaunted.agents.account import Account
from undaunted.agents.agent import AgentResult, RunNotice
from undaunted.agents.cli_agent import CliContext
from undaunted.agents.long_wait import LongWaitError, wait_failure
from undaunted.agents.opencode import OpencodeAgent, merged_configuration
from undaunted.agents.opencode_output import OPENCODE_RULES, OpencodeReader
from undaunted.agents.reader import Ending
from undaunted.failures import Failure
from undaunted.tasks import PermissionDenial, Permissions, Usage

NOW = datetime(2026, 7, 30, 11, 0, tzinfo=UTC)
NOW_MS = NOW.timestamp() * 1000


def agent(env: Mapping[str, str] | None = None, account: Account | None = None) -> OpencodeAgent:
    context = CliContext(
        env=env or {},
        data_folder=Path("/nonexistent"),
        run_process=not_run,  # type: ignore[arg-type]
        now=lambda: NOW,
    )
    return OpencodeAgent(context, account=account)


def test_command_line() -> None:
    """Events, a title of its own for the session, no message: the prompt is stdin alone."""
    assert agent().arguments(replace(REQUEST, model="openai/gpt-5")) == (
        "run",
        "--format=json",
        "--title=",
        "--model=openai/gpt-5",
    )
    assert agent().stdin(replace(REQUEST, prompt="--help")) == b"--help"


def test_a_session_is_resumed_by_its_id() -> None:
    """A session to be continued is named in the flag, keeps its title, and is told to go on."""
    request = replace(REQUEST, resume_session_id="-x")
    assert agent().arguments(request) == ("run", "--format=json", "--session=-x")
    assert agent().stdin(request) != REQUEST.prompt.encode()


@pytest.mark.parametrize(
    ("permissions", "flags"),
    [("read", ("--agent=undaunted-read",)), ("edit", ()), ("full", ("--auto",))],
)
def test_permission_flags(permissions: Permissions, flags: tuple[str, ...]) -> None:
    """`read` is an agent of our own, `full` grants what would be asked for."""
    assert agent().permission_flags(permissions) == flags


def configuration(permissions: Permissions, theirs: str = "{}") -> Any:
    given = {"OPENCODE_CONFIG_CONTENT": theirs}
    settings = agent(given).settings(replace(REQUEST, permissions=permissions))
    return json.loads(settings["OPENCODE_CONFIG_CONTENT"])


def test_read_allows_what_it_names_and_nothing_else() -> None:
    """The first rule denies everything, so that a tool nobody thought of is denied."""
    rules = configuration("read")["agent"]["undaunted-read"]["permission"]
    assert next(iter(rules.items())) == ("*", "deny")
    assert not rules.keys() & {"bash", "edit", "task", "webfetch"}
    assert rules["read"] == {
        "*": "allow",
        "*.env": "deny",
        "*.env.*": "deny",
        "*.env.example": "allow",
    }


def test_edit_asks_for_shell_commands() -> None:
    """What would have to be asked for is denied, whatever was allowed for all of its agents."""
    assert configuration("edit", '{"permission": {"bash": {"*": "allow"}}}')["permission"] == {
        "bash": "ask"
    }
    assert "permission" not in configuration("full")


def test_a_denial_does_not_end_the_run() -> None:
    """Without the setting a denied tool is the end, with exit code 0 and without an answer."""
    for permissions in ("read", "edit", "full"):
        assert configuration(permissions)["experimental"] == {"continue_loop_on_deny": True}


def test_the_callers_configuration_stays() -> None:
    """Ours is put into the caller's own, which is not lost."""
    theirs = '{"model": "a/b", "experimental": {"x": 1}, "permission": {"edit": "ask"}}'
    assert configuration("edit", theirs) == {
        "model": "a/b",
        "experimental": {"x": 1, "continue_loop_on_deny": True},
        "permission": {"edit": "ask", "bash": "ask"},
    }


@pytest.mark.parametrize("text", ["[1]", "5", '{"experimental": 5, "permission": "allow"}'])
def test_odd_configurations(text: str) -> None:
    """Whatever stands there, what is ours is valid."""
    assert merged_configuration(text, "edit") == {
        "experimental": {"continue_loop_on_deny": True},
        "permission": {"bash": "ask"},
    }


def test_a_configuration_with_comments_is_refused() -> None:
    """opencode would understand it and we don't: another agent is tried, and nothing is lost."""
    refusal = agent({"OPENCODE_CONFIG_CONTENT": "{} // mine"}).refuse(REQUEST)
    assert refusal is not None
    assert (refusal.kind, refusal.action) == ("misconfigured", "switch")
    assert "OPENCODE_CONFIG_CONTENT" in refusal.message


def test_a_model_without_its_provider_is_refused() -> None:
    """A model of another agent's would cost ten seconds to fail."""
    refusal = agent().refuse(replace(REQUEST, model="opus"))
    assert refusal is not None
    assert (refusal.kind, refusal.action) == ("misconfigured", "switch")
    assert agent().refuse(replace(REQUEST, model="anthropic/opus")) is None


@pytest.mark.parametrize("prompt", ["/clear", "@a.txt", "!ls", "-x", "#note", "ü" * 300_000])
def test_every_prompt_is_taken(prompt: str) -> None:
    """Nothing in a prompt on stdin is a command to it."""
    assert agent().refuse(replace(REQUEST, prompt=prompt)) is None


def test_an_empty_prompt_is_refused() -> None:
    """Nothing to do is the task's own fault."""
    refusal = agent().refuse(replace(REQUEST, prompt=" \n"))
    assert refusal is not None
    assert refusal.action == "fail"


def test_a_stored_login_comes_before_a_variable(tmp_path: Path) -> None:
    """That is opencode's own order, for each provider."""
    env = {"HOME": str(tmp_path), "OPENAI_API_KEY": "sk-1"}
    found = agent(env).credential()
    assert found is not None
    assert (found.kind, found.source) == ("key", "OPENAI_API_KEY")
    folder = tmp_path / ".local" / "share" / "opencode"
    folder.mkdir(parents=True)
    (folder / "auth.json").write_text("{}")
    found = agent(env).credential()
    assert found is not None
    assert (found.kind, found.source, found.withheld) == ("login", "opencode/auth.json", ())


def test_an_account_with_a_folder(tmp_path: Path) -> None:
    """Logins and sessions are kept in it; the configuration is the usual one."""
    account = Account(name="work", config_folder=tmp_path)
    assert agent(account=account).account_environment() == {"XDG_DATA_HOME": str(tmp_path)}


def test_an_account_with_a_key() -> None:
    """Its key is the one that is used: stored logins would outrank it, and are hidden."""
    account = Account(name="work", key="sk-1", key_variable="OPENAI_API_KEY")
    assert agent(account=account).account_environment() == {
        "OPENAI_API_KEY": "sk-1",
        "OPENCODE_AUTH_CONTENT": "{}",
    }


# What it prints.


def event(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, "timestamp": NOW_MS, "sessionID": "ses_1", **fields})


def said(text: str) -> str:
    return event("text", part={"text": text})


def finished(reason: str = "stop", output: int = 7, cost: float = 0.5) -> str:
    tokens = {"input": 12, "output": output, "cache": {"read": 3}}
    return event("step_finish", part={"reason": reason, "tokens": tokens, "cost": cost})


def failed(message: str, **data: object) -> str:
    return event("error", error={"name": "APIError", "data": {"message": message, **data}})


def used(tool: str, **state: object) -> str:
    return event("tool_use", part={"tool": tool, "state": state})


def logged(message: str, level: str = "INFO", session: str = "ses_1", more: str = "") -> str:
    name = f'"{message}"' if " " in message else message
    return (
        f"timestamp=2026-07-30T11:00:00.000Z level={level} run=0e3b36f3 message={name}"
        f" providerID=a modelID=b session.id={session} {more}"
    )


STARTED = event("step_start", part={})


def read(*lines: str, stderr: tuple[str, ...] = (), exit_code: int | None = 1) -> AgentResult:
    reader = OpencodeReader()
    for line in lines:
        reader.feed(line.encode())
    for line in stderr:
        reader.feed_stderr(line.encode())
    return reader.conclude(Ending(exit_code, "\n".join(lines), "\n".join(stderr)), now=NOW, tz=UTC)


def failure_of(result: AgentResult) -> Failure:
    assert result.failure is not None
    return result.failure


def test_the_last_step_is_the_answer() -> None:
    """What was said before a tool was on the way; tokens and money are those of all steps."""
    result = read(
        *(STARTED, said("let me look"), used("read", status="completed"), finished("tool-calls")),
        *(STARTED, said("one"), said("two"), finished()),
        exit_code=0,
    )
    assert (result.failure, result.content) == (None, "one\ntwo")
    assert result.usage == Usage(24, 14, 6)
    assert result.cost_usd == 1.0


def test_a_step_with_tools_is_not_the_last() -> None:
    """Some models call it a stop all the same; killed there, there is no answer."""
    result = read(
        STARTED, said("let me"), used("bash", status="completed"), finished(), exit_code=-9
    )
    assert failure_of(result).kind == "crashed"
    assert result.content == "let me"


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("length", "limit_reached"), ("unknown", "broken_response"), ("error", "broken_response")],
)
def test_reasons_that_are_no_end(reason: str, kind: str) -> None:
    """An answer that was cut short is not taken for one, whatever the exit code."""
    result = read(STARTED, said("half"), finished(reason), exit_code=0)
    assert failure_of(result).kind == kind
    assert result.content == "half"


def test_an_empty_answer() -> None:
    """A model that gave out nothing has not answered; one that did has, if only with nothing."""
    assert failure_of(read(STARTED, finished(output=0), exit_code=0)).kind == "broken_response"
    assert read(STARTED, finished(output=1), exit_code=0).content == ""


def test_an_error_that_it_got_over() -> None:
    """After an overflow it sums up and goes on: only an error behind the last step counts."""
    result = read(failed("too long"), STARTED, said("done"), finished(), exit_code=0)
    assert (result.failure, result.content) == (None, "done")
    assert read(STARTED, said("done"), finished(), failed("x", statusCode=500)).failure is not None


def test_a_denied_tool_that_ended_the_run() -> None:
    """Where the person's settings let a denial end it, exit code 0 is no success."""
    denied = "The user rejected permission to use this specific tool call."
    result = read(
        *(STARTED, used("bash", status="error", error=denied, input={"command": "ls"})),
        finished("tool-calls"),
        exit_code=0,
    )
    assert failure_of(result).kind == "permission"
    assert result.permission_denials == (PermissionDenial("bash", "ls"),)


def test_its_own_server_failed() -> None:
    """The event says nothing; the log has the cause, and without it a missing model is likely."""
    hidden = event(
        "error",
        error={"name": "UnknownError", "data": {"message": "Unexpected server error. Check it."}},
    )
    locked = logged("failed", "ERROR", more='ref=err_1 error="Error: database is locked" cause="x"')
    assert failure_of(read(hidden, stderr=(locked,))).kind == "crashed"
    assert failure_of(read(hidden)).kind == "not_found"


def test_errors_in_the_log_are_no_evidence() -> None:
    """A server of tools that can't be reached explains nothing; what was printed does."""
    noise = logged("mcp failed", "ERROR", more='error="Unauthorized: invalid api key"')
    printed = "\x1b[91m\x1b[1mError: \x1b[0mSession not found"
    assert failure_of(read(stderr=(noise, printed))).kind == "not_found"
    assert failure_of(read(stderr=(noise,))).kind == "crashed"


def notices(*lines: str) -> tuple[list[RunNotice], OpencodeReader]:
    reader = OpencodeReader()
    return [n for line in lines if (n := reader.feed_stderr(line.encode()))], reader


def test_inner_retries() -> None:
    """A second request for one step is a retry, and is told with what went wrong before."""
    error = logged("stream error", "ERROR", more='error.error="AI_APICallError: Bad Gateway"')
    told, reader = notices(
        *(logged("process"), logged("stream"), error, error, logged("stream"), logged("stream")),
        *(logged("process"), logged("stream")),
    )
    assert [(n.kind, n.text) for n in told] == [
        ("session", "ses_1"),
        ("inner_retry", "Bad Gateway"),
        ("inner_retry", "the answer was cut off"),
    ]
    assert reader.inner_retries == 2
    assert reader.model == "a/b"


def test_answers_that_break_off_for_ever() -> None:
    """After five steps without a finish reason the run is ended; a step with tools is none."""

    def waits(*lines: str) -> list[RunNotice]:
        reader = OpencodeReader()
        told = [reader.feed(line.encode()) for line in lines]
        return [n for n in told if n is not None and n.wait_s is not None]

    assert waits(*[finished("unknown")] * 4, used("bash"), finished("unknown")) == []
    (notice,) = waits(*[finished("unknown")] * 5)
    assert (notice.kind, notice.wait_s) == ("inner_retry", math.inf)
    said = wait_failure(
        OPENCODE_RULES,
        LongWaitError(notice.text, math.inf),
        now=datetime(2026, 1, 1, tzinfo=UTC),
        max_ahead=timedelta(days=8),
    )
    assert said.kind == "broken_response"


def test_requests_that_are_no_retries() -> None:
    """Sub-agents take turns in the log, each with its own steps; titles are asked for apart."""
    told, reader = notices(
        logged("stream", session="ses_1", more="small=true"),
        logged("process", session="ses_1"),
        logged("stream", session="ses_1"),
        logged("process", session="ses_2"),
        logged("process", session="ses_3"),
        logged("stream", session="ses_3"),
        logged("stream", session="ses_2"),
        "not a line of the log",
        "timestamp=x level=INFO",
    )
    assert ([n.kind for n in told], reader.inner_retries) == (["session"], 0)


@pytest.mark.parametrize(
    ("data", "after_s"),
    [
        ({"responseHeaders": {"retry-after": "1209600"}}, None),  # two weeks: not believed
        ({"responseHeaders": {"retry-after": "90.5"}}, 90.5),
        ({"responseHeaders": {"retry-after": "soon"}}, None),
        ({"responseHeaders": {"retry-after": "9" * 400}}, None),
        ({"responseBody": '{"error": {"resets_in_seconds": 7200}}'}, 7200),
        ({"responseHeaders": {"Retry-After-Ms": "45000"}}, 45),
        ({"responseHeaders": {"retry-after": "Thu, 30 Jul 2026 12:00:00 GMT"}}, 3600),
        (
            {"responseHeaders": {"anthropic-ratelimit-unified-reset": f"{NOW.timestamp():.0f}"}},
            0,
        ),
        (
            # OpenRouter hands on the headers of the service that it asked.
            {
                "responseBody": '{"error": {"metadata": {"headers": {"X-RateLimit-Reset": "'
                f'{NOW_MS + 9000:.0f}"}}}}}}}}'
            },
            9,
        ),
        ({"responseBody": f'{{"error": {{"resets_at": {NOW.timestamp() + 60}}}}}'}, 60),
        ({"responseBody": '{"error": "no object"}', "responseHeaders": []}, None),
        ({"responseBody": "<html>"}, None),
    ],
)
def test_the_end_of_a_limit(data: dict[str, Any], after_s: float | None) -> None:
    """The provider's headers and body are handed on, and say when the limit ends."""
    failure = failure_of(read(failed("Too many", statusCode=429, **data)))
    assert failure.kind == "rate_limited"
    assert failure.retry_after_s == (None if after_s is None else pytest.approx(after_s, abs=0.01))


@pytest.mark.parametrize(
    ("kind", "status", "message", "body"),
    [
        # OpenCode Zen and Go, whose statuses mean other things than the words beside them.
        ("quota_exhausted", 429, "Rate limit exceeded.", {"type": "FreeUsageLimitError"}),
        ("quota_exhausted", 429, "5-hour usage limit reached. Resets in 2hr 5min.", {}),
        ("quota_exhausted", 429, "Subscription quota exceeded. Retry in 1 day.", {}),
        ("rate_limited", 429, "Rate limit exceeded. Please try again later.", {}),
        ("billing", 401, "Insufficient balance. Manage your billing here: x", {}),
        ("billing", 401, "x", {"type": "CreditsError"}),
        ("billing", 401, "Your workspace has reached its monthly spending limit of $20.", {}),
        ("not_found", 401, "Model grok is not supported", {"type": "ModelError"}),
        ("not_found", 401, "Model is disabled", {}),
        ("auth", 401, "Missing API key.", {"type": "AuthError"}),
        ("overloaded", 503, "Upstream request failed: Endpoint is unavailable.", {}),
        ("overloaded", 503, "Inference is temporarily unavailable", {"code": "failover_exhausted"}),
        ("permission", 403, "Request blocked by upstream provider.", {}),
        # Other services
        ("quota_exhausted", 429, "Too Many Requests: quota exceeded", {}),
        ("quota_exhausted", 429, "The usage limit has been reached", {}),
        ("quota_exhausted", 429, "You exceeded your quota", {"code": "insufficient_quota"}),
        ("auth", 400, "API key not valid. Please pass a valid API key.", {}),
        ("auth", 401, "Unauthorized", {}),
        ("permission", 403, "Forbidden: request was blocked by a gateway or proxy.", {}),
        ("overloaded", 529, "Overloaded", {"type": "overloaded_error"}),
        ("server_error", 502, "Bad Gateway", {}),
        ("context_too_long", 400, "prompt has 9,000 tokens: reduce the length of the input", {}),
        ("content_policy", 400, "Invalid prompt: flagged.", {"code": "invalid_prompt"}),
        ("invalid_request", 400, "messages.2: `tool_use` ids were found without results", {}),
        ("network", 408, "Request timed out", {}),
    ],
)
def test_what_providers_say(kind: str, status: int, message: str, body: dict[str, str]) -> None:
    """The words of a provider, and the code in the body of its answer, outrank the status."""
    line = failed(message, statusCode=status, responseBody=json.dumps({"error": body}))
    assert failure_of(read(line)).kind == kind


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("auth", {"type": "AuthError", "message": "Missing key."}),
        ("billing", {"type": "CreditsError", "message": "x"}),
        ("not_found", {"type": "ModelError", "message": "x"}),
        ("quota_exhausted", {"type": "FreeUsageLimitError", "message": "Rate limit exceeded."}),
    ],
)
def test_a_providers_error_as_it_came(kind: str, error: dict[str, str]) -> None:
    """An error event that is the provider's own object is read like one of opencode's."""
    assert failure_of(read(json.dumps({"type": "error", "error": error}))).kind == kind


@pytest.mark.parametrize(
    ("kind", "chunk"),
    [
        ("rate_limited", '{"error":{"error_msg":"Too many requests"}}'),
        ("server_error", '{"error":{"message":"Provider returned error","code":502}}'),
        ("broken_response", '{"choices":[{"delta":{"content":"too many requests"}}]}'),
        ("broken_response", '{"error":{"message":"too many'),
    ],
)
def test_an_error_in_a_chunk_of_the_answer(kind: str, chunk: str) -> None:
    """Of a chunk that fits no schema its error counts, if it is one, and nothing else in it."""
    line = failed(f"Type validation failed: Value: {chunk}.\nError message: [")
    assert failure_of(read(line)).kind == kind


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("auth", "Error: Token refresh failed: 401"),
        ("auth", "AI_LoadAPIKeyError: Anthropic API key is missing. Pass it using 'apiKey'."),
        ("auth", "Poe API key expired. Run `opencode providers login` again."),
        ("auth", "OAuth token refresh failed and no fallback GITLAB_TOKEN is set."),
        ("broken_response", "AI_JSONParseError: JSON parsing failed: Text: {"),
        ("broken_response", "SSE read timed out"),
        ("context_too_long", "Session too large to compact - context exceeds model limit"),
        ("crashed", "Error: Unexpected error\n\ndatabase is locked"),
        ("interrupted", "MessageAbortedError: Aborted"),
        ("invalid_request", "Error: You must provide a message or a command"),
        ("misconfigured", "Error: Config file at ~/x.json is not valid JSON(C): "),
        ("misconfigured", "Error: Configuration is invalid at ~/x.json"),
        ("misconfigured", 'Failed to initialize provider "x". Check credentials and configuration'),
        ("misconfigured", "opencode run [message..]\n\nrun opencode with a message\n"),
        ("misconfigured", "PermissionDenied: FileSystem.open (~/opencode.log)"),
        ("misconfigured", 'Agent not found: "x". Available agents: build'),
        ("network", "Cannot connect to API: Unable to connect. Is the computer able to ..."),
        ("network", "The operation timed out."),
        ("network", "Provider response headers timed out after 300000ms"),
        ("network", "Connection reset by server"),
        ("not_installed", "Error: opencode-ai's postinstall script was not run."),
        ("not_found", "ProviderModelNotFoundError: Model not found: a/b."),
        ("not_found", "Error: Session not found"),
        ("permission", "! permission requested: bash (ls); auto-rejecting"),
        ("rate_limited", 'ERROR service=llm error={"statusCode":429,"x":1}'),
        ("server_error", "HTTP 500: it broke"),
    ],
)
def test_what_it_says_itself(kind: str, text: str) -> None:
    """Its own words mean the same wherever they are printed."""
    on_stdout = OpencodeReader().conclude(Ending(1, text, "", text_mode=True), now=NOW, tz=UTC)
    on_stderr = OpencodeReader().conclude(Ending(1, "", text), now=NOW, tz=UTC)
    assert (failure_of(on_stdout).kind, failure_of(on_stderr).kind) == (kind, kind)


@pytest.mark.parametrize(
    "text",
    [
        "Error: cat: ~/quota/billing/auth.json: No such file",
        "> build · claude-session-limit",
        "\x1b[93m\x1b[1m! \x1b[0m agent \"auth\" not found. Falling back to default agent",
    ],
)  # fmt: skip
def test_words_in_names(text: str) -> None:
    """Words in paths, models and agents' names close no agent."""
    result = OpencodeReader().conclude(Ending(1, "", text), now=NOW, tz=UTC)
    assert failure_of(result).kind in {"crashed", "unknown"}
