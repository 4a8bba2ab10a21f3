"""Clients of the two APIs, as thin as they can be."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from undaunted.rehearsal.server import RehearsalServer


@dataclass(frozen=True)
class Received:
    """What a client had got when the exchange was over, however it ended."""

    status: int | None
    headers: httpx.Headers
    body: bytes
    error: Exception | None

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[Any]:
        lines = self.body.decode().split("\n\n")
        data = [part.partition("data: ")[2] for part in lines if part.strip()]
        return [json.loads(text) for text in data]


class Api:
    """Speaks one API's dialect."""

    name: str

    def path(self, *, stream: bool) -> str:
        raise NotImplementedError

    def body(self, prompt: str, *, stream: bool, tools: Sequence[str]) -> dict[str, Any]:
        raise NotImplementedError

    def said(self, received: Received, *, stream: bool) -> str:
        """The text of a whole answer; fails on one that is not whole."""
        raise NotImplementedError

    async def ask(
        self,
        server: RehearsalServer,
        *,
        stream: bool,
        prompt: str = "hi",
        tools: Sequence[str] = (),
        body: dict[str, Any] | None = None,
        read_timeout_s: float = 30.0,
    ) -> Received:
        """Sends one request on a connection of its own and takes what comes."""
        url = server.url + self.path(stream=stream)
        body = body or self.body(prompt, stream=stream, tools=tools)
        status, headers, got = None, httpx.Headers(), bytearray()
        timeout = httpx.Timeout(30.0, read=read_timeout_s)
        try:
            async with (
                httpx.AsyncClient(timeout=timeout, trust_env=False) as client,
                client.stream("POST", url, json=body) as response,
            ):
                status, headers = response.status_code, response.headers
                async for piece in response.aiter_raw():
                    got += piece
        except httpx.HTTPError as error:
            return Received(status, headers, bytes(got), error)
        return Received(status, headers, bytes(got), None)


class AnthropicApi(Api):
    name = "anthropic"

    def path(self, *, stream: bool) -> str:
        return "/v1/messages?beta=true&key=SECRET"

    def body(self, prompt: str, *, stream: bool, tools: Sequence[str]) -> dict[str, Any]:
        return {
            "model": "claude-x",
            "stream": stream,
            "messages": [{"role": "user", "content": prompt}],
            "tools": [{"name": name} for name in tools],
        }

    def said(self, received: Received, *, stream: bool) -> str:
        if not stream:
            message = received.json()
            assert message["stop_reason"] == "end_turn"
            return "".join(block["text"] for block in message["content"])
        events = received.events()
        assert events[-1] == {"type": "message_stop"}
        return "".join(e["delta"]["text"] for e in events if e["type"] == "content_block_delta")


class GeminiApi(Api):
    name = "gemini"

    def path(self, *, stream: bool) -> str:
        method = "streamGenerateContent?alt=sse&" if stream else "generateContent?"
        return f"/v1beta/models/gemini-x:{method}key=SECRET"

    def body(self, prompt: str, *, stream: bool, tools: Sequence[str]) -> dict[str, Any]:
        return {
            "contents": [{"role": "user", "parts": [{"text": prompt}]}],
            "tools": [{"functionDeclarations": [{"name": name} for name in tools]}],
        }

    def said(self, received: Received, *, stream: bool) -> str:
        chunks = received.events() if stream else [received.json()]
        candidates = [chunk["candidates"][0] for chunk in chunks]
        assert candidates[-1]["finishReason"] == "STOP"
        return "".join(part["text"] for c in candidates for part in c["content"]["parts"])


@pytest.fixture(params=[AnthropicApi(), GeminiApi()], ids=lambda api: api.name)
def api(request: pytest.FixtureRequest) -> Api:
    """Each of the two APIs in turn."""
    return request.param


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    """Whole answers, then streamed ones."""
    return request.param


@pytest.fixture
async def server() -> AsyncIterator[RehearsalServer]:
    """A server where all is well."""
    async with RehearsalServer() as running:
        yield running
