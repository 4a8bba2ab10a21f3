"""The entry point of `undaunted` and `python -m undaunted`.

It imports next to nothing, so that a Ctrl-C while the rest is loaded is met by somebody.
"""

from __future__ import annotations

import sys

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Loads and runs the command line."""
    try:
        from undaunted import app  # noqa: PLC0415 - see above

        app.main()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
