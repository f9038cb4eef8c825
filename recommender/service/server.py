"""The app under gunicorn, as the image runs it."""

import logging
import signal
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import SO_REUSEADDR, SOL_SOCKET, socket, socketpair
from typing import Any

from flask import Flask, Response
from gevent.event import Event
from gevent.monkey import MonkeyPatchWarning
from gevent.socket import wait_write
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.http.errors import ParseException
from threadpoolctl import threadpool_limits

from recommender.errors import ConfigError, RequestError
from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.server_environment import BIND_TO_PORT, ServerSettings
from recommender.service.app import create_app, refuse

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a heartbeat file on disk can stall a worker

STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn with the settings of a SageMaker container.

    The app and its model are loaded once, before the workers are forked, so that they share its memory.
    The server listens only then, so /ping never succeeds too early. There is one worker per core, and one
    BLAS thread per worker. Workers are cooperative (gevent): a slow client or a long batch blocks no other.
    """

    def __init__(self, app: Flask, settings: ServerSettings) -> None:
        self._flask_app = app
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Hand gunicorn its settings."""
        options: dict[str, Any] = {
            "bind": f"0.0.0.0:{self._settings.port}",
            "workers": self._settings.workers,
            "worker_class": "gevent",
            "preload_app": True,
            "timeout": self._settings.timeout,
            "graceful_timeout": 25,  # a container has 30 s between SIGTERM and SIGKILL (S12)
            "keepalive": 75,
            "control_socket_disable": True,
            "loglevel": logging.getLevelName(max(logging.WARNING, self._settings.log_level)).lower(),
            "post_worker_init": _hear_stop_signals,
            "when_ready": lambda _: print(f"serving on port {self._settings.port}", flush=True),
            **({"worker_tmp_dir": str(SHARED_MEMORY)} if SHARED_MEMORY.is_dir() else {}),
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Return the app."""
        return self._flask_app

    def run(self) -> None:
        """Serve until a stop signal."""
        _Arbiter(self).run()


class _Arbiter(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's master; its workers cannot miss a stop signal while they start.

    A worker inherits the master's signal handlers. A SIGTERM before it has its own handlers is lost, and
    the master waits for that worker until `graceful_timeout`. Blocked signals stay pending instead.
    """

    def spawn_worker(self) -> int:
        """Fork a worker; stop signals are blocked in it until it is ready."""
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            return int(super().spawn_worker())
        finally:  # in the worker this is reached only when it ends
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def handle_int(self) -> None:
        """Stop on Ctrl-C as on SIGTERM: finish the responses in progress."""
        self.handle_term()


def _hear_stop_signals(_worker: object) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the master stops the workers
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def _unreadable(error: Exception) -> Response:
    response = refuse(RequestError("", f"expected a body that can be read: {error}"))
    response.headers["Connection"] = "close"  # the start of the next request is unknown
    return response


def check_port_is_free(port: int) -> None:
    """Check that the port is free: gunicorn would report it ten times in five seconds.

    Raises:
        ConfigError: the server cannot listen on the port.
    """
    with socket() as probe:
        probe.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - a container is reached from outside
        except OSError as error:
            raise ConfigError(
                f"port {port}: the server can't listen on it: {error.strerror}. Set {BIND_TO_PORT} to another port"
            ) from None


class Turns:
    """A queue for the CPU of a worker: one recommendation at a time, first come, first served.

    Before each turn the worker handles its connections. So /ping waits for one or two recommendations, however
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
            wait_write(self._pair[0].fileno())  # returns after the next poll, when ready connections have been handled
            yield
        finally:
            if self._waiting:
                self._waiting.popleft().set()  # still busy: no other can get in between
            else:
                self._busy = False


def run(recommender: Recommender, settings: ServerSettings) -> None:
    """Serve until SIGTERM; finish the responses in progress.

    Raises:
        ConfigError: the server cannot listen on the port.
    """
    check_port_is_free(settings.port)
    # Loading the model from S3 imports ssl, so gevent's workers patch it late. That is harmless: they use no TLS.
    warnings.simplefilter("ignore", MonkeyPatchWarning)
    app = create_app(recommender, settings, Turns())
    app.register_error_handler(ParseException, _unreadable)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=settings.log_level)
    with threadpool_limits(1, user_api="blas"):  # forked workers inherit the limit
        Server(app, settings).run()
