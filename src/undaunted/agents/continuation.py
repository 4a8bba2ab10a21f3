"""What an agent is told when a run is continued in its own session instead of repeated."""

from __future__ import annotations

__all__ = ["REPEATED_MAX_CHARS", "continuation"]

REPEATED_MAX_CHARS = 16_000
"""A prompt up to this length is repeated: should the session have lost it, nothing is lost. A
longer one would fill the model's context twice; then the session's copy has to do."""

_GO_ON = (
    "The run before this one was cut off before it was finished. Go on where it stopped: look at "
    "what is done already, do not do it again, and finish the task."
)


def continuation(prompt: str) -> str:
    """The message that continues the session in which `prompt` was asked."""
    if len(prompt) > REPEATED_MAX_CHARS:
        return f"{_GO_ON} The task is the one at the beginning of this conversation."
    return f"{_GO_ON} The task was:\n\n{prompt}"
