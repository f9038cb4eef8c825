"""Processes that others wait for: a free port, and until something is ready."""

import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any


class NotReadyError(Exception):
    """A process ended, or too much time passed, before what was waited for."""


def wait_until(
    is_ready: Callable[[], bool],
    what: str,
    seconds: float,
    process: "subprocess.Popen[Any] | None" = None,
    pause: float = 0.05,
) -> None:
    """Return as soon as a condition holds.

    Args:
        is_ready: the condition; asked again after each pause.
        what: what is waited for, as the message names it.
        seconds: how long at most.
        process: what must not end in the meantime.
        pause: seconds between two looks.

    Raises:
        NotReadyError: the process ended first, or the time is over.
    """
    deadline = time.monotonic() + seconds
    while not is_ready():
        if process is not None and (code := process.poll()) is not None:
            raise NotReadyError(f"{what} ended with exit code {code} before it was ready")
        if time.monotonic() > deadline:
            raise NotReadyError(f"{what} was not ready after {seconds:g} s")
        time.sleep(pause)


def listens(host: str, port: int, timeout: float = 5) -> bool:
    """Return whether a host listens on a TCP port; a name that is not known yet does not."""
    try:
        socket.create_connection((host, port), timeout=timeout).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """Return a TCP port of this host that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
