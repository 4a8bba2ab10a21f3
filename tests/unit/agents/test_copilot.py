"""How Copilot CLI is asked, what it can't be asked, and what GitHub's words mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent_requests import REQUEST, not_run
from undaunted.agents.account import Account
from undaunted.agents.agent import AgentResult
from undaunted.agents.cli_agent import CliContext
from undaunted.agents.copilot import CopilotAgent
from undaunted.agents.copilot_output import CopilotReader
from undaunted.agents.reader import Ending
from undaunted.failures import Failure
from undaunted.tasks import Permissions

NOW = datetime(2026, 7, 30, 11, 0, tzinfo=UTC)
PROVIDER = {"COPILOT_PROVIDER_BASE_URL": "http://127.0.0.1:1/v1"}


def agent(env: Mapping[str, str] | None = None, account: Account | None = None) -> CopilotAgent:
    context = CliContext(
        env=env or {},
        data_folder=Path("/nonexistent"),
        run_process=not_run,  # type: ignore[arg-type]
        now=lambda: NOW,
    )
    return CopilotAgent(context, account=account)


def test_command_line() -> None:
    """Events as they come, a session of our own, no `-p`: the prompt is stdin alone."""
    assert agent().arguments(replace(REQUEST, model="gpt")) == (
        "--output-format=json",
        "--stream=on",
        f"--session-id={REQUEST.agent_session_id}",
        "--model=gpt",
        "--allow-tool=write",
    )
    assert agent().stdin(replace(REQUEST, prompt="--help")) == b"--help"


def test_a_session_is_resumed_by_its_id() -> None:
    """A session to be continued is named in the flag, and the message says to go on."""
    request = replace(REQUEST, resume_session_id="-x")
    assert "--resume=-x" in agent().arguments(request)
    assert not any(a.startswith("--session-id") for a in agent().arguments(request))
    assert agent().stdin(request) != REQUEST.prompt.encode()


@pytest.mark.parametrize(
    ("permissions", "flags"),
    [
        ("read", ("--deny-tool=write", "--deny-tool=shell")),
        ("edit", ("--allow-tool=write",)),
        ("full", ("--allow-all",)),
    ],
)
def test_permissions(permissions: Permissions, flags: tuple[str, ...]) -> None:
    """`read` denies, `edit` allows files, `full` allows everything."""
    assert agent().permission_flags(permissions) == flags


@pytest.mark.parametrize(
    ("prompt", "command"),
    [
        ("/compact", "/compact"),
        (" /compact now", "/compact"),
        ("\ufeff/compact", "/compact"),
        ("/autopilot\ndo it", "/autopilot"),
        ("\n/Goal do it", "/Goal"),
    ],
)
def test_commands_are_refused(prompt: str, command: str) -> None:
    """What the program would obey is refused with a reason; another agent may take it."""
    refusal = agent().refuse(replace(REQUEST, prompt=prompt))
    assert refusal is not None
    assert (refusal.kind, refusal.action) == ("invalid_request", "switch")
    assert f"takes {command} for a command" in refusal.message


@pytest.mark.parametrize(
    "prompt",
    [
        "/clear",
        "/nosuch x",
        "/compacted",
        "/compact: x",
        "/goals",
        "/Compact",
        "@a.txt",
        "!ls",
        "-x",
    ],
)
def test_other_texts_are_taken(prompt: str) -> None:
    """What it hands on as typed is not refused, however much it looks like a command."""
    assert agent().refuse(replace(REQUEST, prompt=prompt)) is None


def test_an_empty_prompt_is_refused() -> None:
    """Nothing to do is the task's own fault."""
    refusal = agent().refuse(replace(REQUEST, prompt=" \n"))
    assert refusal is not None
    assert refusal.action == "fail"


def test_environment() -> None:
    """Its own variables are handed on, but not what grants more than was asked for, nor marks."""
    handed_on = {"COPILOT_MODEL": "m", "GH_TOKEN": "t", "GH_HOST": "h", **PROVIDER}
    kept = {
        "COPILOT_ALLOW_ALL": "true",
        "COPILOT_CLI": "1",
        "COPILOT_LOADER_PID": "7",
        "OTHER": "x",
    }
    seen = agent({**handed_on, **kept})._environment(REQUEST, Path("/t"))
    assert handed_on.items() <= seen.items()
    assert not kept.keys() & seen.keys()
    assert seen["COPILOT_AUTO_UPDATE"] == "false"


