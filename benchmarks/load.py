"""Load a running server with wrk, and measure the times of /ping meanwhile."""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recommender.service.process import Server

SCRIPT = Path(__file__).with_name("users.lua")
PING_PAUSE_SECONDS = 0.02


@dataclass(frozen=True)
class Load:
    """Requests per second, and percentiles of the times of responses and of /ping in milliseconds."""

    rate: float
    p50: float
    p99: float
    ping_p50: float
    ping_p99: float


def require_wrk() -> None:
    """End the program if wrk or taskset is missing."""
    if not (shutil.which("wrk") and shutil.which("taskset")):
        sys.exit("wrk or taskset was not found, both are needed to measure a server: apt-get install wrk util-linux")


def measure(server: Server, users: Path, connections: int, seconds: int, core: int) -> Load:
    """Load a server for some seconds from this core, and ping it at the same time."""
    url = f"http://127.0.0.1:{server.port}/invocations"
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "--latency", "-s", str(SCRIPT)]
    os.sched_setaffinity(0, {core})  # the pings must not compete with the server
    wrk = subprocess.Popen(
        ["taskset", "-c", str(core), "wrk", *options, url],
        env=os.environ | {"USERS": str(users)},
        stdout=subprocess.PIPE,
        text=True,
    )
    stop = threading.Event()
    pings: list[float] = []
    pinging = threading.Thread(target=_ping_until, args=(server, stop, pings))
    pinging.start()
    output, _ = wrk.communicate()
    stop.set()
    pinging.join()
    if "Non-2xx" in output or "Socket errors" in output or wrk.returncode:
        sys.exit(f"wrk: expected status 200 for every request:\n{output}")
    ping_p50, ping_p99 = np.percentile(pings, [50, 99]) * 1000
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert rate, output
    return Load(float(rate[1]), _percentile(output, 50), _percentile(output, 99), float(ping_p50), float(ping_p99))


def _ping_until(server: Server, stop: threading.Event, seconds: list[float]) -> None:
    while not stop.is_set():
        began = time.perf_counter()
        server.request("GET", "/ping")
        seconds.append(time.perf_counter() - began)
        time.sleep(PING_PAUSE_SECONDS)


def _percentile(output: str, percent: int) -> float:
    match = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)\b", output, re.MULTILINE)
    assert match, output
    return float(match[1]) * {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}[match[2]]
