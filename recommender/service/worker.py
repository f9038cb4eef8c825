"""The worker: its connections, limited in number, time and memory, and the turns of their requests.

gunicorn parses and writes HTTP, gevent switches between connections. A connection either waits for its client or has
a request in progress. One that waits can be closed at any time, so that a new client always finds a place.
"""

import json
import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import partial
from http import HTTPStatus
from socket import SHUT_RD, SHUT_RDWR, SHUT_WR, socketpair
from typing import Any

from gevent import Timeout, getcurrent, sleep
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gevent.socket import socket, wait_write
from gunicorn.http import get_parser
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    NoMoreData,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.workers.ggevent import GeventWorker

from recommender.common.messages import reason
from recommender.errors import RequestError
from recommender.sagemaker.server_environment import PING, MediaType
from recommender.service.app import INTERNAL
from recommender.service.body import CHUNK
from recommender.service.load import Load
from recommender.service.media import as_json

HEAD_SECONDS = 10  # time for a new client to send the head of its first request
STALL_SECONDS = 30  # maximum time in which a client neither sends nor reads
MAX_CHUNKS, CHUNKS_AT_ONCE = 50_000, 100  # chunks of a body; the worker pauses after each 100
LINGER_SECONDS, LINGER_BYTES = 5, 64 * 2**20  # limits for data after the response, which are read and dropped
DROPPED, DROP_PAUSE_SECONDS = bytearray(256 * 2**10), 0.001  # the buffer for dropped data of all connections
CROWD, MAX_ACCEPT = 32, 100  # a worker with more connections than 32 accepts up to 100 at once
CLOSING = 100  # connections above the maximum, while they are being closed

# The statuses for gunicorn's errors about requests that can't be parsed; 400 for the others.
STATUSES: dict[type[ParseException], HTTPStatus] = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}

log = logging.getLogger("recommender.requests")


class Connections:
    """The connections of a worker; those that wait for their clients are in order of their waiting time.

    Attributes:
        most: maximum number. A further one closes the connection that has waited longest for its client.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._clients: dict[object, socket] = {}  # by greenlet
        self._waiting: dict[object, socket] = {}

    @property
    def is_crowd(self) -> bool:
        """Whether the worker has many connections."""
        return len(self._clients) > CROWD

    @contextmanager
    def opened(self, client: socket) -> Iterator[None]:
        """Count a connection while the block serves it."""
        if len(self._clients) >= self.most:
            for oldest in self._waiting:
                self._close(oldest, SHUT_RDWR)
                break
        own = getcurrent()
        self._clients[own] = self._waiting[own] = client
        try:
            yield
        finally:
            del self._clients[own]
            self._waiting.pop(own, None)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Mark the connection of this greenlet as one with a request in progress."""
        own = getcurrent()
        self._waiting.pop(own, None)
        try:
            yield
        finally:
            if own in self._clients:
                self._waiting[own] = self._clients[own]

    def close_idle(self) -> None:
        """End the connections that wait for a request. A request that has arrived still gets its response."""
        for own in list(self._waiting):
            self._close(own, SHUT_RD)

    def _close(self, own: object, how: int) -> None:
        with suppress(OSError):  # the client has closed the connection
            self._waiting.pop(own).shutdown(how)


class Turns:
    """A queue for the CPU of a worker: one recommendation at a time, in order of arrival.

    Before each turn the worker handles its connections. So /ping waits for at most two recommendations, however
    many requests wait and however long the batches are. `gevent.sleep(0)` does not suffice: gevent handles
    connections only after 50 such switches. A semaphore of gevent does not suffice either: it is not fair.
    """

    def __init__(self) -> None:
        self._busy = False
        self._waiting: deque[Event] = deque()
        self._pair = socketpair()  # one end is always writable

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Wait for a turn, and hold it for the length of the block."""
        if self._busy:
            called = Event()
            self._waiting.append(called)
            called.wait()
        self._busy = True
        try:
            self.pause()
            yield
        finally:
            if self._waiting:
                self._waiting.popleft().set()  # still busy, so no other request can overtake
            else:
                self._busy = False

    def pause(self) -> None:
        """Return after the next poll, when ready connections have been handled."""
        wait_write(self._pair[0].fileno())


class WorkerLoad(Load):
    """The load of a worker with many connections."""

    def __init__(self, max_body_bytes: int, connections: Connections) -> None:
        super().__init__(max_body_bytes)
        self.connections = connections
        self._turns = Turns()

    @contextmanager
    def work(self, records: int) -> Iterator[None]:
        """Count a request while it is computed; its connection stays open."""
        with super().work(records), self.connections.at_work():
            yield

    def turn(self) -> AbstractContextManager[None]:
        """Wait for a turn, and hold it for the length of the block."""
        return self._turns()

    def pause(self) -> None:
        """Handle the worker's connections; the turn is kept."""
        self._turns.pause()

    def wait(self) -> None:
        """Wait for a turn if there are many connections: their requests begin one by one, with /ping in between."""
        if self.connections.is_crowd:
            with self._turns():
                pass

    def deadline(self, seconds: float) -> AbstractContextManager[object]:
        """Raise TimeoutError in the block after this number of seconds."""
        return Timeout(seconds, TimeoutError)


