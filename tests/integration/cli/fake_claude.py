"""Stands for `claude -p`: prints what it prints, in the way that the first argument names.

Usage: fake_claude.py answer TEXT | ask | arguments | error STATUS TEXT | crash | hang PIPE
       | deaf PIPE
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path


def main() -> None:
    how, *words = sys.argv[1:]
    if how == "crash":
        sys.exit(1)
    if how in {"hang", "deaf"}:
        if how == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Path(words[0]).write_text(str(os.getpid()))
        while True:
            signal.pause()
    prompt = json.loads(sys.stdin.readline())["message"]["content"][0]["text"]
    if how == "error":
        status, text = words[:2]
        result = {"is_error": True, "api_error_status": int(status), "result": text}
    elif how == "ask":
        result = {"is_error": False, "result": prompt}
    elif how == "arguments":
        seen = {"arguments": words, "variables": sorted(os.environ)}
        result = {"is_error": False, "result": json.dumps(seen)}
    else:
        result = {"is_error": False, "result": words[0]}
    event = {"type": "result", "subtype": "success", "total_cost_usd": 0.25, **result}
    sys.stdout.write(json.dumps(event) + "\n")
    sys.exit(1 if result["is_error"] else 0)


if __name__ == "__main__":
    main()
