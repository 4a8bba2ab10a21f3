"""The response to a model request, given what the model says and what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import HTMLResponse, JSONResponse, Response

from undaunted.rehearsal.answers import Turn
from undaunted.rehearsal.delivery import Delivery, Ending
from undaunted.rehearsal.faults import Fault, FaultName
from undaunted.rehearsal.wire import ModelRequest, WireFormat

__all__ = ["Reply"]

# A proxy's page, not the API's own error: that is what a 502 looks like in the wild.
_BAD_GATEWAY = (
    "<html><head><title>502 Bad Gateway</title></head>"
    "<body><h1>502 Bad Gateway</h1><hr>rehearsal proxy</body></html>"
)
_SIGN_IN = (
    "<!doctype html><html><head><title>Sign in</title></head>"
    "<body><p>Sign in to use this network.</p></body></html>"
)
_NOT_JSON = b'{"id": "rehearsal", "content": [{"type": '


_WITHOUT_ANSWER = {
    FaultName.HANG: Ending.HANG,
    FaultName.RESET: Ending.RESET,
    # A request that was under way when the listener closed finds no answer either.
    FaultName.REFUSED: Ending.RESET,
}
_HALF_WAY = {
    FaultName.CUT: Ending.RESET,
    FaultName.CUT_CLEAN: Ending.HANG_UP,
    FaultName.END_EARLY: Ending.COMPLETE,
    FaultName.HANG_MID: Ending.HANG,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What is known when a model request is answered.

    Attributes:
        wire: The API's format.
        request: The request.
        turn: What the model says.
        number: The model request's number, from 1.
        now: The present instant.
    """

    wire: WireFormat
    request: ModelRequest
    turn: Turn
    number: int
    now: datetime

    def response(self, fault: Fault) -> Response:
        """The response that shows `fault`.

        A fault in mid-stream spoils an answer that is not streamed at the same place: half-way
        through its body. `FaultName.STREAM_ERROR` has no such place there and is a status 529.
        """
        if fault.name is FaultName.STREAM_ERROR and not self.request.stream:
            fault = Fault(FaultName.OVERLOADED)
        if fault.name.status is not None:
            return self._error(fault, fault.name.status)
        if fault.name in _WITHOUT_ANSWER:
            return Delivery(silent=True, ending=_WITHOUT_ANSWER[fault.name])
        if fault.name is FaultName.HTML:
            return HTMLResponse(_SIGN_IN)
        return Delivery(
            self._body(fault.name),
            media_type="text/event-stream" if self.request.stream else "application/json",
            ending=_HALF_WAY.get(fault.name, Ending.COMPLETE),
            delay_s=fault.delay_s,
        )

    def _error(self, fault: Fault, status: int) -> Response:
        if fault.name is FaultName.BAD_GATEWAY:
            retry_after = fault.retry_after_s
            headers = {} if retry_after is None else {"retry-after": str(retry_after)}
            return HTMLResponse(_BAD_GATEWAY, status_code=status, headers=headers)
        reply = self.wire.error(fault, self.number, self.now)
        return JSONResponse(reply.body, status_code=status, headers=reply.headers)

    def _body(self, name: FaultName) -> Sequence[bytes]:
        match name:
            case FaultName.EMPTY:
                return []
            case FaultName.MALFORMED:
                return [b"data: " + _NOT_JSON + b"\n\n" if self.request.stream else _NOT_JSON]
            case FaultName.STREAM_ERROR:
                return [*_first_half(self._answer()), self.wire.error_event()]
            case _ if name in _HALF_WAY:
                return _first_half(self._answer())
            case _:
                return self._answer()

    def _answer(self) -> Sequence[bytes]:
        """The answer in pieces, of which the first half is not the whole."""
        if self.request.stream:
            return self.wire.events(self.request, self.turn, self.number)
        body = json.dumps(self.wire.message(self.request, self.turn, self.number)).encode()
        quarter = len(body) // 4 + 1
        return [body[at : at + quarter] for at in range(0, len(body), quarter)]


def _first_half(pieces: Sequence[bytes]) -> Sequence[bytes]:
    return pieces[: len(pieces) // 2]
