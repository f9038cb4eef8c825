"""gunicorn around the app, as the image runs it."""

import logging
import signal
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from threadpoolctl import threadpool_limits

from recommender.container import ServerSettings

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
            "timeout": 60,  # SageMaker gives an answer 60 s (contract S6)
            "graceful_timeout": 25,  # and a container 30 s between SIGTERM and SIGKILL (S12)
            "keepalive": 75,
            "control_socket_disable": True,
            "loglevel": "warning",
            "post_worker_init": _hear_stop_signals,
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


def _hear_stop_signals(_worker: object) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def run(app: Flask, settings: ServerSettings) -> None:
    """Serve until SIGTERM; answers under way are finished."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    with threadpool_limits(1, user_api="blas"):  # forked workers inherit it
        Server(app, settings).run()
