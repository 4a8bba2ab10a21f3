"""`python -m undaunted.rehearsal` as a person runs it."""

from __future__ import annotations

import asyncio
import signal
import sys

import httpx
import pytest

from undaunted.rehearsal.__main__ import main


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_serves_until_a_signal(number: signal.Signals) -> None:
    """It prints its URL, tells each request on stderr without the key, and ends with status 0."""
    body = {"model": "claude-x", "messages": [], "stream": True}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "undaunted.rehearsal", "--port", "0", "--fault", "429:1"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        async with httpx.AsyncClient(trust_env=False) as client:
            statuses = [
                (await client.post(f"{url}/v1/messages?key=SECRET", json=body)).status_code
                for _ in range(2)
            ]
            process.send_signal(number)
            _, said = await asyncio.wait_for(process.communicate(), timeout=30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert statuses == [429, 200]
    assert process.returncode == 0
    first, second = said.decode().splitlines()
    assert first.endswith("claude-x, streamed: 429:1")
    assert second.endswith("claude-x, streamed: ok")
    assert "SECRET" not in said.decode()


def test_wrong_fault_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong fault ends with status 2 and says what is allowed."""
    with pytest.raises(SystemExit) as ended:
        main(["--fault", "418"])
    assert ended.value.code == 2
    assert "429-quota" in capsys.readouterr().err
