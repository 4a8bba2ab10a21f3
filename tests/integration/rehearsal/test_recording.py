"""What the server remembers of its requests."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from undaunted.rehearsal.model_api import MODEL
from undaunted.rehearsal.recording import RecordedRequest
from undaunted.rehearsal.server import RehearsalServer
from undaunted.rehearsal.wire import Message

NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)


async def test_model_request_is_recorded(api, stream) -> None:
    """Every field says what the request was, and the clock is the one given."""
    async with RehearsalServer(fault="500:1", now=lambda: NOW) as server:
        await api.ask(server, stream=stream, prompt="say hi")
        [recorded] = server.requests
    assert recorded == RecordedRequest(
        method="POST",
        path=api.path(stream=stream).partition("?")[0],
        received_at=NOW,
        body_bytes=recorded.body_bytes,
        is_model_request=True,
        model=api.model,
        stream=stream,
        prompt_parts=("say hi",),
        messages=(Message("user", "say hi"),),
        fault="500:1",
    )
    assert recorded.body_bytes > len("say hi")


@pytest.mark.parametrize(
    "prompt", ["--help", "/clear", "@/etc/hostname", " \n\t", "\N{SNOWMAN}", "x " * 150_000]
)
async def test_prompt_is_kept_as_received(api, server, prompt: str) -> None:
    """The recorded prompt is the one that was sent, to the letter."""
    await api.ask(server, stream=True, prompt=prompt)
    assert server.model_requests[0].prompt == prompt


async def test_prompt_is_the_last_part(server) -> None:
    """Context that an agent puts before the prompt stays apart from it."""
    content = [{"type": "text", "text": "<context>"}, {"type": "text", "text": "do it"}]
    body = {"model": "m", "messages": [{"role": "user", "content": content}]}
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.post(f"{server.url}/v1/messages", json=body)
    [recorded] = server.requests
    assert recorded.prompt_parts == ("<context>", "do it")
    assert recorded.prompt == "do it"


async def test_results_of_tools_are_kept(api, stream, server) -> None:
    """What a tool gave back stands in the conversation, behind what was said before it."""
    body = api.body("do it", stream=stream, tools=["sh"])
    api.add_result(body, "sh", "exit 0")
    await api.ask(server, stream=stream, body=body)
    before, result = server.model_requests[0].messages
    assert before == Message("user", "do it")
    assert result.role == "tool"
    assert "exit 0" in result.text


async def test_keys_are_not_kept(api, server) -> None:
    """Neither the query string nor a header is anywhere in a record."""
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.post(
            server.url + api.path(stream=True),
            json=api.body("hi", stream=True, tools=()),
            headers={"x-api-key": "SECRET", "authorization": "Bearer SECRET"},
        )
        await client.get(f"{server.url}/v1/models?key=SECRET")
    assert len(server.requests) == 2
    assert "SECRET" not in repr(server.requests)


async def test_other_requests_are_told_apart(server) -> None:
    """Pre-flights and unknown paths are recorded, are no model requests and meet no fault."""
    await server.set_fault("500")
    async with httpx.AsyncClient(trust_env=False) as client:
        statuses = [
            (await client.head(f"{server.url}/")).status_code,
            (await client.get(f"{server.url}/v1/engines")).status_code,
            (await client.post(f"{server.url}/v1beta/models/g:embed", json={})).status_code,
        ]
    assert statuses == [200, 404, 404]
    assert [r.method for r in server.requests] == ["HEAD", "GET", "POST"]
    assert server.model_requests == []


async def test_models_can_be_listed(server) -> None:
    """A client that looks for its model before it asks finds one, whatever the fault."""
    await server.set_fault("500")
    async with httpx.AsyncClient(trust_env=False) as client:
        models = (await client.get(f"{server.url}/v1/models")).json()
    assert [model["id"] for model in models["data"]] == [MODEL]
    assert server.model_requests == []


async def test_unreadable_requests_are_refused(api, server) -> None:
    """A body that is no request gets status 400 and does not use up a counted fault."""
    await server.set_fault("500:1")
    statuses = [
        (await api.ask(server, stream=True, body=body)).status for body in ({"no": 1}, None)
    ]
    assert statuses == [400, 500]
    assert [r.is_model_request for r in server.requests] == [False, True]


async def test_faults_are_recorded_as_met(api, server) -> None:
    """A record says which fault its request met, `ok` once the count is used up."""
    await server.set_fault("429:1")
    for _ in range(2):
        await api.ask(server, stream=True)
    assert [r.fault for r in server.model_requests] == ["429:1", "ok"]


async def test_forget(api, server) -> None:
    """Forgetting empties the records and counts anew for the same fault."""
    await server.set_fault("429:1")
    await api.ask(server, stream=True)
    server.forget()
    assert server.requests == []
    assert (await api.ask(server, stream=True)).status == 429


async def test_requests_are_told_as_they_come(api) -> None:
    """The callback gets each record before the answer goes out."""
    told: list[RecordedRequest] = []
    async with RehearsalServer(on_request=told.append, fault="hang") as server:
        await api.ask(server, stream=True, read_timeout_s=0.3)
        assert told == server.requests
    assert len(told) == 1
