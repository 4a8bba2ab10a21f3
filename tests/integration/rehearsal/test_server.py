"""The server's life: where it listens, how it ends, and that several get along."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import httpx
import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from undaunted.errors import ConfigurationError
from undaunted.rehearsal.answers import DEFAULT_TEXT
from undaunted.rehearsal.connection import Connection
from undaunted.rehearsal.faults import FaultError
from undaunted.rehearsal.model_api import ModelApi
from undaunted.rehearsal.server import RehearsalServer

# Far beyond what ending takes and far below forever: these tests are about not hanging.
ENDS_WITHIN_S = 30.0


@pytest.mark.parametrize("fault", ["hang", "hang-mid", "slow:3600"])
async def test_ends_with_hanging_connections(api, stream, fault: str) -> None:
    """A server with a request that would never end ends at once, and the client sees it."""
    arrived = asyncio.Event()
    async with asyncio.timeout(ENDS_WITHIN_S):
        async with RehearsalServer(fault=fault, on_request=lambda _: arrived.set()) as server:
            asking = asyncio.create_task(api.ask(server, stream=stream))
            await arrived.wait()
        received = await asking
    assert isinstance(received.error, httpx.TransportError)
    assert not isinstance(received.error, httpx.TimeoutException)


async def test_ends_with_idle_connections(api, server) -> None:
    """A client's idle connection does not hold up the end."""
    async with httpx.AsyncClient(trust_env=False) as client:
        async with asyncio.timeout(ENDS_WITHIN_S):
            async with RehearsalServer() as ending:
                assert (await client.head(ending.url)).status_code == 200
            with pytest.raises(httpx.ConnectError):
                await client.head(ending.url)


async def test_ends_with_half_a_request() -> None:
    """A client that never finishes its request does not hold up the end, or cause a log line."""
    head = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
    async with asyncio.timeout(ENDS_WITHIN_S):
        async with RehearsalServer() as server:
            url = httpx.URL(server.url)
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(head)
            await writer.drain()
            # A second client's whole exchange: by then the first one's bytes were read.
            async with httpx.AsyncClient(trust_env=False) as client:
                await client.head(server.url)
        assert await reader.read() == b""
        writer.close()
    assert server.requests[0].method == "HEAD"


async def test_nothing_is_logged(api, stream, caplog: pytest.LogCaptureFixture) -> None:
    """Faults are the product here: none of them leaves an error in the log."""
    caplog.set_level(logging.WARNING)
    async with RehearsalServer() as server:
        for fault in ("reset", "cut", "cut-clean", "end-early", "500", "empty", "refused"):
            await server.set_fault(fault)
            await api.ask(server, stream=stream)
        await server.set_fault("hang")
        await api.ask(server, stream=stream, read_timeout_s=0.2)
    assert caplog.records == []


async def test_two_servers_at_once(api) -> None:
    """Each has its own port, fault and records."""
    async with RehearsalServer(fault="500") as bad, RehearsalServer() as good:
        refused, answered = await asyncio.gather(
            api.ask(bad, stream=True, prompt="to the bad one"),
            api.ask(good, stream=True, prompt="to the good one"),
        )
        assert bad.url != good.url
        assert [r.prompt for r in bad.requests] == ["to the bad one"]
        assert [r.prompt for r in good.requests] == ["to the good one"]
    assert refused.status == 500
    assert api.said(answered, stream=True) == DEFAULT_TEXT


async def test_many_requests_at_once(api, server) -> None:
    """Every one of fifty simultaneous requests is answered and recorded."""
    prompts = [f"prompt {n}" for n in range(50)]
    received = await asyncio.gather(*(api.ask(server, stream=True, prompt=p) for p in prompts))
    assert {api.said(r, stream=True) for r in received} == {DEFAULT_TEXT}
    assert {r.prompt for r in server.requests} == set(prompts)


async def test_server_can_start_again(api) -> None:
    """The same object starts a second time on the port it had."""
    server = RehearsalServer()
    async with server:
        url = server.url
    async with server:
        assert server.url == url
        assert (await api.ask(server, stream=True)).status == 200


async def test_unwelcome_connections_are_dropped() -> None:
    """A connection that was accepted while the listener closed gets no answer."""
    config = Config(ModelApi, http=Connection, lifespan="off", log_config=None)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(
        lambda: Connection(config, ServerState(), is_welcome=lambda: False), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
    assert await reader.read() == b""
    writer.close()
    listener.close()
    await listener.wait_closed()


async def test_taken_port_is_an_error() -> None:
    """A second server does not share the first one's port."""
    async with RehearsalServer() as first:
        port = httpx.URL(first.url).port
        second = RehearsalServer(port=port)
        with pytest.raises(OSError, match=r"[Aa]ddress already in use"):
            await second.__aenter__()


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "::1", "192.0.2.1", "localhost", "example.org", ""]
)
def test_other_hosts_are_refused(host: str) -> None:
    """It listens on a loopback address, by its number, and nowhere else."""
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1"):
        RehearsalServer(host=host)


def test_wrong_fault_is_refused_at_once() -> None:
    """A fault that is none is refused before anything starts."""
    with pytest.raises(FaultError):
        RehearsalServer(fault="418")


def test_missing_extra_is_named() -> None:
    """Without uvicorn the server's module names the extra, and the package still imports."""
    code = (
        "import sys; sys.modules['uvicorn'] = None\n"
        "import undaunted.rehearsal, undaunted.rehearsal.faults\n"
        "from undaunted.errors import MissingExtraError\n"
        "try:\n    import undaunted.rehearsal.server\n"
        "except MissingExtraError as error:\n    print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "pip install 'undaunted[server]'" in ran.stdout