@pytest.mark.parametrize(
    ("env", "kind", "source"),
    [
        ({}, None, None),
        ({"GH_TOKEN": "t"}, "subscription", "GH_TOKEN"),
        (
            {"GITHUB_TOKEN": "t", "COPILOT_GITHUB_TOKEN": "t"},
            "subscription",
            "COPILOT_GITHUB_TOKEN",
        ),
        ({"GH_TOKEN": "t", "COPILOT_PROVIDER_API_KEY": "k"}, "subscription", "GH_TOKEN"),
        ({"GH_TOKEN": "t", **PROVIDER}, "login", "COPILOT_PROVIDER_BASE_URL"),
        (
            {"GH_TOKEN": "t", "COPILOT_PROVIDER_API_KEY": "k", **PROVIDER},
            "key",
            "COPILOT_PROVIDER_API_KEY",
        ),
    ],
)
def test_credential(env: dict[str, str], kind: str | None, source: str | None) -> None:
    """A provider that the person chose by its address is used; else what GitHub gave."""
    used = agent(env).credential()
    assert (used and used.kind, used and used.source) == (kind, source)


def test_an_accounts_key_is_for_what_its_variable_says() -> None:
    """A GitHub token of the account's own hides the provider; a provider's key needs it."""
    env = {"GH_TOKEN": "t", "COPILOT_PROVIDER_API_KEY": "k", **PROVIDER}
    token = agent(env, Account(name="a", key="own"))._environment(REQUEST, Path("/t"))
    assert token["COPILOT_GITHUB_TOKEN"] == "own"
    assert not token.keys() & env.keys()
    keyed = Account(name="b", key="own", key_variable="COPILOT_PROVIDER_API_KEY")
    provider = agent(env, keyed)._environment(REQUEST, Path("/t"))
    assert provider["COPILOT_PROVIDER_API_KEY"] == "own"
    assert PROVIDER.items() <= provider.items()
    assert "GH_TOKEN" not in provider


def test_an_account_has_its_own_folder(tmp_path: Path) -> None:
    """A login in another folder is reached by the vendor's variable, and is seen there."""
    (tmp_path / "config.json").write_text("// managed\n{}", encoding="utf-8")
    other = agent({}, Account(name="work", config_folder=tmp_path))
    assert other.account_environment() == {"COPILOT_HOME": str(tmp_path)}
    used = other.credential()
    assert used is not None
    assert (used.kind, used.source) == ("login", "config.json")


# --- what it prints -----------------------------------------------------------------------------


def event(kind: str, **data: object) -> str:
    return json.dumps({"type": kind, "data": data})


def result(exit_code: int = 0) -> str:
    return json.dumps({"type": "result", "sessionId": "id", "exitCode": exit_code, "usage": {}})


def conclude(*lines: str, exit_code: int | None = 0, stderr: str = "") -> AgentResult:
    reader = CopilotReader()
    for line in lines:
        reader.feed(line.encode())
    return reader.conclude(Ending(exit_code, "\n".join(lines), stderr), now=NOW, tz=UTC)


def failure_of(text: str, **data: object) -> Failure:
    """How a run ended whose error event says `text`."""
    told: dict[str, object] = {"errorType": "query", "message": text, **data}
    error = event("session.error", **told)
    failure = conclude(error, result(1), exit_code=1).failure
    assert failure is not None
    return failure


MESSAGE = event("assistant.message", content="done", toolRequests=[])
ASKING = event("assistant.message", content="I look", toolRequests=[{"name": "bash"}])


def test_the_last_message_is_the_answer() -> None:
    """What was said on the way to a tool is not the answer, nor are a subagent's words."""
    of_subagent = event("assistant.message", content="mine", toolRequests=[], parentToolCallId="c")
    by_agent_id = json.dumps({**json.loads(MESSAGE), "agentId": "a", "data": {"content": "no"}})
    done = conclude(ASKING, MESSAGE, of_subagent, by_agent_id, result())
    assert (done.content, done.failure, done.agent_session_id) == ("done", None, "id")


