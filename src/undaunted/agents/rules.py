"""From an agent's words to a kind of failure: ordered text rules, then the HTTP status.

The evidence is looked at in a fixed order (the agent's own result event, its error events, stderr,
the exit code); the first piece that a rule or a status explains decides. Within a piece, `specific`
rules come before the status, because one status stands for many troubles (a 400 may be a long
prompt, an empty account or a wrong key), and `general` rules come after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo

from undaunted.agents.reset_times import MAX_AHEAD, find_reset
from undaunted.failures import Failure, FailureKind

__all__ = ["HTTP_STATUS_KINDS", "PROGRAM_RULES", "Evidence", "RuleSet", "TextRule", "one_line"]

HTTP_STATUS_KINDS: Mapping[int, FailureKind] = {
    400: FailureKind.INVALID_REQUEST,
    401: FailureKind.AUTH,
    402: FailureKind.BILLING,
    403: FailureKind.PERMISSION,
    404: FailureKind.NOT_FOUND,
    407: FailureKind.AUTH,
    408: FailureKind.NETWORK,
    409: FailureKind.SERVER_ERROR,
    413: FailureKind.CONTEXT_TOO_LONG,
    422: FailureKind.INVALID_REQUEST,
    429: FailureKind.RATE_LIMITED,
    503: FailureKind.OVERLOADED,
    529: FailureKind.OVERLOADED,
}
"""What an HTTP status means where nothing better is known; every other 5xx is a server error."""

# Time hints in other kinds' texts ("timed out after 5 minutes") say nothing about a limit.
_LIMIT_KINDS = frozenset(
    {
        FailureKind.RATE_LIMITED,
        FailureKind.QUOTA_EXHAUSTED,
        FailureKind.OVERLOADED,
        FailureKind.BILLING,
    }
)
_MESSAGE_MAX_CHARS = 500
# Of a longer text the two ends: an error begins or ends what is printed, and a rule should not take
# minutes for an answer of megabytes.
_EVIDENCE_HEAD_CHARS = 16_000
_EVIDENCE_TAIL_CHARS = 48_000
_STATUS_IN_WORDS = re.compile(
    r"\b(?:HTTP|(?:failed|responded) with|response|HTTP error) status(?: code)?:? ([45]\d\d)\b"
    r"|\bstatus code:? ([45]\d\d)\b",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of what an agent left behind.

    Attributes:
        source: Where it was read: `result event`, `error event`, `stderr`, `stdout`, `exit code`.
        text: What stood there.
        status: The HTTP status it names, where it names one.
        resets_at: The end of a limit that it names as an instant of its own.
    """

    source: str
    text: str
    status: int | None = None
    resets_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TextRule:
    """A text that matches `pattern` (case folded) means `kind`.

    `blames_task` marks texts that name the prompt itself as the fault.
    """

    kind: FailureKind
    pattern: str
    blames_task: bool = False
    compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "compiled", re.compile(self.pattern, re.IGNORECASE | re.DOTALL))


