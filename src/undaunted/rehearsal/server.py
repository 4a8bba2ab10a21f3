"""Serves the rehearsal model API on the loopback interface."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from undaunted.errors import ConfigurationError, MissingExtraError
from undaunted.rehearsal.answers import DEFAULT_TEXT, Answer
from undaunted.rehearsal.faults import Fault, FaultName
from undaunted.rehearsal.recording import RecordedRequest

try:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from undaunted.rehearsal.connection import Connection
    from undaunted.rehearsal.model_api import ModelApi
except ModuleNotFoundError as missing:
    raise MissingExtraError(
        f"the rehearsal model API needs {missing.name}: pip install 'undaunted[server]'"
    ) from missing

__all__ = ["RehearsalServer"]

# An agent may run a tool for minutes between two requests on one connection. Closing it meanwhile
# would be a fault that nobody asked for.
_KEEP_ALIVE_S = 3600


class RehearsalServer:
    """A model API on 127.0.0.1 that fails on purpose.

    Usage: `async with RehearsalServer(fault="429:2") as server: ... server.url ...`

    uvicorn speaks HTTP here, but its `Server` is not used: that takes over the process's signal
    handlers, waits for hanging connections when it ends, and can't stop listening in between.

    Args:
        fault: What goes wrong, as a `Fault` or in its text form.
        answer: What the model says when nothing goes wrong: a script, or only its text.
        host: An IPv4 loopback address; any other is refused.
        port: The port; 0 takes a free one.
        on_request: Called with each request, before it is answered.
        now: The clock, which gives aware UTC instants.

    Concurrency: one event loop; any number of servers may run in it.
    """

    def __init__(
        self,
        *,
        fault: Fault | str = "ok",
        answer: Answer | str = DEFAULT_TEXT,
        host: str = "127.0.0.1",
        port: int = 0,
        on_request: Callable[[RecordedRequest], None] | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._host = _loopback(host)
        self._port = port
        self._api = ModelApi(
            now=now or _utc_now,
            on_request=on_request or _ignore,
            fault=_as_fault(fault),
            answer=_as_answer(answer),
        )
        self._config = Config(
            self._api,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,  # the process's logging is not ours to set up
            access_log=False,  # the query string may hold a key
            timeout_keep_alive=_KEEP_ALIVE_S,
        )
        self._config.load()
        self._state = ServerState()
        self._place: socket.socket | None = None
        self._listener: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Starts to listen.

        Raises:
            OSError: The port is taken.
        """
        # A second socket that is bound and never listens keeps the port ours while the listener
        # is closed: the kernel refuses connections to it, and gives the port to nobody else.
        self._place = self._bind(self._port)
        self._port = self._place.getsockname()[1]
        try:
            await self._open_or_shut()
        except OSError:
            self._place.close()
            self._place = None
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops at once: hanging requests too are ended, and nothing is left when it returns."""
        await self._shut()
        if self._place is not None:
            self._place.close()
            self._place = None

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end; known once the server was started."""
        return f"http://{self._host}:{self._port}"

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request that was read so far, in order."""
        return list(self._api.requests)

    @property
    def model_requests(self) -> list[RecordedRequest]:
        """The requests that asked the model for an answer."""
        return [request for request in self._api.requests if request.is_model_request]

    @property
    def fault(self) -> Fault:
        """What goes wrong at present."""
        return self._api.fault

    async def set_fault(self, fault: Fault | str) -> None:
        """What goes wrong from now on; requests are counted anew. Connections under way go on.

        For `refused` the listener is closed and every connection dropped; any other fault opens
        it again, on the same port.
        """
        self._api.set_fault(_as_fault(fault))
        if self._place is not None:
            await self._open_or_shut()

    def set_answer(self, answer: Answer | str) -> None:
        """What the model says from now on."""
        self._api.answer = _as_answer(answer)

    def forget(self) -> None:
        """Forgets the requests recorded so far and counts anew for the fault."""
        self._api.forget()

    async def _open_or_shut(self) -> None:
        if self._api.fault.name is FaultName.REFUSED:
            await self._shut()
        elif self._listener is None:
            loop = asyncio.get_running_loop()
            self._listener = await loop.create_server(self._connection, sock=self._bind(self._port))

    async def _shut(self) -> None:
        listener, self._listener = self._listener, None
        if listener is None:
            return
        listener.close()
        for connection in list(self._state.connections):
            connection.transport.abort()
        # Requests under way see their client gone and end by themselves.
        await asyncio.gather(*self._state.tasks)
        # An aborted connection is down one turn of the loop later.
        while self._state.connections:  # noqa: ASYNC110  # uvicorn's set has no event to wait for
            await asyncio.sleep(0)
        await listener.wait_closed()

    def _connection(self) -> Connection:
        return Connection(self._config, self._state, is_welcome=lambda: self._listener is not None)

    def _bind(self, port: int) -> socket.socket:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            # Linux lets two sockets have one address as long as neither listens; it also lets a
            # server start where connections of the last one are still in TIME_WAIT.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self._host, port))
        except OSError:
            bound.close()
            raise
        return bound


def _loopback(host: str) -> str:
    try:
        if ipaddress.IPv4Address(host).is_loopback:
            return host
    except ipaddress.AddressValueError:
        pass  # a name, or an address of another kind: refused like a foreign one
    raise ConfigurationError(
        f"the rehearsal only listens on a loopback address such as 127.0.0.1, not on {host!r}"
    )


def _as_fault(fault: Fault | str) -> Fault:
    return Fault.parse(fault) if isinstance(fault, str) else fault


def _as_answer(answer: Answer | str) -> Answer:
    return Answer(answer) if isinstance(answer, str) else answer


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _ignore(_: RecordedRequest) -> None:
    return
