"""The rehearsal model API as an ASGI application: four wire formats, one script, one fault."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from undaunted.rehearsal import anthropic, gemini, openai_chat, openai_responses
from undaunted.rehearsal.answers import Answer, Turn
from undaunted.rehearsal.faults import Fault
from undaunted.rehearsal.fitting import value_fitting
from undaunted.rehearsal.recording import RecordedRequest
from undaunted.rehearsal.reply import Reply
from undaunted.rehearsal.wire import ModelRequest, UnreadableRequestError, WireFormat

__all__ = ["MODEL", "ModelApi"]

MODEL = "rehearsal-model"
"""The name in the list of models, for clients that look theirs up."""

_EVERY_METHOD = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


class ModelApi:
    """Answers the requests of Anthropic's, Gemini's and OpenAI's clients, or fails as it is told.

    Any model's name will do. Every request to a model counts and meets the fault, an agent's own
    utility calls included: a real outage spares none of them. Pre-flights and token counts don't.

    Args:
        now: The clock, which gives aware UTC instants.
        on_request: Called with each request once it has been read, before it is answered.
        fault: What goes wrong.
        answer: What the model says when nothing goes wrong.

    Attributes:
        answer: The script; may be exchanged at any time.
        requests: Every request that was read, in order.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        on_request: Callable[[RecordedRequest], None],
        fault: Fault,
        answer: Answer,
    ) -> None:
        self.answer = answer
        self.requests: list[RecordedRequest] = []
        self._fault = fault
        self._faced_fault = 0  # model requests since the fault was set
        self._answered = 0  # model requests since the start, for ids that never come twice
        self._now = now
        self._on_request = on_request
        posted: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/v1/messages": partial(self._model_request, anthropic),
            "/v1/messages/count_tokens": partial(self._token_count, anthropic.token_count),
            "/v1/chat/completions": partial(self._model_request, openai_chat),
            "/v1/responses": partial(self._model_request, openai_responses),
            "/{version}/models/{model}:{method}": self._gemini_request,
        }
        self._app = Starlette(
            routes=[
                *(Route(path, answer, methods=["POST"]) for path, answer in posted.items()),
                Route("/v1/models", self._models, methods=["GET"]),
                Route("/{path:path}", self._anything_else, methods=_EVERY_METHOD),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request (ASGI)."""
        try:
            await self._app(scope, receive, send)
        except ClientDisconnect:
            return  # it went before its request was complete: there is nobody to answer

    @property
    def fault(self) -> Fault:
        """What goes wrong."""
        return self._fault

    def set_fault(self, fault: Fault) -> None:
        """What goes wrong from now on; requests are counted anew."""
        self._fault = fault
        self._faced_fault = 0

    def forget(self) -> None:
        """Forgets the requests recorded so far, and counts anew for the fault."""
        self.requests.clear()
        self._faced_fault = 0

    async def _gemini_request(self, http: Request) -> Response:
        match http.path_params["method"]:
            case "generateContent" | "streamGenerateContent":
                return await self._model_request(gemini, http)
            case "countTokens":
                return await self._token_count(gemini.token_count, http)
            case _:
                return await self._anything_else(http)

    async def _model_request(self, wire: WireFormat, http: Request) -> Response:
        body = await http.body()
        try:
            request = wire.read(http.path_params, body)
        except UnreadableRequestError as error:
            self._record(http, body)
            return JSONResponse(_error_body(400, str(error)), status_code=400)
        self._answered += 1
        self._faced_fault += 1
        fault = self._fault if self._fault.holds_for(self._faced_fault) else Fault()
        self._record(http, body, request, fault)
        reply = Reply(wire, request, self._turn(request), self._answered, self._now())
        return reply.response(fault)

    async def _token_count(
        self, count: Callable[[bytes], Mapping[str, object]], http: Request
    ) -> Response:
        body = await http.body()
        self._record(http, body)
        return JSONResponse(count(body))

    async def _models(self, http: Request) -> Response:
        self._record(http, await http.body())
        model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "rehearsal"}
        return JSONResponse({"object": "list", "data": [model]})

    async def _anything_else(self, http: Request) -> Response:
        self._record(http, await http.body())
        if http.url.path == "/":
            return Response()  # Claude Code asks HEAD / before its first request
        return JSONResponse(_error_body(404, "no such path in the rehearsal"), status_code=404)

    def _turn(self, request: ModelRequest) -> Turn:
        if request.schema is not None:
            return Turn(text=json.dumps(value_fitting(request.schema)))
        return self.answer.turn(offered_tools=request.tool_names, tool_results=request.tool_results)

    def _record(
        self,
        http: Request,
        body: bytes,
        request: ModelRequest | None = None,
        fault: Fault | None = None,
    ) -> None:
        record = RecordedRequest(
            method=http.method,
            path=http.url.path,
            received_at=self._now(),
            body_bytes=len(body),
        )
        if request is not None:
            record = replace(
                record,
                is_model_request=True,
                model=request.model,
                stream=request.stream,
                prompt_parts=request.prompt_parts,
                messages=request.messages,
                fault=str(fault),
            )
        self.requests.append(record)
        self._on_request(record)


def _error_body(status: int, text: str) -> dict[str, object]:
    """An error that every format's clients can read: they look for `error.message`."""
    detail = {"type": "invalid_request_error", "code": status, "message": text}
    return {"type": "error", "error": detail}