@pytest.mark.parametrize(
    "lines",
    [
        (MESSAGE,),
        (ASKING, result()),
        (result(),),
        (MESSAGE, event("abort", reason="user_initiated"), result()),
        (MESSAGE, event("assistant.idle", aborted=True), result()),
        (MESSAGE, event("session.task_complete", summary="no", success=False), result()),
    ],
    ids=["no result", "asks for a tool", "no message", "aborted", "aborted idle", "not complete"],
)
def test_a_clean_exit_without_an_answer_is_a_failure(lines: tuple[str, ...]) -> None:
    """Exit code 0 is no evidence of success."""
    ended = conclude(*lines)
    assert ended.failure is not None
    assert ended.failure.action == "retry"


def test_a_completed_task_has_its_summary() -> None:
    """In autopilot mode the answer is what the agent said when it called the task complete."""
    complete = event("session.task_complete", summary="all done", success=True)
    assert conclude(ASKING, complete, result()).content == "all done"


def test_errors_that_it_survived_are_no_failure() -> None:
    """What a hook complained of explains a failure only where nothing else does."""
    passing = event("session.error", errorType="hook", message="invalid api key")
    assert conclude(passing, MESSAGE, result()).content == "done"
    fatal = event("session.error", errorType="query", message="500 oops", statusCode=500)
    ended = conclude(fatal, passing, result(1), exit_code=1)
    assert ended.failure is not None
    assert ended.failure.kind == "server_error"
    alone = conclude(passing, result(1), exit_code=1)
    assert alone.failure is not None
    assert alone.failure.kind == "auth", "nothing better is known"


def test_inner_retries_are_counted_and_told() -> None:
    """Each turn that it retries is one, with the error before it."""
    reader = CopilotReader()
    reader.feed(event("model.call_failure", statusCode=503, errorMessage="busy").encode())
    reader.feed(event("assistant.message_delta", deltaContent="cut").encode())
    notice = reader.feed(event("assistant.turn_retry", reason="server_error").encode())
    assert notice is not None
    assert (notice.kind, notice.text) == ("inner_retry", "server_error: 503 busy")
    assert (reader.inner_retries, reader.partial_answer()) == (1, None)


def test_denied_tools_are_told_with_what_they_asked_for() -> None:
    """A denial names the tool and its command; a tool that failed by itself is none."""
    start = event(
        "tool.execution_start", toolCallId="1", toolName="bash", arguments={"command": "x"}
    )
    denied = event("tool.execution_complete", toolCallId="1", error={"code": "denied"})
    failed = event("tool.execution_complete", toolCallId="2", error={"code": "failure"})
    ended = conclude(start, denied, failed, MESSAGE, result())
    assert [(d.tool, d.detail) for d in ended.permission_denials] == [("bash", "x")]


def test_an_answer_in_pieces_is_kept_when_it_is_cut() -> None:
    """What came of an answer before the run was killed is there."""
    pieces = [event("assistant.message_delta", deltaContent=p) for p in ("one ", "two")]
    assert conclude(*pieces, exit_code=-9).content == "one two"


def test_a_fatal_warning_explains_the_failure() -> None:
    """A prompt that a policy blocked is told as a warning alone."""
    blocked = event("session.warning", warningType="policy_blocked", message="Not here.")
    other = event("session.warning", warningType="mcp", message="no quota")
    ended = conclude(blocked, other, result(1), exit_code=1)
    assert ended.failure is not None
    assert ended.failure.kind == "permission"


def test_seconds_that_have_passed_are_no_time_to_wait() -> None:
    """`total retry wait time` speaks of the past."""
    failure = failure_of(
        "Failed to get response from the AI model; retried 5 times (total retry wait time: 60.67 "
        "seconds) Last error: 429 Too many requests",
        errorType="rate_limit",
        statusCode=429,
    )
    assert (failure.kind, failure.retry_after_s) == ("rate_limited", None)


