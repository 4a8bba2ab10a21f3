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


@pytest.mark.parametrize("step", [write_file("/w/a", "1\n"), shell("true")], ids=["write", "shell"])
async def test_tool_call_then_text(api, stream, server, step) -> None:
    """The first request gets the call by the offered name, the one with its result the text."""
    server.set_answer(Answer("done", (step,)))
    offered = list(step.inputs)[1]
    received = await api.ask(server, stream=stream, tools=["Read", offered])
    assert api.called(received, stream=stream) == (offered, step.inputs[offered])

    body = api.body("hi", stream=stream, tools=[offered])
    api.add_result(body, offered, "ok")
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


SCHEMA = {"type": "object", "properties": {"size": {"type": "string", "enum": ["s", "l"]}}}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/v1/chat/completions",
            {
                "messages": [],
                "response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}},
            },
        ),
        (
            "/v1/responses",
            {"input": [], "text": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        ),
    ],
)
async def test_schema_of_openai_clients_is_fitted(server, path: str, body) -> None:
    """A request for JSON of a shape gets that in OpenAI's formats too."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = (await client.post(server.url + path, json={"model": "m", **body})).json()
    said = (
        answer["choices"][0]["message"]
        if "choices" in answer
        else {"content": answer["output"][0]["content"][0]["text"]}
    )
    assert json.loads(said["content"]) == {"size": "s"}


async def test_usage_follows_the_sizes(api, server) -> None:
    """A longer prompt costs more input tokens."""
    short, long = [
        api.input_tokens(await api.ask(server, stream=False, prompt=prompt))
        for prompt in ("a", "a" * 4000)
    ]
    assert long - short == pytest.approx(1000, abs=1)


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
