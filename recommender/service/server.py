"""The app under gunicorn, as in the image."""

import logging
import os
import re
import resource
import signal
import tempfile
import warnings
from pathlib import Path
from socket import SO_REUSEADDR, SOL_SOCKET, socket
from typing import Any

from flask import Flask, Response
from gevent.monkey import MonkeyPatchWarning
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.http.errors import ParseException
from threadpoolctl import threadpool_limits

from recommender.common.output import say
from recommender.errors import ConfigError, RequestError
from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.server_environment import BIND_TO_PORT, ServerSettings
from recommender.service.app import create_app, refuse
from recommender.service.worker import CLOSING, Connections, Worker, WorkerLoad, unreadable

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - for heartbeat files; on disk they can stall a worker
OWN_STATUS = Path("/proc/self/status")
CAPABILITIES = 1 << 0 | 1 << 5 | 1 << 6 | 1 << 7  # CAP_CHOWN, CAP_KILL, CAP_SETGID and CAP_SETUID
MAX_CONNECTIONS = 1_000  # per worker
OTHER_FILES = 100  # other open files of a worker
KEEP_ALIVE_SECONDS = 75  # a connection without a request stays open this long
GRACEFUL_SECONDS = 25  # for requests in progress after SIGTERM; a container has 30 s until SIGKILL (S12)
MAX_HEADERS, MAX_HEADER = 50, 4_094  # number of headers and bytes of each; SageMaker's longest has some 1,100

STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """A gunicorn server with the settings of a SageMaker container.

    The app and its model are loaded once, before the workers are forked, so that they share its memory.
    The server listens only after that, so /ping never succeeds too early. There is one worker per core, and one
    BLAS thread per worker. Workers are cooperative (gevent): a slow client or a long batch blocks no other.

    Args:
        app: the app.
        settings: the settings of the server.
        load_of_worker: the load of a worker; each worker has a copy.
    """

    def __init__(self, app: Flask, settings: ServerSettings, load_of_worker: WorkerLoad) -> None:
        self._flask_app = app
        self._settings = settings
        self.load_of_worker = load_of_worker
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's options."""
        options: dict[str, Any] = {
            "bind": f"{self._settings.host}:{self._settings.port}",
            "workers": self._settings.workers,
            "worker_class": f"{Worker.__module__}.{Worker.__name__}",
            "worker_connections": self.load_of_worker.connections.most,
            "limit_request_fields": MAX_HEADERS,
            "limit_request_field_size": MAX_HEADER,
            "forwarded_allow_ips": "",  # no proxy sets SCRIPT_NAME or the scheme
            "preload_app": True,
            "timeout": self._settings.timeout,
            "graceful_timeout": GRACEFUL_SECONDS,
            "keepalive": KEEP_ALIVE_SECONDS,
            "control_socket_disable": True,
            "loglevel": logging.getLevelName(max(logging.WARNING, self._settings.log_level)).lower(),
            "post_worker_init": _unblock_stop_signals,
            "when_ready": lambda _: say(f"serving on port {self._settings.port} of {self._settings.host}"),
            **({"worker_tmp_dir": str(SHARED_MEMORY)} if _is_writable(SHARED_MEMORY) else {}),
            **({"user": user, "group": user} if (user := self._settings.user) and _may_change_user() else {}),
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Return the app."""
        return self._flask_app

    def run(self) -> None:
        """Serve until a stop signal."""
        _Arbiter(self).run()


def _may_change_user(status: Path = OWN_STATUS) -> bool:
    """Return whether this process is root and may switch to another user, and own files and send signals as root.

    A container without capabilities (`--cap-drop ALL`) may not.
    """
    if os.geteuid() != 0:
        return False
    try:
        found = re.search(r"^CapEff:\s*([0-9a-f]+)$", status.read_text(), re.MULTILINE)
    except OSError:  # not Linux
        return True
    return found is not None and int(found[1], 16) & CAPABILITIES == CAPABILITIES


class _Arbiter(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """A gunicorn master; its workers cannot miss a stop signal while they start.

    A worker inherits the master's signal handlers. A SIGTERM before it has its own handlers is lost, and
    the master waits for that worker until `graceful_timeout`. Blocked signals stay pending instead.
    """

    def spawn_worker(self) -> int:
        """Fork a worker; it blocks stop signals until it is ready."""
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            return int(super().spawn_worker())
        finally:  # a worker comes here only when it ends
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def handle_int(self) -> None:
        """Stop on Ctrl-C as on SIGTERM: finish the responses in progress."""
        self.handle_term()


def _unblock_stop_signals(_worker: object) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the master stops the workers
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def _refused(error: ParseException) -> Response:
    """Return the response to a body that can't be read; the worker closes its connection."""
    status, message = unreadable(error)
    return refuse(RequestError("", message), status)


def _is_writable(folder: Path) -> bool:
    """Return whether files can be created in a folder; on serverless endpoints /dev/shm is read-only."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _max_connections() -> int:
    """Return the maximum number of connections of a worker, within its maximum number of open files."""
    wanted = MAX_CONNECTIONS + CLOSING + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return (
        MAX_CONNECTIONS
        if soft == resource.RLIM_INFINITY
        else max(1, min(MAX_CONNECTIONS, soft - CLOSING - OTHER_FILES))
    )


def check_port_is_free(host: str, port: int) -> None:
    """Check that the port is free; gunicorn would report a used port ten times in five seconds.

    Raises:
        ConfigError: the server cannot listen on the port.
    """
    with socket() as probe:
        probe.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"port {port} of {host}: the server can't listen on it: {error.strerror}. "
                f"Give it another --port, or set {BIND_TO_PORT}"
            ) from None


def run(recommender: Recommender, settings: ServerSettings) -> None:
    """Serve until SIGTERM; finish the responses in progress.

    Raises:
        ConfigError: the server cannot listen on the port.
    """
    check_port_is_free(settings.host, settings.port)
    # Loading a model from S3 imports ssl before gevent patches it. That is harmless: the workers use no TLS.
    warnings.simplefilter("ignore", MonkeyPatchWarning)
    load = WorkerLoad(settings.max_body_bytes, Connections(_max_connections()))
    app = create_app(recommender, settings, load)
    app.register_error_handler(ParseException, _refused)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=settings.log_level)
    with threadpool_limits(1, user_api="blas"):  # forked workers inherit the limit
        Server(app, settings, load).run()
