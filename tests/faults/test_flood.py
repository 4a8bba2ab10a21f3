"""An agent that prints without end costs no memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# What undaunted may grow by while an agent prints whatever it likes.
GROWTH_MIB = 40
LONG_S = 250


@pytest.mark.slow
@pytest.mark.parametrize(("lines", "mib"), [("json", 1024), ("none", 256)])
def test_a_flood_costs_no_memory(tmp_path: Path, lines: str, mib: int) -> None:
    """1 GiB of events, or a line that never ends: 40 MiB at most, and the answer is found."""
    reader = Path(__file__).with_name("flooded_reader.py")
    done = subprocess.run(
        [sys.executable, str(reader), str(tmp_path), str(mib), lines],
        capture_output=True,
        check=True,
        timeout=LONG_S,
    )
    told = json.loads(done.stdout)
    assert told["answer"] == "Done."
    assert told["seen_mib"] >= mib
    assert told["kept_mib"] <= 8.1
    assert told["grown_mib"] < GROWTH_MIB
