"""Whatever is described and whatever is printed: a reader raises nothing and comes to an end."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from undaunted.agents.described_output import DescribedReader
from undaunted.agents.reader import Ending
from undaunted.descriptions import Description

NOW = datetime(2026, 11, 23, 14, 47, tzinfo=UTC)

# Few keys and values, so that paths lead somewhere and parts of events are found in them.
KEYS = st.sampled_from(["a", "b", "c", "0", "-1", "9", "*"])
SCALARS = st.sampled_from(
    ["", "x", "-x", "\ud800", "429", "rate limit", 0, 1, -1, 2**80, 1.5, float("nan"), True, False]
)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
PATHS = st.lists(KEYS, min_size=1, max_size=4).map(".".join)
WHERE = st.dictionaries(
    KEYS, st.recursive(SCALARS, lambda inner: st.dictionaries(KEYS, inner, max_size=2)), max_size=2
)
PATTERNS = st.sampled_from(["x", "rate", "^again", "."])
TAKE = st.sampled_from(["last", "all"])


def tables(needed: dict[str, Any], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Tables with the `needed` keys and some of the others."""
    return st.fixed_dictionaries(needed, optional={"where": WHERE, **more})


VALUES = tables({"path": PATHS})
REPEATED = tables({"path": PATHS}, take=TAKE)
RETRIES = tables({"path": PATHS}, pattern=PATTERNS) | st.fixed_dictionaries({"pattern": PATTERNS})
ERRORS = tables({"path": PATHS}, pattern=PATTERNS, status=PATHS, resets_at=PATHS)
EVENTS = st.fixed_dictionaries(
    {
        "command": st.just(["x"]),
        "permissions": st.just({"edit": []}),
        "output": st.sampled_from(["json", "jsonl"]),
        "answer": REPEATED,
    },
    optional={
        "done": WHERE,
        "session": VALUES,
        "model": VALUES,
        "usage": tables({}, input=PATHS, output=PATHS, cached_input=PATHS, take=TAKE),
        "cost": REPEATED,
        "error": st.lists(ERRORS, max_size=2),
        "inner_retry": RETRIES,
        "success_exit_codes": st.lists(st.integers(0, 3), max_size=2),
    },
)
LINES = st.lists(JSON.map(json.dumps).map(str.encode) | st.binary(max_size=20), max_size=6)


@given(EVENTS, LINES, LINES, st.none() | st.integers(-70, 300), st.booleans())
def test_any_description_reads_any_output(
    settings: dict[str, Any],
    stdout: list[bytes],
    stderr: list[bytes],
    exit_code: int | None,
    text_mode: bool,
) -> None:
    """A run ends with an answer or with a failure, never with both or neither, and never raises."""
    reader = DescribedReader(description=Description.model_validate(settings))
    for line in stdout:
        reader.feed(line)
    for line in stderr:
        reader.feed_stderr(line)
    printed = [b"\n".join(lines).decode(errors="replace") for lines in (stdout, stderr)]
    result = reader.conclude(Ending(exit_code, *printed, text_mode), now=NOW, tz=UTC)
    assert (result.failure is None) <= (result.content is not None)
    assert result.agent_session_id is None or not result.agent_session_id.startswith("-")