# Sentences of the program and of GitHub's service, from its event schema and texts and from public
# issues; nobody could record them.
LIMITS = [
    ("rate_limited", "You've hit a rate limit that (...). Please try again in 2 hours.", 7200),
    (
        "rate_limited",
        "You've hit your global rate limit. Please wait 6 seconds for it to reset.",
        6,
    ),
    ("rate_limited", "You've hit the rate limit for this model. Try again in 20 minutes.", 1200),
    ("rate_limited", "Your request was rate-limited. Please wait 71 minutes.", 4260),
    ("quota_exhausted", "You've exceeded your 5 hour session limits. Retry after 2733 s.", 2733),
    ("quota_exhausted", "You've reached your weekly rate limit. It will reset in 3 days.", 259_200),
    ("quota_exhausted", "Please wait 9 hours 44 minutes. (user_weekly_rate_limited)", 35_040),
    (
        "quota_exhausted",
        "Credit limit reached: credits reset on August 1, 2026 at 5:30 AM.",
        153_000,
    ),
]


@pytest.mark.parametrize(("kind", "text", "seconds"), LIMITS)
def test_limits_of_githubs_service(kind: str, text: str, seconds: float) -> None:
    """A limit's kind and its end are read from the sentence."""
    failure = failure_of(text, errorType="rate_limit", statusCode=429)
    assert failure.kind == kind
    assert failure.retry_after_s == pytest.approx(seconds, abs=90)


SENTENCES = [
    ("auth", "401 401 unauthorized: unauthorized: AuthenticateToken authentication failed"),
    ("auth", "Authorization error, you may need to run /login"),
    ("auth", "Authorization error. Your credentials may be expired or invalid."),
    ("auth", "You are not licensed to use Copilot."),
    ("auth", "401 IDE token expired: unauthorized: token expired"),
    ("auth", "Authentication failed with provider at http://localhost:1/v1"),
    ("auth", "The provided personal access token (PAT) does not have Copilot Requests permission."),
    ("auth", "Error: Authentication token found but could not be validated.\n  Bad credentials"),
    ("billing", "You have multiple GitHub Copilot licenses from organizations or enterprises."),
    ("broken_response", "Execution failed: Error: missing finish_reason for choice 0"),
    ("broken_response", "Error: Stream completed without a response.completed event"),
    ("broken_response", "No response was returned. Send your message again to retry."),
    ("broken_response", "Responses stream ended without a completed response"),
    ("content_policy", "Sorry, the response was filtered by the Responsible AI Service."),
    ("content_policy", "No content because the response was blocked by content filtering."),
    ("content_policy", "Claude declined the request due to a content policy refusal."),
    ("context_too_long", "CAPIError: 400 prompt token count of 74490 exceeds the limit of 72000"),
    (
        "context_too_long",
        "The request is too large to send through CAPI Responses. (5.0 MB request)",
    ),
    ("context_too_long", "The context window is full and the request cannot be processed."),
    ("context_too_long", "Automatic compaction timed out (...) exceeds the model's context limit"),
    ("invalid_request", "Execution failed: CAPIError: 400 400 Bad Request (Request ID: A:B:C)"),
    ("limit_reached", "Session limits exhausted before another model call could run."),
    ("limit_reached", "You've reached the spending limit for this session. Start a new session."),
    ("misconfigured", "BYOK providers require an explicit model."),
    ("misconfigured", 'Provider transport "websockets" requires wireApi "responses".'),
    ("network", "Execution failed: 499 499 status code (no body)"),
    ("network", 'CAPIError: 503 {"error":{"message":"HTTP/2 GOAWAY connection terminated"}}'),
    ("network", "Failed native model HTTP request: peer closed connection"),
    ("network", "Could not connect to local model provider at http://localhost:11434/v1"),
    ("network", 'Model call failed: "Connection error."'),
    ("network", "Execution failed: terminated"),
    ("not_found", 'Model "gpt-5" is not available. It may be disabled by your organization.'),
    ("not_found", 'Error: Model "x" from --model flag is not available.'),
    ("not_found", 'Model "sonet" is not supported by Copilot CLI.'),
    ("not_found", 'Model call failed: {"message":"The requested model is not supported."}'),
    ("not_found", "No model available. Check policy enablement under GitHub Settings > Copilot"),
    ("not_found", "Error: No supported model available"),
    ("not_found", "Resource not found on provider at http://localhost:1/v1"),
    ("crashed", "GitHub Copilot native binary at /x/copilot was terminated by signal SIGSEGV."),
    ("interrupted", "GitHub Copilot native binary at /x/copilot was terminated by signal SIGTERM."),
    ("misconfigured", "error: invalid value 'x' for '--log-level <level>'"),
    ("misconfigured", 'Invalid value "x" for --max-ai-credits. Expected a positive number'),
    ("not_installed", "copilot: /lib/libc.so.6: version `GLIBC_2.34' not found"),
    ("not_installed", "GitHub Copilot CLI: no platform package found. Reinstall with `npm ...`"),
    ("overloaded", "CAPIError: 503 Claude Opus 4.8 is currently experiencing issues."),
    ("permission", "You are not authorized to use this Copilot feature, it requires a policy"),
    ("permission", "Failed to load models: access denied by Copilot policy. (Request ID: DD28)"),
    ("permission", "Error: Failed to list models: 403"),
    ("quota_exhausted", "402 You have no quota (Request ID: 0DAE:25E807:31A9BC6)"),
    ("quota_exhausted", "Quota exceeded. Upgrade to increase your limit: https://x/plans"),
    ("quota_exhausted", "You've run out of your included AI credits for the month."),
    ("quota_exhausted", "You've reached your additional usage limit for your plan."),
    ("quota_exhausted", "You've exhausted your premium model quota."),
    ("quota_exhausted", "You've hit your session rate limit."),
    ("rate_limited", "Model call failed: Sorry, you have exceeded your Copilot token usage."),
    ("rate_limited", "GitHub API rate limit exceeded for the authenticated token."),
    ("server_error", "Failed to get response from the AI model; Last error: Unknown error"),
    ("server_error", "Response was interrupted due to a server error."),
    ("server_error", "Session token expired and the request could not be retried."),
]


