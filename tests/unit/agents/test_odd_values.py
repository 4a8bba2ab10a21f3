"""Nothing that an agent prints is trusted: odd values cost a field, not the run."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from undaunted.agents.agent import AgentResult
from undaunted.agents.claude_output import ClaudeReader
from undaunted.agents.gemini_output import GeminiReader
from undaunted.agents.reader import Ending, OutputReader, instant, number, whole_number

NOW = datetime(2026, 7, 30, 11, 0, tzinfo=UTC)
HUGE = ["1e999", "-1e999", "NaN", "1" + "0" * 400, "true", "null", '"7"', "[7]", "{}"]

DONE = '{"type":"result","subtype":"success","is_error":false,"result":"done"}'


def conclude(reader: OutputReader, *lines: str) -> AgentResult:
    for line in lines:
        reader.feed(line.encode())
    return reader.conclude(Ending(0, "\n".join(lines), ""), now=NOW, tz=UTC)


@pytest.mark.parametrize("value", HUGE)
def test_odd_numbers_of_claude(value: str) -> None:
    """A result with unusable figures is a result all the same."""
    figures = (
        f'"usage":{{"input_tokens":{value},"output_tokens":7}},"total_cost_usd":{value},'
        f'"api_error_status":{value}'
    )
    retry = (
        f'{{"type":"system","subtype":"api_retry","error_status":{value},"retry_delay_ms":{value}}}'
    )
    info = f'{{"status":"rejected","resetsAt":{value}}}'
    limit = f'{{"type":"rate_limit_event","rate_limit_info":{info}}}'
    result = conclude(ClaudeReader(), retry, limit, DONE[:-1] + "," + figures + "}")
    assert (result.content, result.failure) == ("done", None)
    assert result.usage is not None
    assert (result.usage.input_tokens, result.usage.output_tokens) == (None, 7)
    assert result.cost_usd is None


@pytest.mark.parametrize("value", HUGE)
def test_odd_numbers_of_gemini(value: str) -> None:
    """The same for gemini's figures."""
    text = '{"type":"message","role":"assistant","content":"done"}'
    stats = f'{{"input_tokens":{value},"output_tokens":7,"cached":{value}}}'
    done = f'{{"type":"result","status":"success","stats":{stats}}}'
    result = conclude(GeminiReader(), text, done)
    assert (result.content, result.failure) == ("done", None)
    assert result.usage is not None
    assert result.usage.output_tokens == 7


@pytest.mark.parametrize("reader", [ClaudeReader, GeminiReader])
@pytest.mark.parametrize("line", ["[" * 100_000, '{"a":' * 50_000, "null", "[[1]]", '{"type":[]}'])
def test_odd_shapes(reader: type[OutputReader], line: str) -> None:
    """Deep nesting and shapes that no event has are passed over."""
    result = conclude(reader(), line)
    assert result.failure is not None


def test_milliseconds_are_no_instant() -> None:
    """An instant beyond the calendar is none; the limit is still a limit."""
    event = {
        "type": "rate_limit_event",
        "rate_limit_info": {"status": "rejected", "resetsAt": 1764000000000},
    }
    result = conclude(ClaudeReader(), json.dumps(event))
    assert result.failure is not None
    assert (result.failure.kind, result.failure.resets_at) == ("rate_limited", None)


def test_numbers() -> None:
    """What is no finite number of a sane size is none."""
    assert [number(v) for v in (1, 1.5, 2**53, 2**54, float("nan"), True, "1")] == [
        1,
        1.5,
        2**53,
        None,
        None,
        None,
        None,
    ]
    assert whole_number(7.9) == 7
    assert instant(0) is None
    assert instant(1785416400) == datetime(2026, 7, 30, 13, tzinfo=UTC)
