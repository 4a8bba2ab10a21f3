"""Every fault as a client sees it, from each API, whole and streamed."""

from __future__ import annotations

import asyncio
import json
import time
from itertools import pairwise

import httpx
import pytest

from undaunted.rehearsal.answers import DEFAULT_TEXT
from undaunted.rehearsal.faults import FaultName
from undaunted.rehearsal.server import RehearsalServer

STATUSES = [name for name in FaultName if name.status is not None]


async def test_ok(api, stream, server) -> None:
    """Without a fault the answer arrives whole."""
    received = await api.ask(server, stream=stream)
    assert received.error is None
    assert received.status == 200
    assert api.said(received, stream=stream) == DEFAULT_TEXT


@pytest.mark.parametrize("name", STATUSES)
async def test_status(api, stream, name: FaultName) -> None:
    """A status arrives with a body that the API's clients can read, or a proxy's page for 502."""
    async with RehearsalServer(fault=name.value) as server:
        received = await api.ask(server, stream=stream)
    assert received.error is None
    assert received.status == name.status
    assert "retry-after" not in received.headers
    if name is FaultName.BAD_GATEWAY:
        assert received.headers["content-type"].startswith("text/html")
    else:
        assert received.json()["error"]["message"]


@pytest.mark.parametrize(
    ("fault", "anthropic_type", "gemini_status", "openai_code"),
    [
        ("400", "invalid_request_error", "INVALID_ARGUMENT", "invalid_value"),
        ("400-context", "invalid_request_error", "INVALID_ARGUMENT", "context_length_exceeded"),
        ("401", "authentication_error", "UNAUTHENTICATED", "invalid_api_key"),
        ("403", "permission_error", "PERMISSION_DENIED", "access_denied"),
        ("404", "not_found_error", "NOT_FOUND", "model_not_found"),
        ("429", "rate_limit_error", "RESOURCE_EXHAUSTED", "rate_limit_exceeded"),
        ("429-quota", "rate_limit_error", "RESOURCE_EXHAUSTED", "insufficient_quota"),
        ("500", "api_error", "INTERNAL", None),
        ("529", "overloaded_error", "UNAVAILABLE", "overloaded"),
    ],
)
async def test_error_bodies(
    api, fault: str, anthropic_type: str, gemini_status: str, openai_code: str | None
) -> None:
    """Each vendor names its errors in its own way."""
    async with RehearsalServer(fault=fault) as server:
        error = (await api.ask(server, stream=True)).json()["error"]
    match api.name:
        case "anthropic":
            assert error["type"] == anthropic_type
        case "gemini":
            assert (error["status"], error["code"]) == (gemini_status, int(fault[:3]))
        case _:
            assert error["code"] == openai_code


async def test_retry_after(api, stream) -> None:
    """A hint stands in the header, and for Gemini's clients, which ignore it, in the body."""
    async with RehearsalServer(fault="429;retry-after=2") as server:
        received = await api.ask(server, stream=stream)
    assert received.headers["retry-after"] == "2"
    if api.name == "gemini":
        details = received.json()["error"]["details"]
        assert "2s" in [detail.get("retryDelay") for detail in details]


async def test_retry_after_of_a_proxy(api) -> None:
    """A proxy's page carries the hint in the header too."""
    async with RehearsalServer(fault="502;retry-after=9") as server:
        received = await api.ask(server, stream=True)
    assert received.headers["retry-after"] == "9"


async def test_count(api, stream) -> None:
    """`429:2` fails twice and is well from then on."""
    async with RehearsalServer(fault="429:2") as server:
        statuses = [(await api.ask(server, stream=stream)).status for _ in range(4)]
    assert statuses == [429, 429, 200, 200]


async def test_refused(api, stream) -> None:
    """Nothing listens, so the connection is refused by the kernel."""
    async with RehearsalServer(fault="refused") as server:
        received = await api.ask(server, stream=stream)
    assert isinstance(received.error, httpx.ConnectError)


async def test_refused_and_back(api) -> None:
    """The listener comes back on the same port, also after it was closed while running."""
    async with RehearsalServer(fault="refused") as server:
        url, seen = server.url, []
        for fault in ("ok", "refused", "500"):
            await server.set_fault(fault)
            received = await api.ask(server, stream=True)
            seen.append((received.status, type(received.error)))
        assert server.url == url
    assert seen == [(200, type(None)), (None, httpx.ConnectError), (500, type(None))]


async def test_reset(api, stream) -> None:
    """The connection breaks before any header."""
    async with RehearsalServer(fault="reset") as server:
        received = await api.ask(server, stream=stream)
    assert isinstance(received.error, httpx.ReadError)
    assert received.status is None


async def test_hang(api, stream) -> None:
    """Not even headers come; only the client's own timeout ends it."""
    async with RehearsalServer(fault="hang") as server:
        received = await api.ask(server, stream=stream, read_timeout_s=0.3)
    assert isinstance(received.error, httpx.ReadTimeout)
    assert received.status is None


