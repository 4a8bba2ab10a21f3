"""Parts at their hard moments: odd output, secrets in disguise, a number used again."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest

from undaunted.agents.claude_output import ClaudeReader
from undaunted.agents.gemini_output import GeminiReader
from undaunted.agents.process_table import ProcessEntry, ProcessTable
from undaunted.agents.process_tree import ProcessTree
from undaunted.agents.reader import Ending
from undaunted.redaction import Redactor
from undaunted.transcripts import TranscriptRecorder

LINES = {
    "deep": b"[" * 200_000,
    "inf_tokens": b'{"type":"result","result":"x","usage":{"input_tokens":1e999}}',
    "nan_tokens": b'{"type":"result","result":"x","usage":{"input_tokens":NaN}}',
    "far_reset": b'{"type":"rate_limit_event","rate_limit_info":{"status":"rejected",'
    b'"resetsAt":1e20}}',
    "gemini_inf": b'{"type":"result","status":"success","stats":{"input_tokens":1e999}}',
    "gemini_code": b'{"session_id":"s","error":{"type":"E","message":"m","code":1e999}}',
}


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("reader", [ClaudeReader, GeminiReader])
def test_no_line_breaks_a_reader(name: str, reader) -> None:
    r = reader()
    r.feed(LINES[name])
    r.conclude(Ending(1, LINES[name].decode(), ""), now=datetime.now(UTC))


def test_far_retry_delay() -> None:
    text = "quota: retryDelayMs: 99999999999999999999"
    GeminiReader().conclude(Ending(1, "", f"429 rate limit {text}"), now=datetime.now(UTC))


def test_year_9999_is_not_believed() -> None:
    r = ClaudeReader()
    r.feed(
        b'{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":253402300799}}'
    )
    failure = r.conclude(Ending(1, "", ""), now=datetime(2026, 1, 1, tzinfo=UTC)).failure
    assert failure is not None
    assert failure.retry_after_s is None or failure.retry_after_s < 9 * 86400


def test_a_known_secret_that_holds_a_key_shape() -> None:
    secret = "deploy:ghp_" + "a" * 36 + ":Passphrase"
    assert "Passphrase" not in Redactor([secret]).text(f"token is {secret} ok")


@pytest.mark.parametrize(
    "secret",
    ['pass"word\\1234', "zweiter-Schlüssel", "-----BEGIN K-----\nabcdefghijkl\n-----END K-----"],
)
def test_a_known_secret_in_json(secret: str) -> None:
    line = json.dumps({"type": "tool", "text": f"the key is {secret}"})
    clean = Redactor([secret]).text(line)
    assert secret not in json.loads(clean)["text"]


async def test_leaving_loses_no_chunk() -> None:
    """What is being written when the last attempt ends is written."""

    class Sink:
        def __init__(self) -> None:
            self.kept: list[bytes] = []
            self.began = asyncio.Event()

        async def append_transcript(self, task_id, number, chunks, *, max_bytes) -> int:
            self.began.set()
            await asyncio.sleep(0.05)  # a transaction: cancelled, it rolls back
            self.kept += [d for _, d in chunks]
            return 0

    sink = Sink()
    async with TranscriptRecorder(sink, "t", redactor=Redactor()) as recorder:
        take = recorder.attempt(1)
        take("stdout", b"important line\n")
        await sink.began.wait()
    assert b"".join(sink.kept) == b"important line\n"


def test_a_pid_that_somebody_else_has_now() -> None:
    """The child ended and was reaped; the process that got its pid is not ours."""
    child = ProcessEntry(100, 1, 100, 1000, "agent")
    other = ProcessEntry(100, 7, 7, 2000, "innocent")
    now = {100: child}
    tree = ProcessTree(100, "", table=ProcessTable(lambda: now, lambda *_: None))
    assert tree.look() == [child]
    now = {100: other}
    assert tree.look() == []
