"""What the model says: texts, tool calls, values that fit a schema."""

from __future__ import annotations

import json

import httpx
import pytest

from undaunted.rehearsal.answers import Answer, shell, write_file


async def test_text_can_be_set(api, stream, server) -> None:
    """Any text arrives unchanged, line breaks and other alphabets included."""
    text = 'first line\n\n  second: \N{SNOWMAN} \u00fc \\ " end \n'
    server.set_answer(text)
    received = await api.ask(server, stream=stream)
    assert api.said(received, stream=stream) == text


async def test_long_text(api, stream, server) -> None:
    """A text of several hundred kilobytes arrives whole."""
    text = "word " * 60_000
    server.set_answer(text)
    received = await api.ask(server, stream=stream)
    assert api.said(received, stream=stream) == text


def tool_call(api, received, stream: bool) -> tuple[str, object]:
    if api.name == "gemini":
        chunk = received.events()[0] if stream else received.json()
        call = chunk["candidates"][0]["content"]["parts"][0]["functionCall"]
        return call["name"], call["args"]
    if not stream:
        block = received.json()["content"][0]
        return block["name"], block["input"]
    events = received.events()
    name = next(e["content_block"]["name"] for e in events if e["type"] == "content_block_start")
    parts = [e["delta"]["partial_json"] for e in events if e["type"] == "content_block_delta"]
    return name, json.loads("".join(parts))


@pytest.mark.parametrize("step", [write_file("/w/a", "1\n"), shell("true")], ids=["write", "shell"])
async def test_tool_call_then_text(api, stream, server, step) -> None:
    """The first request gets the call by the offered name, the one with its result the text."""
    server.set_answer(Answer("done", (step,)))
    offered = step.name_candidates[0 if api.name == "anthropic" else 1]
    received = await api.ask(server, stream=stream, tools=["Read", offered])
    assert tool_call(api, received, stream) == (offered, step.input)

    body = api.body("hi", stream=stream, tools=[offered])
    if api.name == "anthropic":
        result = {"type": "tool_result", "tool_use_id": "t", "content": "ok"}
        body["messages"].append({"role": "user", "content": [result]})
    else:
        result = {"functionResponse": {"name": offered, "response": {}}}
        body["contents"].append({"role": "user", "parts": [result]})
    received = await api.ask(server, stream=stream, body=body)
    assert api.said(received, stream=stream) == "done"


async def test_schema_is_fitted(server) -> None:
    """Gemini CLI's utility calls get JSON of the shape they ask for, not the script's text."""
    body = {
        "contents": [{"role": "user", "parts": [{"text": "which model?"}]}],
        "generationConfig": {
            "responseMimeType": "application/json",
            "responseJsonSchema": {
                "type": "object",
                "properties": {"model_choice": {"type": "string", "enum": ["flash", "pro"]}},
            },
        },
    }
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"{server.url}/v1beta/models/gemini-x:generateContent"
        answer = (await client.post(url, json=body)).json()
    text = answer["candidates"][0]["content"]["parts"][0]["text"]
    assert json.loads(text) == {"model_choice": "flash"}


async def test_usage_follows_the_sizes(api, server) -> None:
    """A longer prompt costs more input tokens."""
    short, long = [
        (await api.ask(server, stream=False, prompt=prompt)).json() for prompt in ("a", "a" * 4000)
    ]
    if api.name == "anthropic":
        counts = [answer["usage"]["input_tokens"] for answer in (short, long)]
    else:
        counts = [answer["usageMetadata"]["promptTokenCount"] for answer in (short, long)]
    assert counts[1] - counts[0] == pytest.approx(1000, abs=1)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/messages/count_tokens", "input_tokens"),
        ("/v1beta/models/gemini-x:countTokens", "totalTokens"),
    ],
)
async def test_token_counts(server, path: str, field: str) -> None:
    """Counting tokens works, and is no model request."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = (await client.post(server.url + path, content=b"x" * 400)).json()
    assert answer == {field: 100}
    assert server.model_requests == []