PROGRAM_RULES: Sequence[TextRule] = (
    TextRule(
        FailureKind.NOT_INSTALLED,
        r"command not found|^/\S+: (?:\d+: )?\w+: not found|\bspawn \S+ ENOENT"
        r"|native binary not installed|['\u2018]?node['\u2019]?: no such file"
        r"|cannot find module '\S*/node_modules/",
    ),
    TextRule(
        FailureKind.CRASHED,
        r"heap (?:limit|out of memory)|segmentation fault|core dumped|bun v\S+ has crashed"
        r"|(?m:^(?:killed|aborted|bus error|illegal instruction)$)",
    ),
    TextRule(FailureKind.MISCONFIGURED, r"requires node\.?(?:js)? |ENOSPC|EROFS"),
    TextRule(
        FailureKind.NETWORK,
        r"self[- ]signed certificate|SELF_SIGNED_CERT|certificate has expired|first certificate"
        r"|UNABLE_TO_(?:GET|VERIFY)_\w+|\bERR_(?:SSL|TLS)_|\bUND_ERR_|other side closed"
        r"|(?:connect|headers|body) ?timeout ?error|tunneling socket|proxy tunnel"
        r"|before secure TLS connection",
    ),
)
"""What a shell, a runtime or its TLS library says of a program that can't start or connect."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """An agent's knowledge of its own failures.

    Attributes:
        specific: Rules that outrank the HTTP status.
        general: Rules for texts without a status, or with one that says nothing.
        statuses: What a status means to this agent, before `HTTP_STATUS_KINDS`.
        fallback: Rules that are asked last, when nothing else explains any piece: for words that
            are not the agent's own.
        lost_session: Pattern (case folded) of what the agent says when it can't continue a session:
            there is none of that id, or another process has it. Empty matches nothing.
    """

    specific: Sequence[TextRule]
    general: Sequence[TextRule] = ()
    statuses: Mapping[int, FailureKind] = field(default_factory=dict)
    fallback: Sequence[TextRule] = ()
    lost_session: str = ""

    def refuses_session(self, text: str) -> bool:
        """Whether `text` says that a session can't be continued."""
        return bool(self.lost_session and re.search(self.lost_session, text, re.IGNORECASE))

    def classify(
        self,
        pieces: Iterable[Evidence],
        *,
        now: datetime,
        tz: tzinfo | None = None,
        max_ahead: timedelta = MAX_AHEAD,
    ) -> Failure | None:
        """The failure that the first telling piece of evidence stands for.

        Args:
            pieces: The evidence, strongest first.
            now: When it was printed; aware.
            tz: The zone of times that name none; None is the machine's own.
            max_ahead: Ends of limits further away than this are not believed.

        Returns:
            The failure, or None where no piece says anything known.
        """
        bounded = [_bounded(piece) for piece in pieces]
        for explain in (self._kind, self._last_resort):
            for piece in bounded:
                kind, blames_task, why = explain(piece)
                if kind is not None:
                    resets_at = _resets_at(kind, piece, now=now, tz=tz, max_ahead=max_ahead)
                    return _failure(kind, piece, why, resets_at, blames_task=blames_task, now=now)
        return None

    def _last_resort(self, piece: Evidence) -> tuple[FailureKind | None, bool, str]:
        return _first_match(self.fallback, piece.text)

    def _kind(self, piece: Evidence) -> tuple[FailureKind | None, bool, str]:
        explained = _first_match(self.specific, piece.text)
        if explained[0] is not None:
            return explained
        if piece.status is not None and (kind := self._status_kind(piece.status)):
            return kind, False, f"HTTP status {piece.status}"
        explained = _first_match(self.general, piece.text)
        if explained[0] is not None:
            return explained
        # Words that nobody knows, of an HTTP client: "Request failed with status code 429".
        if (named := _STATUS_IN_WORDS.search(piece.text)) and (
            kind := self._status_kind(int(named[1] or named[2]))
        ):
            return kind, False, f"HTTP status {named[1] or named[2]}"
        return None, False, ""

    def _status_kind(self, status: int) -> FailureKind | None:
        known = self.statuses.get(status) or HTTP_STATUS_KINDS.get(status)
        if known is None and 500 <= status < 600:
            return FailureKind.SERVER_ERROR
        if known is None and 400 <= status < 500:
            return FailureKind.INVALID_REQUEST
        return known


def _first_match(rules: Sequence[TextRule], text: str) -> tuple[FailureKind | None, bool, str]:
    """The kind of the first rule that `text` matches, whether it blames the task, and the words."""
    for rule in rules:
        if found := rule.compiled.search(text):
            return rule.kind, rule.blames_task, f'"{one_line(found[0], 120)}"'
    return None, False, ""


def _bounded(piece: Evidence) -> Evidence:
    """`piece` with the two ends of a text that is too long to be searched."""
    text = piece.text
    if len(text) <= _EVIDENCE_HEAD_CHARS + _EVIDENCE_TAIL_CHARS:
        return piece
    ends = f"{text[:_EVIDENCE_HEAD_CHARS]}\n{text[-_EVIDENCE_TAIL_CHARS:]}"
    return replace(piece, text=ends)


def _resets_at(
    kind: FailureKind,
    piece: Evidence,
    *,
    now: datetime,
    tz: tzinfo | None,
    max_ahead: timedelta,
) -> datetime | None:
    """When the limit ends of which `piece` speaks; None where it says nothing to be believed."""
    if kind not in _LIMIT_KINDS:
        return None
    if piece.resets_at is not None and now <= piece.resets_at <= now + max_ahead:
        return piece.resets_at
    return find_reset(piece.text, now=now, tz=tz, max_ahead=max_ahead)


def _failure(
    kind: FailureKind,
    piece: Evidence,
    why: str,
    resets_at: datetime | None,
    *,
    blames_task: bool,
    now: datetime,
) -> Failure:
    return Failure(
        kind=kind,
        message=one_line(piece.text, _MESSAGE_MAX_CHARS) or str(kind),
        evidence=f"{piece.source}: {why}",
        retry_after_s=(resets_at - now).total_seconds() if resets_at else None,
        resets_at=resets_at,
        blames_task=blames_task,
    )


def one_line(text: str, max_chars: int) -> str:
    """`text` with white space folded, cut to `max_chars` characters with an ellipsis."""
    folded = _SPACE.sub(" ", text).strip()
    return folded if len(folded) <= max_chars else folded[: max_chars - 1] + "…"
