"""An answer on its way to the client, and the ways in which it does not get there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from enum import Enum, auto

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from undaunted.rehearsal.connection import Connection

__all__ = [
    "Delivery",
    "Ending",
]


class Ending(Enum):
    """What follows the last piece."""

    COMPLETE = auto()  # the body's end mark: a proper response
    HANG = auto()  # nothing, until the client goes
    HANG_UP = auto()  # FIN
    RESET = auto()  # RST


class Delivery(Response):
    """A response with status 200 that is sent piece by piece and ends as it is told to.

    No content length is announced, so that a body can end properly at any point.

    Args:
        pieces: The body.
        media_type: Its type.
        headers: Further headers.
        ending: What follows the last piece.
        delay_s: Seconds of silence before each piece.
        silent: Send nothing, not even the headers, before the ending.

    Cancellation: ends as soon as the client goes, which is also how the server ends it.
    """

    def __init__(
        self,
        pieces: Sequence[bytes] = (),
        *,
        media_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        ending: Ending = Ending.COMPLETE,
        delay_s: float = 0.0,
        silent: bool = False,
    ) -> None:
        # Response.__init__ would render a body and announce its length.
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.init_headers(headers)
        self._pieces = pieces
        self._ending = ending
        self._delay_s = delay_s
        self._silent = silent

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_client_gone(receive))
        try:
            if not self._silent:
                await self._send_pieces(send, gone)
            match self._ending:
                case Ending.COMPLETE:
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    return
                case Ending.HANG_UP:
                    Connection.under(scope).hang_up()
                case Ending.RESET:
                    Connection.under(scope).reset()
                case Ending.HANG:
                    pass
            # Returning before the connection is down would make uvicorn finish the response.
            await gone
        finally:
            gone.cancel()

    async def _send_pieces(self, send: Send, gone: asyncio.Task[None]) -> None:
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        for piece in self._pieces:
            if self._delay_s:
                await asyncio.wait({gone}, timeout=self._delay_s)
            if gone.done():
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