class Listener(StreamServer):  # type: ignore[misc]  # gevent has no types
    """A listener that accepts one connection at a time, so that other workers get the next ones; in a crowd, all."""

    def __init__(self, *args: object, connections: Connections, **kwargs: object) -> None:
        self._connections = connections
        super().__init__(*args, **kwargs)

    @property
    def max_accept(self) -> int:
        """The number of connections to accept at once: /ping may be the last one of a crowd."""
        return MAX_ACCEPT if self._connections.is_crowd else 1


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's gevent worker with bounded connections. The app is a `Server`, which has the load."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._connections: Connections = self.app.load_of_worker.connections
        self._stopping = Event()

    def run(self) -> None:
        """Serve until a stop signal, then finish the requests in progress."""
        pool = Pool(self.worker_connections + CLOSING)
        servers = [
            Listener(listener, partial(self.handle, listener), spawn=pool, connections=self._connections)
            for listener in self.sockets
        ]
        for server in servers:
            server.start()
        while self.alive:
            self.notify()
            self._stopping.wait(1.0)
        for server in servers:
            server.close()
        self._connections.close_idle()
        with Timeout(self.cfg.graceful_timeout, False):
            while not pool.join(timeout=1.0):
                self.notify()
        pool.kill(timeout=1)

    def handle_exit(self, sig: int, frame: object) -> None:
        """Stop at once, without waiting for the next second."""
        super().handle_exit(sig, frame)
        self._stopping.set()

    def handle(self, listener: Any, client: socket, addr: object) -> None:  # noqa: ANN401 - gunicorn's socket
        """Serve one connection until it closes."""
        client.settimeout(STALL_SECONDS)
        with self._connections.opened(client), closing(client):
            try:
                self._serve(listener.getsockname(), client, addr)
            except (StopIteration, NoMoreData, OSError):
                pass  # the connection ends, or the client does not send or read any more
            except ParseException as error:
                _send_last(client, _response(*unreadable(error)))
            except Exception as error:
                log.error("failed to process a connection", exc_info=error)
                _send_last(client, _response(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL))

    def _serve(self, listener_name: object, client: socket, addr: object) -> None:
        parser = get_parser(self.cfg, client, addr)
        # Few reads, since gunicorn scans the whole head after each one. Small reads, since they are not counted.
        parser.unreader.mxchunk = parser.unreader.max_body_chunk = CHUNK
        seconds: float = HEAD_SECONDS
        stays = True
        while stays and (self.alive or not parser.req_count):  # a request that has arrived still gets its response
            request = None
            with Timeout(seconds, False):
                request = next(parser)
            if request is None:
                return
            reader = request.body.reader
            if isinstance(reader, ChunkedReader):
                reader.parser = _few_chunks(reader.parser, self.app.load_of_worker)
            if request.path != PING:
                self.app.load_of_worker.wait()
            try:
                self.handle_request(listener_name, request, client, addr)
            except StopIteration:  # the client sends no further request, or the server stops
                stays = False
            stays = parser.finish_body(time.monotonic() + LINGER_SECONDS, CHUNK) and stays
            seconds = self.cfg.keepalive
        if not stays:  # the client may not know that this is the last response
            _send_last(client, b"")


class TooManyChunks(ParseException):  # type: ignore[misc]  # gunicorn has no types
    """A chunked body has too many, tiny chunks."""

    def __str__(self) -> str:
        return f"a chunked body has at most {MAX_CHUNKS:,} chunks, send larger ones"


def _few_chunks(chunks: Iterator[bytes], load: WorkerLoad) -> Iterator[bytes]:
    """Yield the chunks of a body, with pauses: each chunk costs some microseconds, however small it is.

    Raises:
        TooManyChunks: there are more than `MAX_CHUNKS`; gunicorn then closes the connection.
    """
    for number, chunk in enumerate(chunks):
        if number == MAX_CHUNKS:
            raise TooManyChunks
        if number % CHUNKS_AT_ONCE == CHUNKS_AT_ONCE - 1:
            load.pause()
        yield chunk


def _send_last(client: socket, data: bytes) -> None:
    """Send the end of the last response, then read and drop further data of the client, within limits.

    If a connection is closed while its client sends, it is reset before the client reads the response.
    """
    with suppress(OSError), Timeout(LINGER_SECONDS, False):  # the client may have closed the connection
        client.sendall(data)
        client.shutdown(SHUT_WR)
        left = LINGER_BYTES
        while left > 0 and (count := client.recv_into(DROPPED)):
            left -= count
            sleep(DROP_PAUSE_SECONDS)  # sleep(0) would block the other connections


def unreadable(error: ParseException) -> tuple[HTTPStatus, str]:
    """Return status and message for a request that can't be parsed."""
    return STATUSES.get(type(error), HTTPStatus.BAD_REQUEST), f"expected a valid HTTP request: {reason(error)}"


def _response(status: HTTPStatus, message: str) -> bytes:
    body = json.dumps(as_json(RequestError("", message)))
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {MediaType.JSON}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        "",
        body,
    )
    return "\r\n".join(lines).encode()
