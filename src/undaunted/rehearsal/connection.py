"""The TCP connection under a request, for the faults that ASGI has no words for.

An ASGI application can send and it can return; it can't reset a connection, or end one without
ending the body. uvicorn hands each request a copy of its connection's application state as
`scope["state"]` (ASGI's lifespan state), so a connection that puts itself there is within reach
of the response, without patching anything.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

from starlette.types import Scope
from typing_extensions import override
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

__all__ = ["Connection"]

_KEY = "rehearsal_connection"

# struct linger {on, 0 seconds}: closing sends RST in the place of FIN (socket(7)).
_LINGER_ZERO = struct.pack("ii", 1, 0)


class Connection(H11Protocol):
    """One client's connection, speaking HTTP/1.1.

    Args:
        config: uvicorn's settings; its `app` answers the requests.
        server_state: Where the connection and its requests' tasks register themselves.
        is_welcome: Asked when the connection is made; a connection that was still in the accept
            queue when the listener closed is dropped.
    """

    def __init__(
        self, config: Config, server_state: ServerState, *, is_welcome: Callable[[], bool]
    ) -> None:
        super().__init__(config, server_state, app_state={_KEY: self})
        self._is_welcome = is_welcome

    @classmethod
    def under(cls, scope: Scope) -> Connection:
        """The connection that the request of `scope` came on."""
        connection = scope["state"][_KEY]
        if not isinstance(connection, cls):
            raise TypeError(f"the request came on no {cls.__name__}: {connection!r}")
        return connection

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it too: TCP has a Transport
        super().connection_made(transport)
        if not self._is_welcome():
            self.drop()

    def drop(self) -> None:
        """Closes at once; what was not sent yet is lost."""
        self.transport.abort()

    def reset(self) -> None:
        """Closes at once with RST, which the client sees as "connection reset by peer"."""
        peer: socket.socket | None = self.transport.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.drop()

    def hang_up(self) -> None:
        """Sends what was written, then FIN, whatever HTTP had still to say."""
        self.transport.close()
