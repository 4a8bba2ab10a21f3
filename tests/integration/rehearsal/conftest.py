"""Clients of the four APIs, as thin as they can be."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from undaunted.rehearsal.server import RehearsalServer

# Reading the authorities' certificates takes longer than most of these tests.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


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
        """The data of each event, without the `[DONE]` that ends the chat completions."""
        lines = self.body.decode().split("\n\n")
        data = [part.partition("data: ")[2] for part in lines if part.strip()]
        return [json.loads(text) for text in data if text != "[DONE]"]


class Api:
    """Speaks one API's dialect."""

    name: str
    model: str
    end_mark: bytes
    """What only the end of a stream holds."""

    def path(self, *, stream: bool) -> str:
        raise NotImplementedError

    def body(self, prompt: str, *, stream: bool, tools: Sequence[str]) -> dict[str, Any]:
        raise NotImplementedError

    def said(self, received: Received, *, stream: bool) -> str:
        """The text of a whole answer; fails on one that is not whole."""
        raise NotImplementedError

    def called(self, received: Received, *, stream: bool) -> tuple[str, Any]:
        """The name and the arguments of the tool that a whole answer calls."""
        raise NotImplementedError

    def add_result(self, body: dict[str, Any], tool: str, result: str) -> None:
        """Appends the result of a tool call to a request."""
        raise NotImplementedError

    def input_tokens(self, received: Received) -> int:
        """The size of the request, by an answer that is not streamed."""
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
                httpx.AsyncClient(timeout=timeout, trust_env=False, verify=_NO_TLS) as client,
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
    model = "claude-x"
    end_mark = b"message_stop"

    def path(self, *, stream: bool) -> str:
        return "/v1/messages?beta=true&key=SECRET"

    def body(self, prompt: str, *, stream: bool, tools: Sequence[str]) -> dict[str, Any]:
        return {
            "model": self.model,
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

    def called(self, received: Received, *, stream: bool) -> tuple[str, Any]:
        if not stream:
            block = received.json()["content"][0]
            return block["name"], block["input"]
        events = received.events()
        [start] = [e["content_block"] for e in events if e["type"] == "content_block_start"]
        parts = [e["delta"]["partial_json"] for e in events if e["type"] == "content_block_delta"]
        return start["name"], json.loads("".join(parts))

    def add_result(self, body: dict[str, Any], tool: str, result: str) -> None:
        block = {"type": "tool_result", "tool_use_id": "t", "content": result}
        body["messages"].append({"role": "user", "content": [block]})

    def input_tokens(self, received: Received) -> int:
        return received.json()["usage"]["input_tokens"]


class GeminiApi(Api):
    name = "gemini"
    model = "gemini-x"
    end_mark = b"STOP"

    def path(self, *, stream: bool) -> str:
        method = "streamGenerateContent?alt=sse&" if stream else "generateContent?"
        return f"/v1beta/models/{self.model}:{method}key=SECRET"

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

    def called(self, received: Received, *, stream: bool) -> tuple[str, Any]:
        chunk = received.events()[0] if stream else received.json()
        call = chunk["candidates"][0]["content"]["parts"][0]["functionCall"]
        return call["name"], call["args"]

    def add_result(self, body: dict[str, Any], tool: str, result: str) -> None:
        part = {"functionResponse": {"name": tool, "response": {"output": result}}}
        body["contents"].append({"role": "user", "parts": [part]})

    def input_tokens(self, received: Received) -> int:
        return received.json()["usageMetadata"]["promptTokenCount"]


class ChatApi(Api):
    name = "chat"
    model = "gpt-x"
    end_mark = b"[DONE]"

    def path(self, *, stream: bool) -> str:
        return "/v1/chat/completions?key=SECRET"

    def body(self, prompt: str, *, stream: bool, tools: Sequence[str]) -> dict[str, Any]:
        return {
            "model": self.model,
            "stream": stream,
            "messages": [{"role": "user", "content": prompt}],
            "tools": [{"type": "function", "function": {"name": name}} for name in tools],
        }

    def said(self, received: Received, *, stream: bool) -> str:
        if not stream:
            [choice] = received.json()["choices"]
            assert choice["finish_reason"] == "stop"
            return choice["message"]["content"]
        assert received.body.endswith(b"data: [DONE]\n\n")
        *chunks, usage = received.events()
        assert usage["usage"]["total_tokens"] > 0
        choices = [chunk["choices"][0] for chunk in chunks]
        assert choices[0]["delta"]["role"] == "assistant"
        assert choices[-1]["finish_reason"] == "stop"
        return "".join(choice["delta"].get("content", "") for choice in choices)

    def called(self, received: Received, *, stream: bool) -> tuple[str, Any]:
        if not stream:
            [choice] = received.json()["choices"]
            assert choice["finish_reason"] == "tool_calls"
            [call] = choice["message"]["tool_calls"]
            return call["function"]["name"], json.loads(call["function"]["arguments"])
        *chunks, end, _ = [chunk["choices"] for chunk in received.events()]
        assert end[0]["finish_reason"] == "tool_calls"
        calls = [call for [choice] in chunks for call in choice["delta"]["tool_calls"]]
        arguments = "".join(call["function"]["arguments"] for call in calls)
        return calls[0]["function"]["name"], json.loads(arguments)

    def add_result(self, body: dict[str, Any], tool: str, result: str) -> None:
        body["messages"].append({"role": "tool", "tool_call_id": "c", "content": result})

    def input_tokens(self, received: Received) -> int:
        return received.json()["usage"]["prompt_tokens"]


class ResponsesApi(Api):
    name = "responses"
    model = "gpt-x"
    end_mark = b"response.completed"

    def path(self, *, stream: bool) -> str:
        return "/v1/responses?key=SECRET"

    def body(self, prompt: str, *, stream: bool, tools: Sequence[str]) -> dict[str, Any]:
        content = [{"type": "input_text", "text": prompt}]
        return {
            "model": self.model,
            "stream": stream,
            "input": [{"type": "message", "role": "user", "content": content}],
            "tools": [{"type": "function", "name": name} for name in tools],
        }

    def said(self, received: Received, *, stream: bool) -> str:
        if not stream:
            response = received.json()
        else:
            events = received.events()
            assert [e["sequence_number"] for e in events] == list(range(len(events)))
            response = events[-1]["response"]
            pieces = [e["delta"] for e in events if e["type"] == "response.output_text.delta"]
            assert "".join(pieces) == response["output"][0]["content"][0]["text"]
        assert response["status"] == "completed"
        return response["output"][0]["content"][0]["text"]

    def called(self, received: Received, *, stream: bool) -> tuple[str, Any]:
        if not stream:
            [item] = received.json()["output"]
        else:
            events = received.events()
            [item] = [e["item"] for e in events if e["type"] == "response.output_item.done"]
            kind = "response.function_call_arguments.delta"
            pieces = [e["delta"] for e in events if e["type"] == kind]
            assert "".join(pieces) == item["arguments"]
        return item["name"], json.loads(item["arguments"])

    def add_result(self, body: dict[str, Any], tool: str, result: str) -> None:
        body["input"].append({"type": "function_call_output", "call_id": "c", "output": result})

    def input_tokens(self, received: Received) -> int:
        return received.json()["usage"]["input_tokens"]


@pytest.fixture(
    params=[AnthropicApi(), GeminiApi(), ChatApi(), ResponsesApi()], ids=lambda api: api.name
)
def api(request: pytest.FixtureRequest) -> Api:
    """Each of the four APIs in turn."""
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
