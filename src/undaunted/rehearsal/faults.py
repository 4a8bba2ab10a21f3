"""What the rehearsal model API does wrong, as a short text: `429:2`, `cut`, `slow:0.5`.

The grammar, where N is a count of requests and brackets mean "may be left out":

    fault   = case [":" N]                     the first N model requests fail, then all is well
    case    = name                             a name of `FaultName`
            | status ";retry-after=" SECONDS   a name that begins with a status, and a hint
            | "slow:" SECONDS                  the one name that needs a number of its own

The hint is a wait in seconds; for `429-plan` it is the time until the plan is back.

So the number after `slow:` is always the seconds: `slow:0.5:3` is slow for three requests.
`ok` and `refused` take no count: one has nothing to end, the other sees no request to count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "Fault",
    "FaultError",
    "FaultName",
]


class FaultName(StrEnum):
    """The kinds of fault, by the name they have in the text form."""

    OK = "ok"

    # An answer with an error status and the body that the real API sends with it.
    INVALID_REQUEST = "400"
    CONTEXT_TOO_LONG = "400-context"
    CREDIT_SPENT = "400-credit"  # prepaid money is used up
    INVALID_KEY = "400-key"
    POLICY_VIOLATED = "400-policy"  # what was asked is against the vendor's rules
    UNAUTHORIZED = "401"
    PAYMENT_REQUIRED = "402"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    REQUEST_TIMEOUT = "408"
    TOO_LARGE = "413"
    RATE_LIMITED = "429"
    PLAN_LIMIT_REACHED = "429-plan"  # a subscription's hours are used up; says when it is back
    QUOTA_EXHAUSTED = "429-quota"
    INTERNAL_ERROR = "500"
    BAD_GATEWAY = "502"
    UNAVAILABLE = "503"
    OVERLOADED = "529"

    # No answer at all.
    HANG = "hang"  # the request is taken, then silence
    REFUSED = "refused"  # nothing listens
    RESET = "reset"  # the connection is reset before the headers

    # Status 200, and then it goes wrong.
    CUT = "cut"  # the connection is reset half-way
    CUT_CLEAN = "cut-clean"  # the connection is closed half-way, without the body's end mark
    EMPTY = "empty"  # a body of no bytes
    END_EARLY = "end-early"  # the body ends properly, half-way through what it had to say
    HANG_MID = "hang-mid"  # silence from half-way on
    HTML = "html"  # a page for people, as a captive portal sends it
    MALFORMED = "malformed"  # not JSON where JSON should be
    SLOW = "slow"  # every piece of the answer comes late
    STREAM_ERROR = "stream-error"  # an error object half-way through a stream

    @property
    def status(self) -> int | None:
        """The HTTP status of an error answer; None for every other kind of fault."""
        digits = self.value[:3]
        return int(digits) if digits.isdigit() else None


class FaultError(ValueError):
    """A text that is no fault; it says what is allowed."""


# Two hours: longer than any retry waits, and within the five hours of a plan's window.
_PLAN_RETURNS_AFTER_S = 7200

_UNCOUNTED = frozenset({FaultName.OK, FaultName.REFUSED})
_WHOLE = re.compile(r"[0-9]{1,9}")
_DECIMAL = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        name: What goes wrong.
        retry_after_s: Whole seconds that an error answer asks the client to wait, or None.
        delay_s: Seconds before each piece of the answer; only `FaultName.SLOW` has any.
        first: How many model requests fail, at least 1; None is all of them.
    """

    name: FaultName = FaultName.OK
    retry_after_s: int | None = None
    delay_s: float = 0.0
    first: int | None = None

    @classmethod
    def parse(cls, text: str) -> Fault:
        """The fault that `text` names, by the grammar of this module.

        Raises:
            FaultError: The text is no fault; the error says which part and what is allowed.
        """
        head, *numbers = text.strip().split(":")
        label, separator, option = head.partition(";")
        try:
            name = FaultName(label)
        except ValueError:
            raise FaultError(f"{text!r}: no fault {label!r}; use one of {_usage()}") from None
        return cls(
            name=name,
            retry_after_s=_retry_after_s(text, name, option) if separator else None,
            delay_s=_delay_s(text, numbers) if name is FaultName.SLOW else 0.0,
            first=_first(text, name, numbers),
        )

    @property
    def plan_returns_after_s(self) -> int:
        """Seconds until a used-up plan is back: the hint, or two hours."""
        return _PLAN_RETURNS_AFTER_S if self.retry_after_s is None else self.retry_after_s

    def __str__(self) -> str:
        """The text form; `Fault.parse` gives the same fault back."""
        text = self.name.value
        if self.retry_after_s is not None:
            text += f";retry-after={self.retry_after_s}"
        if self.name is FaultName.SLOW:
            text += f":{self.delay_s:.6f}".rstrip("0").rstrip(".")
        return text if self.first is None else f"{text}:{self.first}"

    def holds_for(self, number: int) -> bool:
        """Whether model request `number`, counted from 1, meets the fault."""
        return self.first is None or number <= self.first


def _retry_after_s(text: str, name: FaultName, option: str) -> int:
    key, _, seconds = option.partition("=")
    if name.status is None or key != "retry-after" or not _WHOLE.fullmatch(seconds):
        raise FaultError(
            f"{text!r}: what may follow ';' is 'retry-after=SECONDS', whole seconds, and only"
            f" after a status; for example '429;retry-after=2'"
        )
    return int(seconds)


def _delay_s(text: str, numbers: list[str]) -> float:
    """Takes the seconds off the front of `numbers`."""
    if not numbers or not _DECIMAL.fullmatch(numbers[0]):
        raise FaultError(f"{text!r}: 'slow' needs its seconds per piece, for example 'slow:0.5'")
    return float(numbers.pop(0))


def _first(text: str, name: FaultName, numbers: list[str]) -> int | None:
    if not numbers:
        return None
    if name in _UNCOUNTED:
        raise FaultError(f"{text!r}: {name.value!r} takes no count")
    if len(numbers) > 1 or not _WHOLE.fullmatch(numbers[0]) or int(numbers[0]) == 0:
        raise FaultError(
            f"{text!r}: a fault ends with ':N', how many requests fail, at least 1;"
            f" for example '{name.value}{':0.5' if name is FaultName.SLOW else ''}:2'"
        )
    return int(numbers[0])


def _usage() -> str:
    names = [f"{n.value}:SECONDS" if n is FaultName.SLOW else n.value for n in FaultName]
    return f"{', '.join(names)}; a status may be followed by ';retry-after=SECONDS', all by ':N'"
