"""Waiting for processes and ports."""

import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any


class NotReadyError(Exception):
    """A process ended or the time ran out before the condition held."""


def wait_until(
    is_ready: Callable[[], bool],
    what: str,
    seconds: float,
    process: "subprocess.Popen[Any] | None" = None,
    pause: float = 0.05,
) -> None:
    """Wait until a condition holds.

    Args:
        is_ready: the condition, checked after each pause.
        what: the name of the condition's subject, for the message.
        seconds: maximum time to wait.
        process: a process that must not end in the meantime.
        pause: seconds between two checks.

    Raises:
        NotReadyError: the process ended first, or the time ran out.
    """
    deadline = time.monotonic() + seconds
    while not is_ready():
        if process is not None and (code := process.poll()) is not None:
            raise NotReadyError(f"{what} ended with exit code {code} before it was ready")
        if time.monotonic() > deadline:
            raise NotReadyError(f"{what} was not ready after {seconds:g} s")
        time.sleep(pause)


def listens(host: str, port: int, timeout: float = 5) -> bool:
    """Return whether a host listens on a TCP port; False also if its name is not known yet."""
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