async def test_hang_mid(api, stream) -> None:
    """The answer begins, and then only the client's own timeout ends it."""
    async with RehearsalServer(fault="hang-mid") as server:
        received = await api.ask(server, stream=stream, read_timeout_s=0.3)
    assert isinstance(received.error, httpx.ReadTimeout)
    assert_half_an_answer(api, received, stream)


async def test_cut(api, stream) -> None:
    """The answer begins, and then the connection is reset."""
    async with RehearsalServer(fault="cut") as server:
        received = await api.ask(server, stream=stream)
    assert isinstance(received.error, httpx.ReadError)
    assert_half_an_answer(api, received, stream)


async def test_cut_clean(api, stream) -> None:
    """The answer begins, and then the connection is closed without the body's end mark."""
    async with RehearsalServer(fault="cut-clean") as server:
        received = await api.ask(server, stream=stream)
    assert isinstance(received.error, httpx.RemoteProtocolError)
    assert_half_an_answer(api, received, stream)


async def test_end_early(api, stream) -> None:
    """The body ends as a body should, half-way through the answer."""
    async with RehearsalServer(fault="end-early") as server:
        received = await api.ask(server, stream=stream)
    assert received.error is None
    assert_half_an_answer(api, received, stream)


def assert_half_an_answer(api, received, stream: bool) -> None:
    assert received.status == 200
    if stream:
        assert b"hello" in received.body
        assert api.end_mark not in received.body
    else:
        assert received.body
        with pytest.raises(json.JSONDecodeError):
            received.json()


async def test_empty(api, stream) -> None:
    """The answer has no bytes and is otherwise in order."""
    async with RehearsalServer(fault="empty") as server:
        received = await api.ask(server, stream=stream)
    assert (received.error, received.status, received.body) == (None, 200, b"")


async def test_malformed(api, stream) -> None:
    """The answer has the right type and is not JSON."""
    async with RehearsalServer(fault="malformed") as server:
        received = await api.ask(server, stream=stream)
    assert (received.error, received.status) == (None, 200)
    media_type = "text/event-stream" if stream else "application/json"
    assert received.headers["content-type"].startswith(media_type)
    with pytest.raises(json.JSONDecodeError):
        received.events() if stream else received.json()


async def test_html(api, stream) -> None:
    """A captive portal's page comes with status 200."""
    async with RehearsalServer(fault="html") as server:
        received = await api.ask(server, stream=stream)
    assert (received.error, received.status) == (None, 200)
    assert received.headers["content-type"].startswith("text/html")


async def test_stream_error(api) -> None:
    """The stream begins, and then an error stands where its next piece would be."""
    async with RehearsalServer(fault="stream-error") as server:
        received = await api.ask(server, stream=True)
    assert (received.error, received.status) == (None, 200)
    *before, last = received.events()
    assert before
    assert "verloaded" in json.dumps(last)
    assert "verloaded" not in json.dumps(before)


async def test_stream_error_without_a_stream(api) -> None:
    """A whole answer has no middle for an error: it is overloaded at once."""
    async with RehearsalServer(fault="stream-error") as server:
        received = await api.ask(server, stream=False)
    assert received.status == 529


async def test_slow(api, stream) -> None:
    """Each piece keeps the client waiting, and the answer is whole in the end."""
    async with RehearsalServer(fault="slow:0.05") as server:
        began = time.monotonic()
        received = await api.ask(server, stream=stream)
        took_s = time.monotonic() - began
    assert api.said(received, stream=stream) == DEFAULT_TEXT
    assert took_s >= 4 * 0.05


async def test_slow_ends_with_its_client(api) -> None:
    """A client that leaves a slow answer leaves nothing running that would hold up the end."""
    async with RehearsalServer(fault="slow:3600") as server:
        received = await api.ask(server, stream=True, read_timeout_s=0.3)
        async with asyncio.timeout(30):
            await server.set_fault("refused")
    assert isinstance(received.error, httpx.ReadTimeout)


@pytest.mark.parametrize(
    ("fault", "is_reset"), [("reset", True), ("cut", True), ("cut-clean", False)]
)
async def test_resets_are_resets(fault: str, is_reset: bool) -> None:
    """A reset is an RST and a clean cut a FIN, below all HTTP."""
    body = json.dumps({"model": "m", "messages": [], "stream": True})
    head = f"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    async with RehearsalServer(fault=fault) as server:
        url = httpx.URL(server.url)
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write((head + body).encode())
        was_reset = False
        try:
            await reader.read()
        except ConnectionResetError:
            was_reset = True
        writer.close()
    assert was_reset is is_reset


async def test_faults_follow_each_other(api, server) -> None:
    """Each new fault counts from its own first request."""
    seen = []
    for fault in ("500:1", "401:2", "ok"):
        await server.set_fault(fault)
        seen += [(await api.ask(server, stream=True)).status for _ in range(3)]
    assert seen == [500, 200, 200, 401, 401, 200, 200, 200, 200]


async def test_ids_never_come_twice(api, server) -> None:
    """Two answers are told apart by their ids."""
    answers = [(await api.ask(server, stream=False)).json() for _ in range(3)]
    ids = [answer.get("id") or answer.get("responseId") for answer in answers]
    assert all(a < b for a, b in pairwise(ids))