@pytest.mark.parametrize(("kind", "text"), SENTENCES)
def test_sentences(kind: str, text: str) -> None:
    """A sentence means the same as an error event, on stderr, and as all that is known of a run."""
    assert failure_of(text).kind == kind
    for ending in (Ending(1, "", f"Error executing prompt: {text}"), Ending(1, text, "", True)):
        failure = CopilotReader().conclude(ending, now=NOW, tz=UTC).failure
        assert failure is not None
        assert failure.kind == kind


@pytest.mark.parametrize(
    ("kind", "type_", "code"),
    [
        ("quota_exhausted", "rate_limit", "user_weekly_rate_limited"),
        ("rate_limited", "rate_limit", "user_global_rate_limited"),
        ("rate_limited", "rate_limit", "user_model_rate_limited"),
        ("rate_limited", "rate_limit", "integration_rate_limited"),
        ("rate_limited", "rate_limit", "rate_limited"),
        ("quota_exhausted", "quota", "quota_exceeded"),
        ("quota_exhausted", "quota", "additional_spend_limit_reached"),
        ("limit_reached", "quota", "session_quota_exceeded"),
        ("billing", "quota", "billing_not_configured"),
        ("quota_exhausted", "quota", "a_new_one"),
        ("auth", "authentication", "a_new_one"),
        ("context_too_long", "query", "model_max_prompt_tokens_exceeded"),
    ],
)
def test_error_codes_of_githubs_service(kind: str, type_: str, code: str) -> None:
    """The codes of the event schema decide where the sentence is one that nobody knows."""
    assert failure_of("Something.", errorType=type_, errorCode=code).kind == kind


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("server_error", "500 Internal server error at http://login.example.org/quota/token"),
        ("server_error", "502 Bad Gateway (billing.example.org)"),
        ("invalid_request", "400 tools.3.custom.name: 'get_quota_exceeded_rows' is too long"),
        ("unknown", "ENOENT: no such file or directory, open '/w/app/login/page.tsx'"),
    ],
)
def test_words_of_a_project_mean_nothing(kind: str, text: str) -> None:
    """An error that quotes a path, a host or a tool is not taken for a bill or a login."""
    assert failure_of(text).kind == kind


def test_the_models_words_are_no_evidence() -> None:
    """In text mode a failure's cause is on stderr, whatever stdout speaks of."""
    ending = Ending(1, "Your quota is exceeded: run /login.", "500 oops", text_mode=True)
    failure = CopilotReader().conclude(ending, now=NOW, tz=UTC).failure
    assert failure is not None
    assert failure.kind == "server_error"
    said = event("assistant.message", content="invalid api key, no quota", toolRequests=[])
    ended = conclude(said, exit_code=1)
    assert ended.failure is not None
    assert ended.failure.kind == "crashed"
