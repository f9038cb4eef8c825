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

    The app, and with it the model, is loaded once before the workers are forked, which share its
    memory; it listens only then, so /ping is never answered too early. One worker a core, one BLAS
    thread a worker. Workers are cooperative (gevent): a slow client or a long batch holds up no other.
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
            "graceful_timeout": 25,  # and a container 30 s between SIGTERM and SIGKILL (S12)
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
        """The app."""
        return self._flask_app

    def run(self) -> None:
        """Serve until a stop signal."""
        _Arbiter(self).run()


class _Arbiter(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's master, whose workers cannot miss a stop signal while they start.

    A worker inherits the master's signal handlers, so a SIGTERM before it has its own is lost, and the
    master waits for that worker until `graceful_timeout`. Blocked signals stay pending instead.
    """

    def spawn_worker(self) -> int:
        """Fork a worker, in which the stop signals are blocked until it is up."""
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            return int(super().spawn_worker())
        finally:  # in the worker this is reached only when it ends
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def handle_int(self) -> None:
        """Stop on Ctrl-C as on SIGTERM: answers under way are finished."""
        self.handle_term()


def _hear_stop_signals(_worker: object) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the master passes on what it means
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def _unreadable(error: Exception) -> Response:
    response = refuse(RequestError("", f"expected a body that can be read: {error}"))
    response.headers["Connection"] = "close"  # where the next request begins is not known
    return response


def check_port_is_free(port: int) -> None:
    """Say in one line what gunicorn would say ten times in five seconds.

    Raises:
        ConfigError: the port cannot be listened on.
    """
    with socket() as probe:
        probe.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - a container is reached from outside
        except OSError as error:
            raise ConfigError(
                f"port {port}: can't be listened on: {error.strerror}. Set {BIND_TO_PORT} to another"
            ) from None


class Turns:
    """Lets a worker compute one answer at a time, first come first served, and look at its connections before each.

    So /ping waits for an answer or two, however many are wanted and however long the batches are.
    `gevent.sleep(0)` would not do (gevent looks at the connections after 50 such switches only), nor a
    semaphore of gevent's (who asks again gets it before those who wait).
    """

    def __init__(self) -> None:
        self._busy = False
        self._waiting: deque[Event] = deque()
        self._pair = socketpair()  # an end of it can always be written to

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Wait for one's turn, and have it."""
        if self._busy:
            called = Event()
            self._waiting.append(called)
            called.wait()
        self._busy = True
        try:
            wait_write(self._pair[0].fileno())  # back after the next poll and all that is ready then
            yield
        finally:
            if self._waiting:
                self._waiting.popleft().set()  # still busy: nobody comes between
            else:
                self._busy = False


def run(recommender: Recommender, settings: ServerSettings) -> None:
    """Serve until SIGTERM; answers under way are finished.

    Raises:
        ConfigError: the port cannot be listened on.
    """
    check_port_is_free(settings.port)
    # Whoever has loaded the model from S3 has imported ssl, which gevent's workers then patch late. They speak no TLS.
    warnings.simplefilter("ignore", MonkeyPatchWarning)
    app = create_app(recommender, settings, Turns())
    app.register_error_handler(ParseException, _unreadable)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=settings.log_level)
    with threadpool_limits(1, user_api="blas"):  # forked workers inherit it
        Server(app, settings).run()
