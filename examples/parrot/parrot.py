"""A made-up agent to describe in `undaunted.toml`: it says again what it is told.

    echo 'Hello there' | python3 examples/parrot/parrot.py --may=look

It prints JSON lines. PARROT_MOOD makes it fail: `crowded` (it is told to come back later), `cut`
(it stops in mid-answer and takes that for a success), `sulking` (it ends without a word).
"""

# ruff: noqa: T201 - printing is all that it does

import argparse
import json
import os
import sys
from uuid import uuid4


def tell(event: str, **facts: object) -> None:
    """Prints one event."""
    print(json.dumps({"event": event, **facts}), flush=True)


def main() -> int:
    """Repeats stdin, or fails as PARROT_MOOD says; returns the exit status."""
    options = argparse.ArgumentParser()
    options.add_argument("--may", choices=("look", "peck", "fly"), required=True)
    options.add_argument("--breed", default="grey")
    chosen = options.parse_args()
    mood = os.environ.get("PARROT_MOOD", "cheerful")
    words = sys.stdin.read().split()

    if mood == "sulking":
        return 1
    tell("perched", session=f"parrot-{uuid4()}", breed=chosen.breed)
    if mood == "crowded":
        tell("fell", because="The perch is taken, room again in 40 s")
        return 3
    for number, word in enumerate(words[:1] if mood == "cut" else words):
        tell("squawk", text=f" {word}" if number else word)
    if mood != "cut":
        tell("done", seeds={"eaten": len(words), "spat": len(words)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
